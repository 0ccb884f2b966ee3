"""Socket.IO packets as they come from clients, made harmless before anything acts on them.

Flask-SocketIO's own decoder raises out of the connection on malformed input, waits for binary attachments
that nobody sends, and lets a client trigger the lifecycle handlers by events named `connect` and
`disconnect`. Here whatever is not a plain event of this protocol becomes the event `REFUSED`, which the
namespace answers with one clear error; nothing is raised, and no other client notices.

The packet format: https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeGuard

from socketio import packet

NAMESPACE = "/chat"
REFUSED = "\0refused"
"""The name of the event that stands in for a packet that was not understood. No client can send it."""

RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
OUTGOING = object()
"""Stands for no encoded packet: `None` is what Engine.IO makes of the message `null`."""

UNKNOWN = "/unknown"
NAMESPACE_NAME = re.compile(r"/[\x21-\x7e]{0,100}")
FROM_CLIENTS = (packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK)


class Unacknowledged(str):
    """The name of an event whose sender asked for no acknowledgement: an error needs another way to reach it."""


class StrictJson:
    """JSON as the standard has it. Every fault is a `ValueError`, also nesting that is too deep."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        # As UTF-8, not in escapes: a Chinese text is half as long on the wire, one of emoji a third.
        return json.dumps(value, **{"separators": (",", ":"), "ensure_ascii": False, **options})

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

    def __init__(self, *fields: Any, encoded_packet: object = OUTGOING, **named: Any) -> None:
        super().__init__(*fields, **named)
        if encoded_packet is not OUTGOING:
            self.decode(encoded_packet)

    def decode(self, encoded_packet: object) -> int:
        """Engine.IO hands over text, bytes, or whatever JSON value it took a message for; only text is a packet."""
        self.packet_type, self.id, self.data = packet.EVENT, None, None
        understood = isinstance(encoded_packet, str) and self._decode_text(encoded_packet)
        if not understood or self.packet_type not in FROM_CLIENTS:
            # Only an event's id waits for an acknowledgement, and no client counts that far.
            waits = self.packet_type in (packet.EVENT, packet.BINARY_EVENT) and (self.id or 0) < 2**53
            self.id = self.id if waits else None
            self.packet_type, self.namespace, self.data = packet.EVENT, NAMESPACE, None
        if self.packet_type == packet.EVENT:
            data: list[Any] = self.data if _is_event(self.data) else [REFUSED]
            name = data[0] if self.id is not None else Unacknowledged(data[0])
            self.data = [name, *data[1:]]
        return 0

    def _decode_text(self, text: str) -> bool:
        """Whether `text` is a packet without attachments. The id stays known even if what follows is not JSON."""
        try:
            attachments: int = super().decode(text)
        except (ValueError, IndexError, TypeError):
            return False
        if self.namespace is not None and not NAMESPACE_NAME.fullmatch(self.namespace):
            # The library sends it back in its refusal, which has to be possible.
            self.namespace = UNKNOWN
        return attachments == 0


def _is_event(data: object) -> TypeGuard[list[Any]]:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in (*RESERVED, REFUSED)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
