"""Socket.IO in memory: connections, rooms, and packets that lie there until the test hands them over.

It has what `ws.namespace` and `ws.emitter` use of Flask-SocketIO. Every payload becomes JSON and back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Packet:
    """On its way to a client: an event, or (`call` is not None) the acknowledgement of one of its calls."""

    event: str
    payload: Any
    call: int | None = None


@dataclass(eq=False)
class Link:
    """One connection. `up`: the client believes in it; `stands`: the server does; `whole`: nothing was lost on it."""

    sid: str
    up: bool = True
    stands: bool = True
    whole: bool = True
    packets: list[Packet] = field(default_factory=list)
    rooms: set[str] = field(default_factory=set)
    calls: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def put(self, packet: Packet) -> None:
        if self.up and self.stands:
            text = json.dumps(packet.payload, allow_nan=False)
            self.packets.append(Packet(packet.event, json.loads(text), packet.call))

    def cut(self) -> None:
        """The client's side is gone, and with it whatever was on its way."""
        self.up = False
        self.packets.clear()
        self.calls.clear()


class Sockets:
    """The server's side of all connections of one worker; `server` is the library below it, here the same."""

    def __init__(self, point: Callable[[], None], heard: Callable[[str, dict[str, Any], list[Link]], None]) -> None:
        self.links: dict[str, Link] = {}
        self._point = point
        self._heard = heard

    @property
    def server(self) -> Sockets:
        return self

    def open(self, sid: str) -> Link:
        self.links[sid] = Link(sid)
        return self.links[sid]

    def enter_room(self, sid: str, room: str, namespace: str) -> None:
        assert namespace == "/chat"
        if sid in self.links:
            self.links[sid].rooms.add(room)
        self._point()

    def leave_room(self, sid: str, room: str, namespace: str) -> None:
        assert namespace == "/chat"
        if sid in self.links:
            self.links[sid].rooms.discard(room)
        self._point()

    def disconnect(self, sid: str, namespace: str) -> None:
        assert namespace == "/chat"
        self.close(sid)

    def close(self, sid: str) -> None:
        link = self.links.pop(sid, None)
        if link is not None:
            link.stands = False
            link.rooms.clear()

    def emit(self, event: str, payload: dict[str, Any], *, to: str, namespace: str) -> None:
        assert namespace == "/chat"
        self._point()
        found = [link for link in self.links.values() if link.sid == to or to in link.rooms]
        self._heard(event, payload, found)
        for link in found:
            link.put(Packet(event, payload))
        self._point()
