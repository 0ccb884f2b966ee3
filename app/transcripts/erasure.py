"""Erasure: takes every open tombstone through its steps, as far as that goes at the moment.

    asked          the tombstone stands: nothing of the subject is accepted any more
    told           every server process has stopped its turns, let go of its clients and of its replay buffers
    quiet          batches to Elasticsearch that were under way have ended
    journal        the rows are deleted; what the assistant has on the other side has a tombstone of its own
    elasticsearch  deleted there, and counted: none is left
    looked         and looked again a while later, for a batch that Elasticsearch itself was late with

Each step can be done twice without harm. What cannot be done now is tried again later; the assistant's objects hold
nothing else up. docs/forgetting.md says why in this order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from app.chat.interfaces import Forgetful
from app.errors import AssistantError, ChatServerError, JournalError
from app.transcripts.leases import Leases
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Elsewhere, Kind, Step, Tombstone, Tombstones
from app.transcripts.workers import Notes, Workers

log = logging.getLogger(__name__)

ERASING = "erasing"
"""The name of the lease of who works on tombstones."""
LEASE_SECONDS = 60
LOOK_AGAIN_AFTER = 120_000
"""Milliseconds after which Elasticsearch is looked at a second time: longer than a batch can be under way there."""
FIRST_PAUSE, LONGEST_PAUSE = 5_000, 300_000
"""Milliseconds between two tries of what could not be done."""
FIELDS = {"user": "user.id", "conversation": "gen_ai.conversation.id", "aged": "gen_ai.conversation.id"}


class Store(Protocol):
    """What is needed of Elasticsearch: `app.transcripts.elastic.Elastic` with the role `erase`."""

    def may_erase(self) -> None: ...

    def count(self, field: str, value: str) -> int: ...

    def count_before(self, moment: int) -> int: ...

    def erase(self, field: str, value: str) -> int: ...

    def erase_before(self, moment: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is of a subject. `documents`: in Elasticsearch; None if it is off."""

    conversations: int
    turns: int
    documents: int | None


