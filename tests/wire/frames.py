"""What a stream is made of, before it becomes bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One server-sent event. `name` is empty where the API sends no `event:` line; a string as data is sent as is."""

    name: str
    data: Json | str
    delta: bool = False


@dataclass(frozen=True)
class Lines:
    """Lines as they are, such as a comment or a broken event, each ended by the stream's line end."""

    text: str


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The connection is closed without an end of the body; with `reset` as a TCP reset."""

    reset: bool = False


@dataclass(frozen=True)
class End:
    """The body ends properly, here."""


Frame = Event | Lines | Pause | Cut | End

DONE = Event("", "[DONE]")
