"""Socket.IO packets as they come from clients, made harmless before anything acts on them.

Flask-SocketIO's own decoder raises out of the connection on malformed input, waits for binary attachments
that nobody sends, and lets a client trigger the lifecycle handlers by events named `connect` and
`disconnect`. Here whatever is not a plain event of this protocol becomes the event `REFUSED`, which the
namespace answers with one clear error; nothing is raised, and no other client notices.

The packet format: https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from socketio import packet

NAMESPACE = "/chat"
REFUSED = "\0refused"
"""The name of the event that stands in for a packet that was not understood. No client can send it."""

RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
FROM_CLIENTS = (packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK)


class Unacknowledged(str):
    """The name of an event whose sender asked for no acknowledgement: an error needs another way to reach it."""


class StrictJson:
    """JSON as the standard has it. Every fault is a `ValueError`, also nesting that is too deep."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(value, **{"separators": (",", ":"), **options})

    @staticmethod
    def loads(text: str | bytes, **_options: Any) -> Any:
        try:
            return json.loads(text, parse_constant=_no_constant)
        except RecursionError:
            raise ValueError("nested too deeply") from None


class CheckedPacket(packet.Packet):  # type: ignore[misc]
    """A packet whose decoding never fails."""

    json = StrictJson
    uses_binary_events = False

    def decode(self, encoded_packet: str | bytes) -> int:
        self.packet_type, self.namespace, self.id, self.data = packet.EVENT, NAMESPACE, None, None
        try:
            attachments = 0 if isinstance(encoded_packet, bytes) else super().decode(encoded_packet)
        except (ValueError, IndexError, TypeError):
            # The type, the namespace and the id may have been read before the fault: an acknowledgement still fits.
            attachments, self.data = 0, None
            self.packet_type = packet.EVENT
        if attachments or self.packet_type not in FROM_CLIENTS:
            self.packet_type, self.data = packet.EVENT, None
        if self.packet_type == packet.EVENT:
            data: list[Any] = self.data if _is_event(self.data) else [REFUSED]
            name = data[0] if self.id is not None else Unacknowledged(data[0])
            self.data = [name, *data[1:]]
        return 0


def _is_event(data: object) -> TypeGuard[list[Any]]:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in (*RESERVED, REFUSED)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
