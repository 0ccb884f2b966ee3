"""A byte budget for what a client has not read yet.

Engine.IO queues without a limit: a client that stops reading would cost all that is said in its conversation
until the ping timeout, and more with every request that it still makes. Past the budget its connection is
closed with the reason `slow`; what it missed is not lost, it connects again and resumes.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from engineio import exceptions, packet
from engineio import socket as engineio_socket

from ws.outgoing import as_text, compact, size_of
from ws.transfers import RESPONSE, Response

log = logging.getLogger(__name__)

BUDGET = 512 * 1024
"""Bytes of memory that may wait for one client, besides the largest packet among them: a long conversation's
`session` alone closes nobody's connection."""
SLOW = "slow"
PROGRESS = 1024
"""Bytes that a client has to take while it owes a pong; the ping itself and its like are no progress."""


class BoundedSocket(engineio_socket.Socket):  # type: ignore[misc]
    """The library's connection of one client, with a limit for its queue."""

    on_slow: Callable[[], None] = staticmethod(lambda: None)
    last_ping: float | None
    """When the ping was sent that waits for its pong."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting = 0
        self._largest = 0
        self._taken = 0
        self._websocket: Any = None
        self._upgrades = False
        self._in_hand = 0
        self._is_writing = False
        self._is_polling = False
        self._polled = 0
        self._response: Response | None = None

    def send(self, pkt: packet.Packet) -> None:
        compact(pkt)
        size = size_of(pkt)
        self.waiting += size
        self._largest = max(self._largest, size)
        if self.waiting - self._largest > BUDGET and not self.closed:
            self._give_up()
        else:
            super().send(pkt)

    def poll(self) -> list[packet.Packet]:
        """The next packets to write; for a websocket it is one, and who asks again has written it."""
        if self.upgraded:
            return self._next()
        packets: list[packet.Packet] = super().poll()
        self._polled = sum(map(size_of, packets))
        if not self._is_polling:
            # The handshake's, which is small; no other request can come before it is read.
            self._release(self._polled)
        return list(map(as_text, packets))

    def handle_get_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        """A poll or an upgrade. Engine.IO: a second poll beside one that is not answered yet ends the session."""
        if _is_upgrade(environ):
            return self._upgrade(environ, start_response)
        if self._is_polling:
            self.close(wait=False, abort=self._response is not None, reason=self.server.reason.TRANSPORT_ERROR)
            self._cut()
            raise exceptions.EngineIOError("a second poll")
        self._is_polling, self._polled = True, 0
        try:
            packets = super().handle_get_request(environ, start_response)
        except BaseException:
            self._is_polling = False
            raise
        self._follow(environ.get(RESPONSE))
        return packets

    def check_ping_timeout(self) -> bool:
        """Whether it still answers pings. One that takes what lies before the ping has the time anew."""
        taken = self._moved()
        if self.last_ping is None or taken - self._taken >= PROGRESS:
            self.last_ping = None if self.last_ping is None else time.time()
            self._taken = taken
        alive: bool = super().check_ping_timeout()
        if not alive and (self._is_writing or self._response is not None):
            self._cut()
        return alive

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        super().close(wait=wait, abort=abort, reason=reason)
        if abort:
            # Nobody will read it, and the library keeps this object until its next ping would be due.
            self._drop()

    def _next(self) -> list[packet.Packet]:
        self._release(self._in_hand)
        self._in_hand, self._is_writing = 0, False
        pkt = self._wait_for_packet()
        self.queue.task_done()
        if pkt is None:
            return []
        self._in_hand, self._is_writing = size_of(pkt), True
        return [pkt]

    def _wait_for_packet(self) -> packet.Packet | None:
        """As the library waits, but longer for a client that still takes what was written: its pong comes later."""
        while True:
            taken = self._moved()
            with suppress(self.server.get_queue_empty_exception()):
                return self.queue.get(timeout=self.server.ping_interval + self.server.ping_timeout)
            if self._moved() <= taken:
                raise exceptions.QueueEmpty

    def _follow(self, response: Response | None) -> None:
        """The poll's packets are in hand until its response is written."""
        end = partial(self._poll_ended, response, self._polled)
        if response is None:
            end(True)
        else:
            self._response, self._taken, response.on_end = response, 0, end

    def _poll_ended(self, response: Response | None, size: int, written: bool) -> None:
        self._is_polling, self._response = False, None
        self._release(size)
        if written or self.closed:
            return
        if response is not None and response.was_cut:
            self._give_up()
        else:
            # What it carried is lost.
            self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_ERROR)

    def _release(self, size: int) -> None:
        self.waiting -= size
        if self.waiting <= 0:
            self._largest = 0

    def _upgrade(self, environ: dict[str, Any], start_response: Any) -> Any:
        """One at a time: each holds a connection until it has proved itself."""
        if self._upgrades:
            return self.server._bad_request("It is being upgraded")
        self._upgrades = True
        try:
            return super().handle_get_request(environ, start_response)
        finally:
            self._upgrades = False

    def _websocket_handler(self, websocket: Any) -> Any:
        self._websocket = websocket
        return super()._websocket_handler(websocket)

    def _moved(self) -> int:
        """Bytes that the client has taken of what is being written; 0 where that is not known."""
        if self._response is not None:
            return self._response.moved()
        taken = getattr(getattr(self._websocket, "socket", None), "taken", None)
        return int(taken()) if taken is not None else 0

    def _drop(self) -> None:
        with suppress(self.server.get_queue_empty_exception()):
            while True:
                self.queue.get(block=False)
                self.queue.task_done()
        # Ends the writer, should it wait for more.
        self.queue.put(None)

    def _give_up(self) -> None:
        log.warning("a client that does not read what it is sent was disconnected; it may come back and resume")
        self.on_slow()
        self.close(wait=False, abort=True, reason=SLOW)
        self._cut()

    def _cut(self) -> None:
        """The writer waits in the middle of something; nothing can be said to the other side any more."""
        if self._response is not None:
            self._response.cut()
        if self._websocket is not None:
            with suppress(OSError, AttributeError):
                _raw_socket(self._websocket).shutdown(socket.SHUT_RDWR)


def bound(on_slow: Callable[[], None]) -> None:
    """Have Engine.IO use bounded connections. To be called once, before the first one."""
    BoundedSocket.on_slow = staticmethod(on_slow)
    engineio_socket.Socket = BoundedSocket


def _is_upgrade(environ: dict[str, Any]) -> bool:
    # As the library tells it: whatever else it takes for a poll has to count as one.
    connection = [part.strip() for part in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    return "upgrade" in connection and environ.get("HTTP_UPGRADE", "").lower() == "websocket"


def _raw_socket(websocket: Any) -> socket.socket:
    """The TCP socket below eventlet's websocket, or below simple_websocket's."""
    inner = getattr(websocket, "ws", None)
    raw: socket.socket = inner.sock if inner is not None else websocket.socket
    return raw
