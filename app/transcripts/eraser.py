"""Who has things erased: the operator, through a command or over HTTP, and `RETENTION_DAYS`. One thread does it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app.errors import ChatServerError, JournalError
from app.transcripts.erasure import Erasure
from app.transcripts.tombstones import Kind, Step, Tombstone, Tombstones, well_formed

log = logging.getLogger(__name__)

EVERY = 1.0
HOURLY = 3600.0
DAY = 86_400_000
ANSWER_WITHIN = 20.0
"""Seconds that an HTTP request for an erasure waits for its end."""

WAITS_FOR = {
    Step.ASKED: "the server to stop its answers and to let go of it",
    Step.TOLD: "batches that are on their way to Elasticsearch",
    Step.QUIET: "the journal",
    Step.JOURNAL: "Elasticsearch",
}
"""What comes after each step, in words for an operator."""
ELSEWHERE = "the assistant's side to delete what it has"


class Eraser:
    """`retention_days`: conversations that were quiet for longer are erased; None keeps them.

    `keep_aged`: milliseconds after which nobody can name such a conversation any more.
    """

    def __init__(
        self, erasure: Erasure, tombstones: Tombstones, utc: Callable[[], int],
        retention_days: float | None = None, keep_aged: int = 0,
    ) -> None:  # fmt: skip
        self._erasure = erasure
        self._tombstones = tombstones
        self._utc = utc
        self._retention_days = retention_days
        self._keep_aged = keep_aged
        self._wanted = threading.Event()

    def erase(self, kind: str, subject: str, dry_run: bool, patience: float = ANSWER_WITHIN) -> dict[str, Any]:
        """Erase everything of an id, or only count it. What an operator is told; `done` is false if it goes on.

        Raises `ValueError` for what is no id, `ChatServerError` if nothing was touched.
        """
        subject = well_formed(kind, subject)
        this: Kind = "user" if kind == "user" else "conversation"
        if dry_run:
            return {"dry_run": True, **asdict(self._erasure.count(this, subject))}
        tombstone = self._tombstones.open_of(this, subject)
        counts: dict[str, Any] = {}
        if tombstone is None:
            self._erasure.check()
            counts = asdict(self._erasure.count(this, subject))
            tombstone = self._erasure.ask(this, subject)
        self._wanted.set()
        end = self.watch(tombstone, patience)
        answer = {"erasure": end.id, "done": end.done_at is not None, **counts}
        return answer if answer["done"] else answer | {"waits_for": waits_for(end, elastic=self._erasure.has_elastic)}

    def watch(self, tombstone: Tombstone, patience: float) -> Tombstone:
        """Wait for the end of an erasure, `patience` seconds at most. The tombstone as it stands then."""
        deadline = time.monotonic() + patience
        while tombstone.done_at is None and time.monotonic() < deadline:
            time.sleep(0.05)
            tombstone = self._tombstones.get(tombstone.id) or tombstone
        return tombstone

    def run(self) -> None:
        """For ever: work on what is to be erased. For a green thread of its own."""
        look_at = time.monotonic()
        while True:
            try:
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + HOURLY
                    self.look()
                self._erasure.work()
            except JournalError:
                # It is said where it matters: by what was refused, and by /readyz.
                pass
            except Exception:
                log.exception("an erasure stumbled; it is tried again")
            self._wanted.wait(EVERY)
            self._wanted.clear()

    def look(self) -> None:
        """Have what is older than `RETENTION_DAYS` erased. To be called now and then."""
        if self._retention_days is None or any(tombstone.kind == "age" for tombstone in self._tombstones.open()):
            return
        moment = str(self._utc() - int(self._retention_days * DAY))
        try:
            self._erasure.check()
            counts = self._erasure.count("age", moment)
            if counts.conversations or counts.documents:
                self._erasure.ask("age", moment)
        except JournalError:
            raise
        except ChatServerError as error:
            log.error("RETENTION_DAYS: nothing can be erased at the moment: %s", error)
            return
        self._tombstones.purge(self._utc() - self._keep_aged)


def waits_for(tombstone: Tombstone, *, elastic: bool) -> str:
    """What an erasure that is not done waits for. `elastic`: whether there is one."""
    if tombstone.step is Step.JOURNAL and not elastic:
        return ELSEWHERE
    return WAITS_FOR.get(tombstone.step, ELSEWHERE)