class Erasure:
    """Works on tombstones. `holder`: this process, as it stands in leases. `utc` gives milliseconds since 1970."""

    def __init__(
        self, tombstones: Tombstones, subjects: Subjects, leases: Leases, holder: str, notes: Notes,
        utc: Callable[[], int], elastic: Store | None = None, assistant: Forgetful | None = None,
    ) -> None:  # fmt: skip
        self._tombstones = tombstones
        self._subjects = subjects
        self._leases = leases
        self._holder = holder
        self._workers = Workers(notes, subjects, leases, utc)
        self._utc = utc
        self._elastic = elastic
        self._assistant = assistant
        self._pauses: dict[tuple[int, Step], tuple[int, int]] = {}

    @property
    def has_elastic(self) -> bool:
        return self._elastic is not None

    def check(self) -> None:
        """Raise `ChatServerError` if Elasticsearch would not let us delete, or cannot be asked."""
        if self._elastic is not None:
            self._elastic.may_erase()

    def count(self, kind: Kind, subject: str) -> Counts:
        """What would go. Raises `ChatServerError`."""
        conversations, turns = self._subjects.count(kind, subject)
        documents = None
        if self._elastic is not None:
            age = kind == "age"
            documents = self._elastic.count_before(int(subject)) if age else self._elastic.count(FIELDS[kind], subject)
        return Counts(conversations, turns, documents)

    def ask(self, kind: Kind, subject: str) -> Tombstone:
        """Have a subject erased. Raises `ChatServerError`, and then nothing was touched."""
        self.check()
        tombstone = self._tombstones.bury(kind, subject, self._utc())
        log.info("%s: asked for", tombstone)
        return tombstone

    def work(self) -> None:
        """Do everything that can be done now. Raises `JournalError`."""
        waiting = self._tombstones.open()
        again = self._tombstones.unlooked(self._utc() - LOOK_AGAIN_AFTER)
        # Done while Elasticsearch was switched off: it may have documents all the same.
        owed = self._tombstones.owed() if self._elastic is not None else []
        if not (waiting or again or owed) or not self._take_lease():
            return
        age = any(tombstone.kind == "age" for tombstone in waiting)
        # First what is elsewhere: what it belongs to is done after it.
        for tombstone in sorted(waiting, key=lambda one: one.kind != "there"):
            self._take_lease()
            self._advance(tombstone, age)
        for tombstone in owed:
            self._try(tombstone, self._erase)
        for tombstone in again:
            self._try(tombstone, self._look_again)
        self._leases.release(ERASING, self._holder)

    def _take_lease(self) -> bool:
        return self._leases.take(ERASING, self._holder, self._utc(), LEASE_SECONDS)

    def _advance(self, tombstone: Tombstone, age: bool) -> None:
        if tombstone.kind == "there":
            self._try(tombstone, self._forget)
            return
        tombstone = self._all_aged(tombstone) if tombstone.kind == "age" else self._until_journal(tombstone)
        # What an age has found is looked for in Elasticsearch as a whole.
        if tombstone.step is Step.JOURNAL and not (tombstone.kind == "aged" and age):
            tombstone = self._try(tombstone, self._erase)
        last = Step.ELASTICSEARCH if self._elastic is not None else Step.JOURNAL
        if not tombstone.before(last) and not self._is_elsewhere(tombstone):
            self._finish(tombstone)

    def _until_journal(self, tombstone: Tombstone) -> Tombstone:
        if tombstone.step is Step.ASKED and self._workers.all_told(tombstone):
            tombstone = self._done(tombstone, Step.TOLD)
        if tombstone.step is Step.TOLD and self._workers.batches_ended(tombstone):
            tombstone = self._done(tombstone, Step.QUIET)
        while tombstone.step is Step.QUIET:
            left = self._subjects.delete(tombstone, self._utc())
            if left.step is Step.QUIET and self._tombstones.get(tombstone.id) != tombstone:
                break
            tombstone = left
        return tombstone

    def _all_aged(self, age: Tombstone) -> Tombstone:
        """A portion of what is too old gets tombstones; when there is no more, and those are done, it is our turn."""
        moment = int(age.subject)
        if not age.before(Step.JOURNAL):
            return age
        if any(one.kind == "aged" and one.before(Step.JOURNAL) for one in self._tombstones.open()):
            return age
        if self._subjects.bury_aged(moment, self._utc()):
            return age
        # Elasticsearch must not take a conversation that goes on for one that is over.
        if self._elastic is not None and self._subjects.unshipped_before(moment):
            return age
        return self._done(age, Step.JOURNAL)

    def _forget(self, tombstone: Tombstone) -> Tombstone:
        there = Elsewhere.of(tombstone)
        why = ""
        if self._assistant is None or self._assistant.name != there.assistant:
            why = "another assistant made it"
        else:
            try:
                self._assistant.forget(there.thread_id, there.responses)
            except AssistantError as error:
                if not error.no_such_route:
                    raise
                why = "that server cannot delete it"
        if why:
            log.warning("erasure %d: %s of %s stays there: %s", there.erasure, there.thread_id, there.assistant, why)
        after = replace(tombstone, step=Step.LOOKED, done_at=self._utc())
        return after if self._tombstones.save(tombstone, after) else tombstone

    def _erase(self, tombstone: Tombstone) -> Tombstone:
        documents = self._erase_there(tombstone)
        if documents is None:
            return tombstone
        log.info("%s: %d documents deleted in Elasticsearch, none is left", tombstone, documents)
        return self._done(tombstone, Step.ELASTICSEARCH)

    def _look_again(self, tombstone: Tombstone) -> Tombstone:
        late = self._erase_there(tombstone)
        if late is None:
            return tombstone
        if late:
            log.warning("%s: %d documents had come late to Elasticsearch and were deleted", tombstone, late)
        return self._done(tombstone, Step.LOOKED)

    def _erase_there(self, tombstone: Tombstone) -> int | None:
        self._subjects.scrub()
        if self._elastic is None:
            return None
        if tombstone.kind == "age":
            return self._elastic.erase_before(int(tombstone.subject))
        return self._elastic.erase(FIELDS[tombstone.kind], tombstone.subject)

    def _is_elsewhere(self, tombstone: Tombstone) -> bool:
        there = [Elsewhere.of(one) for one in self._tombstones.open() if one.kind == "there"]
        return any(one.erasure == tombstone.id for one in there)

    def _finish(self, tombstone: Tombstone) -> None:
        now = self._utc()
        if tombstone.kind == "age":
            done = self._tombstones.finish_age(tombstone, now)
        else:
            done = self._tombstones.save(tombstone, replace(tombstone, done_at=now))
        if done:
            log.info("%s: done, %.1f s after it was asked for", tombstone, (now - tombstone.asked_at) / 1000)

    def _done(self, tombstone: Tombstone, step: Step) -> Tombstone:
        """Write that a step is done. The tombstone as it was if somebody else has worked on it."""
        after = replace(tombstone, step=step)
        return after if self._tombstones.save(tombstone, after) else tombstone

    def _try(self, tombstone: Tombstone, work: Callable[[Tombstone], Tombstone]) -> Tombstone:
        """What others have to do for us: unless it failed a moment ago, and after each failure a little later."""
        key = (tombstone.id, tombstone.step)
        not_before, pause = self._pauses.get(key, (0, FIRST_PAUSE))
        if self._utc() < not_before:
            return tombstone
        try:
            after = work(tombstone)
        except JournalError:
            raise
        except ChatServerError as error:
            if key not in self._pauses:
                log.error("%s: %s; it is tried again", tombstone, getattr(error, "detail", "") or error)
            self._pauses[key] = self._utc() + pause, min(pause * 2, LONGEST_PAUSE)
            return tombstone
        self._pauses.pop(key, None)
        return after
