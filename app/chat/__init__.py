"""What a conversation is: turns, their order, their answers. No socket, no HTTP, no database, no clock of its own."""
