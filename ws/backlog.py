"""A byte budget for what a client has not read yet.

Engine.IO queues without a limit: a client that stops reading would cost all that is said in its conversation
until the ping timeout, and more with every request that it still makes. Past the budget its connection is
closed with the reason `slow`; what it missed is not lost, it connects again and resumes.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from sys import getsizeof
from typing import Any

from engineio import packet
from engineio import socket as engineio_socket

log = logging.getLogger(__name__)

BUDGET = 512 * 1024
"""Bytes of memory that may wait for one client, besides the largest packet among them: a long conversation's
`session` alone closes nobody's connection."""
SLOW = "slow"


class BoundedSocket(engineio_socket.Socket):  # type: ignore[misc]
    """The library's connection of one client, with a limit for its queue."""

    on_slow: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting = 0
        self._largest = 0
        self._in_hand = 0
        self._websocket: Any = None

    def send(self, pkt: packet.Packet) -> None:
        size = _size(pkt)
        self.waiting += size
        self._largest = max(self._largest, size)
        if self.waiting - self._largest > BUDGET and not self.closed:
            self._give_up()
        else:
            super().send(pkt)

    def poll(self) -> list[packet.Packet]:
        """The next packets to write. Who asks for more has written those that it had."""
        self.waiting -= self._in_hand
        self._in_hand = 0
        if self.waiting <= 0:
            self._largest = 0
        packets: list[packet.Packet] = super().poll()
        self._in_hand = sum(map(_size, packets))
        return packets

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        super().close(wait=wait, abort=abort, reason=reason)
        if abort:
            # Nobody will read it, and the library keeps this object until its next ping would be due.
            self._drop()

    def _drop(self) -> None:
        with suppress(self.server.get_queue_empty_exception()):
            while True:
                self.queue.get(block=False)
                self.queue.task_done()
        # Ends the writer, should it wait for more.
        self.queue.put(None)

    def _websocket_handler(self, websocket: Any) -> Any:
        self._websocket = websocket
        return super()._websocket_handler(websocket)

    def _give_up(self) -> None:
        log.warning("a client that does not read what it is sent was disconnected; it may come back and resume")
        self.on_slow()
        self.close(wait=False, abort=True, reason=SLOW)
        # The writer waits in the middle of a frame; nothing can be said to the other side any more.
        if self._websocket is not None:
            with suppress(OSError, AttributeError):
                _raw_socket(self._websocket).shutdown(socket.SHUT_RDWR)


def bound(on_slow: Callable[[], None]) -> None:
    """Have Engine.IO use bounded connections. To be called once, before the first one."""
    BoundedSocket.on_slow = staticmethod(on_slow)
    engineio_socket.Socket = BoundedSocket


def _size(pkt: packet.Packet) -> int:
    # Packets without data may be put into the queue past `send`: they do not count.
    return 0 if pkt.data is None else getsizeof(pkt.data)


def _raw_socket(websocket: Any) -> socket.socket:
    """The TCP socket below eventlet's websocket, or below simple_websocket's."""
    inner = getattr(websocket, "ws", None)
    raw: socket.socket = inner.sock if inner is not None else websocket.socket
    return raw
