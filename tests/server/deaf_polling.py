"""A polling client that does not read what it polls for, and other requests that are never finished."""

from __future__ import annotations

import json
import socket
from typing import Self

from tests.running_server import PATIENCE, RunningServer
from tests.server.raw_client import request

POLLING = "/socket.io/?EIO=4&transport=polling"


class DeafPolling:
    """A session in the chat. Its polls are left unread, in a buffer that takes next to nothing."""

    def __init__(self, server: RunningServer, token: str | None = None) -> None:
        self._server = server
        self._open: list[socket.socket] = []
        sid = json.loads(request(server.url, "GET", POLLING).body[1:])["sid"]
        self.path = f"{POLLING}&sid={sid}"
        self.post("40/chat," + json.dumps({"protocol": 1, "token": token}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def poll(self) -> socket.socket:
        """A GET; the connection, which can be read."""
        connection = connect(self._server)
        connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self._open.append(connection)
        return connection

    def post(self, frame: str) -> int:
        """The status of a POST."""
        return request(self._server.url, "POST", self.path, frame.encode()).status

    def ask(self) -> int:
        """Ask for the history; the status."""
        return self.post('42/chat,1["history",{"limit":50}]')


def connect(server: RunningServer) -> socket.socket:
    """A connection with a small buffer for what arrives."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.settimeout(PATIENCE)
    return connection


def hung_post(server: RunningServer, path: str) -> socket.socket:
    """A POST whose body never comes."""
    connection = connect(server)
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode())
    return connection
