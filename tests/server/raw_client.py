"""A Socket.IO client that sends whatever it is told, by websocket or by polling. For tests of bad input.

It speaks Engine.IO 4 (https://github.com/socketio/engine.io-protocol) by hand and checks nothing of its own:
a *frame* is one Engine.IO packet (`42/chat,["stop"]` is a message, an event, its namespace and its data).
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import threading
from abc import ABC, abstractmethod
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import websocket

from tests.chat_client import NAMESPACE
from tests.running_server import PATIENCE, wait_until

MODERN = '{"protocol":1}'
"""The `auth` of a client that speaks the protocol, as JSON."""

SEPARATOR = "\x1e"


class Reply(NamedTuple):
    """What came back for one HTTP request."""

    status: int
    body: bytes
    headers: dict[str, str]


def request(
    url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """One HTTP request on a connection of its own."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        lower = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, response.read(), lower)
    finally:
        connection.close()


class RawClient(ABC):
    """A connection and all frames that it received. `closed`: the server ended it."""

    def __init__(self, url: str, query: str = "", headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.frames: list[str] = []
        self.closed = False
        self._headers = headers or {}
        self._ids = itertools.count(1)
        self._open(f"/socket.io/?EIO=4&transport={self.transport}{query}")
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()

    transport: str

    @abstractmethod
    def send(self, frame: str) -> None:
        """Send one frame."""

    @abstractmethod
    def close(self) -> None:
        """End the connection from this side."""

    @abstractmethod
    def _open(self, path: str) -> None: ...

    @abstractmethod
    def _receive(self) -> list[str]:
        """The next frames. Raises OSError or an exception of the client library when there are no more."""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def join(self, auth: str = MODERN) -> RawClient:
        """Connect to the namespace and wait for the session."""
        self.send(f"40{NAMESPACE},{auth}")
        self.wait_for(lambda: self.events("session"), "the session")
        return self

    def call(self, event: str) -> Any:
        """Send an event (the JSON of its whole array), asking for an acknowledgement; what that says."""
        number = next(self._ids)
        self.send(f"42{NAMESPACE},{number}{event}")
        start = f"43{NAMESPACE},{number}["
        self.wait_for(lambda: any(frame.startswith(start) for frame in self.frames), f"an answer to {event[:100]}")
        answer = next(frame for frame in self.frames if frame.startswith(start))
        return json.loads(answer[len(start) - 1 :])[0]

    def events(self, name: str) -> list[Any]:
        """The payloads of an event that arrived so far."""
        start = f'42{NAMESPACE},["{name}",'
        return [json.loads(frame[frame.index("[") :])[1] for frame in list(self.frames) if frame.startswith(start)]

    def refusals(self) -> list[Any]:
        """What the server said to connection attempts that it refused."""
        start = f"44{NAMESPACE},"
        return [json.loads(frame[len(start) :]) for frame in list(self.frames) if frame.startswith(start)]

    def codes(self) -> list[str]:
        """The codes of the errors that belong to no acknowledgement."""
        return [message["code"] for message in self.events("server_message")]

    def wait_for(self, condition: Any, what: str) -> None:
        wait_until(lambda: condition() or self.closed, f"{what} arrives")
        assert condition(), f"the connection was closed before this: {what}"

    def wait_until_closed(self) -> None:
        wait_until(lambda: self.closed, "the server closes the connection")

    def _read_on(self) -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException, http.client.HTTPException, AttributeError):
            while not self.closed:
                frames = self._receive()
                self.frames += frames
                if "2" in frames:
                    self.send("3")
                if "1" in frames:
                    break
        self.closed = True


class RawWebsocket(RawClient):
    """By websocket. `upgrade`: the session of a polling connection that this one is to take over."""

    transport = "websocket"

    def send(self, frame: str) -> None:
        self.send_raw(frame.encode("utf-8", "surrogatepass"))

    def send_raw(self, data: bytes, opcode: int = websocket.ABNF.OPCODE_TEXT) -> None:
        """Send bytes as one websocket frame of any kind."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.send(data, opcode)

    def send_part(self, data: bytes, *, opcode: int, last: bool) -> None:
        """Send a fragment of a message."""
        self._socket.send_frame(websocket.ABNF(int(last), 0, 0, 0, opcode, 1, data))

    def send_together(self, *frames: tuple[int, bytes]) -> None:
        """Send frames of (opcode, data) in one write, so that the server reads them at once."""
        # By hand, because the library makes no frame that is against the rules. Masked with zeros, up to 125 bytes.
        packed = (bytes([0x80 | code, 0x80 | len(data)]) + bytes(4) + data for code, data in frames)
        self._socket.sock.sendall(b"".join(packed))

    def close(self) -> None:
        self.closed = True
        # Closing alone does not wake a thread that reads.
        with contextlib.suppress(OSError, AttributeError):
            self._socket.sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(PATIENCE)
        self._socket.shutdown()

    def _open(self, path: str) -> None:
        address = self.url.replace("http", "ws", 1) + path
        headers = dict(self._headers)
        origin, host = headers.pop("Origin", None), headers.pop("Host", None)
        self._socket = websocket.create_connection(
            address, timeout=PATIENCE, header=headers, origin=origin, host=host, suppress_origin=origin is None
        )
        self._socket.settimeout(None)

    def _receive(self) -> list[str]:
        opcode, data = self._socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise ConnectionError("closed by the server")
        return [data.decode("utf-8", "surrogatepass")]


class RawPolling(RawClient):
    """By polling: one parked GET, and a POST for each frame."""

    transport = "polling"

    def send(self, frame: str) -> None:
        self.post(frame.encode("utf-8", "surrogatepass"))

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        """One POST with any body."""
        return request(self.url, "POST", self.path, body, {**self._headers, **(headers or {})})

    def close(self) -> None:
        self.closed = True
        # The server ends the parked GET when it is told of the end, and so the reader comes to its end too.
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.post(b"1")
        self._reader.join(PATIENCE)

    def _open(self, path: str) -> None:
        self.path = path
        reply = request(self.url, "GET", path, headers=self._headers)
        assert reply.status == 200, reply
        self.sid = json.loads(reply.body[1:])["sid"]
        self.path = f"{path}&sid={self.sid}"

    def _receive(self) -> list[str]:
        reply = request(self.url, "GET", self.path, headers=self._headers)
        if reply.status != 200:
            raise ConnectionError(f"the session is over: {reply.status}")
        return reply.body.decode("utf-8", "surrogatepass").split(SEPARATOR)


TRANSPORTS: dict[str, type[RawClient]] = {"websocket": RawWebsocket, "polling": RawPolling}


def opens(url: str, origin: str | None, host: str | None = None) -> tuple[bool, bool]:
    """Whether a page of `origin` can connect (by websocket, by polling)."""
    headers = {name: value for name, value in (("Origin", origin), ("Host", host)) if value is not None}
    polling = request(url, "GET", "/socket.io/?EIO=4&transport=polling", headers=headers)
    assert polling.status in (200, 400), polling
    assert polling.status == 400 or polling.headers.get("access-control-allow-origin") == origin
    try:
        RawWebsocket(url, headers=headers).close()
        by_websocket = True
    except websocket.WebSocketBadStatusException:
        by_websocket = False
    return by_websocket, polling.status == 200
