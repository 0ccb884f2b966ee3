"""A TCP proxy on loopback that cuts connections after a given byte, stops reading, or takes no connections.

It stands before the server and outlives its restarts: whoever connects while the server is away is reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from tests.faults.borders import Borders

Side = Literal["down", "up"]
"""Down: from the server to the client."""

Kind = Literal["fin", "rst", "freeze"]
"""Two kinds of cuts; in a freeze nothing is read from the server."""

RESET = struct.pack("ii", 1, 0)
SMALL = 4096
SEGMENT = 536
"""Bytes that the proxy reads ahead, and of a TCP segment: together they let the kernel take 50 KB for a reader that
does not read, in place of 2.8 MB, so that it is the server which feels it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls a connection: `extra` bytes after border `frame` of one side (None: after its first byte)."""

    kind: Kind
    side: Side
    frame: int | None
    extra: int
    seconds: float = 0.0
    """How long a freeze lasts; then everything goes on."""


Plan = Callable[[int], Fault | None]
"""The fault of a connection, by its number."""


class Severed(Exception):
    """The fault was a cut."""


class Proxy:
    """`plan` is asked once for each connection. `done` counts what was really done to them."""

    def __init__(self, server_port: int, plan: Plan = lambda _number: None) -> None:
        self.done: Counter[str] = Counter()
        self.links: list[Link] = []
        self._server_port = server_port
        self._plan = plan
        self._refuse_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def cuts(self) -> int:
        return self.done["fin"] + self.done["rst"]

    def refuse(self, seconds: float) -> None:
        """Reset whoever connects within the next seconds."""
        self._refuse_until = time.monotonic() + seconds
        self.done["times closed"] += 1

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._take, sock=self._door, limit=SMALL))
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._door.close()
        self._loop.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._refuse_until:
            self.done["refused"] += 1
            return reset(writer)
        there = socket.socket()
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        there.setblocking(False)
        try:
            await self._loop.sock_connect(there, ("127.0.0.1", self._server_port))
        except OSError:
            there.close()
            self.done["server away"] += 1
            return reset(writer)
        server = await asyncio.open_connection(sock=there, limit=SMALL)
        link = Link(self._plan(len(self.links)), self.done)
        self.links.append(link)
        await link.run((reader, writer), server)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One connection through the proxy."""

    def __init__(self, fault: Fault | None, done: Counter[str]) -> None:
        self.borders: dict[Side, Borders] = {"down": Borders(), "up": Borders()}
        self._fault = fault
        self._done = done
        self._passed: Counter[Side] = Counter()
        self._at = fault.extra if fault is not None and fault.frame is None else None

    async def run(self, client: End, server: End) -> None:
        """Carry bytes until one end closes, or the cut comes; then both are closed in the same way."""
        for _, writer in (client, server):
            writer.transport.set_write_buffer_limits(high=0)
        pumps = [
            asyncio.ensure_future(self._pump("down", server[0], client[1])),
            asyncio.ensure_future(self._pump("up", client[0], server[1])),
        ]
        ended, going = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in going:
            pump.cancel()
        await asyncio.wait(pumps)
        severed = any(isinstance(pump.exception(), Severed) for pump in ended)
        for _, writer in (client, server):
            if severed and self._fault is not None and self._fault.kind == "rst":
                reset(writer)
            else:
                writer.close()

    async def _pump(self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(SMALL):
                due = self._due(side, data)
                writer.write(data[:due])
                await writer.drain()
                if due is not None:
                    await self._strike()
                    writer.write(data[due:])
                    await writer.drain()

    def _due(self, side: Side, data: bytes) -> int | None:
        """The offset in `data` at which the fault falls, if it does."""
        offsets, fault, passed = self.borders[side].feed(data), self._fault, self._passed[side]
        self._passed[side] += len(data)
        if fault is None or fault.side != side:
            return None
        index = (fault.frame or 0) - (len(self.borders[side].lengths) - len(offsets))
        if self._at is None and 0 <= index < len(offsets):
            self._at = passed + offsets[index] + fault.extra
        return self._at - passed if self._at is not None and passed <= self._at <= passed + len(data) else None

    async def _strike(self) -> None:
        fault = self._fault
        assert fault is not None
        self._at = -1
        self._done[fault.kind] += 1
        if fault.kind != "freeze":
            kind = "websocket" if self.borders["up"].framed else "polling"
            self._done[f"{kind}, {fault.side}, {'inside' if fault.extra else 'on a border'}"] += 1
            raise Severed
        await asyncio.sleep(fault.seconds)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST in place of FIN."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
