"""The socket: Socket.IO over Flask-SocketIO. The only room that knows green threads and wire names."""
