"""The time, handed to whoever needs it, so that tests can move it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, handed in: `seconds` is monotonic, `utc` is milliseconds since 1970, `sleep` takes seconds."""

    seconds: Callable[[], float] = time.monotonic
    utc: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], None] = time.sleep
