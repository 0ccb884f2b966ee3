"""The time, handed to whoever needs it, so that tests can move it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def utc() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, handed in: `seconds` is monotonic, `utc` is milliseconds since 1970, `sleep` takes seconds."""

    seconds: Callable[[], float] = time.monotonic
    utc: Callable[[], int] = utc
    sleep: Callable[[float], None] = time.sleep
