"""What has to be looked after while nobody asks for it: once a second, in one green thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from app.chat.interfaces import Listener
from app.chat.turns import Turn
from app.errors import JournalError
from ws.forgetting import Forgetting
from ws.live import MemoryReplay
from ws.packets import NAMESPACE

log = logging.getLogger(__name__)

EVERY = 1.0
STRANGER_AFTER = 45.0
"""Seconds that a connection may take to say which namespace it wants; JavaScript's server waits as long."""


class Strangers:
    """Connections that came and never entered the chat: they would stay for as long as they answer pings."""

    def __init__(self, engine: Any, sid_of: Callable[[str, str], str | None]) -> None:
        self._engine = engine
        self._sid_of = sid_of
        self._since: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Close those that have had their time."""
        outside = [sid for sid in list(self._engine.sockets) if self._sid_of(sid, NAMESPACE) is None]
        self._since = {sid: self._since.get(sid, now) for sid in outside}
        for sid, since in self._since.items():
            connection = self._engine.sockets.get(sid)
            if connection is not None and not connection.closed and now - since >= STRANGER_AFTER:
                connection.close(wait=False)


def keep_house(
    replay: MemoryReplay, end_orphans: Callable[[], list[Turn]], listener: Listener, strangers: Strangers,
    forgetting: Forgetting,
) -> None:  # fmt: skip
    """For ever: let go of old pieces, of strangers and of what is to be erased, end the turns of neighbours that died
    and tell their clients."""
    while True:
        time.sleep(EVERY)
        try:
            replay.forget()
            strangers.look(time.monotonic())
            forgetting.look()
            for turn in end_orphans():
                listener.finished(turn)
        except JournalError:
            # It is said where it matters: by what was refused, and by /readyz.
            continue
        except Exception:
            log.exception("the housekeeping stumbled")
