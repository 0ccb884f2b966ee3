"""Erasure and the shipper's batches in any order: what was erased is nowhere in the end, and the rest is everywhere."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.identity import Identity, new_identity
from app.errors import ChatError
from app.transcripts import outbox, records
from app.transcripts.tombstones import Kind
from tests.transcripts.forgotten import World

LATE_BY_AT_MOST = 60_000
"""Milliseconds after which Elasticsearch has done or dropped what a call gave up on."""

SHIPPER = ("begin", "arrive", "settle", "fail", "die")
BEFORE = st.lists(st.sampled_from(("victim talks", "other talks", *SHIPPER, "nap")), max_size=6)
AFTER = st.lists(
    st.sampled_from(("other talks", "victim returns", "erase", *SHIPPER, "work", "work", "work", "nap", "wait")),
    max_size=14,
)


class Race:
    """A journal, Elasticsearch, one shipper and one eraser; each action is a step of one of them."""

    def __init__(self, path: Path, kind: str) -> None:
        self.world = World(path)
        self.world.workers = {"me": 0}
        self.kind: Kind = "conversation" if kind == "conversation" else "user"
        signed_in = kind == "signed-in user"
        self.victim, self.other = new_identity("ada@example.com" if signed_in else None), new_identity()
        self.returned = self.victim.in_new_conversation() if signed_in else None
        self.has_returned = False
        self.outbox = outbox.Outbox(self.world.database, "w", records.Service("chat", "1", "demo", None))
        self.batch: list[Any] | None = None
        self.arrived: list[Any] = []
        self.late: list[tuple[int, list[Any]]] = []
        self.talks = 0
        self.asked = False

    def do(self, action: str) -> None:
        getattr(self, "_" + action.replace(" ", "_"))()

    def finish(self) -> None:
        """Everything that is under way comes to its end."""
        self._settle()
        for _, entries in self.late:
            self._write(entries)
        self.late = []
        for _ in range(4):
            self._begin()
            self._settle()
            self.world.work(rounds=3)
            self.world.now += 400_000
        self.world.work(rounds=3)

    def _victim_talks(self) -> None:
        self._talk(self.victim)

    def _victim_returns(self) -> None:
        """Under the same id, which only a signed-in user has again; once everything before is forgotten."""
        if self.returned and not self.world.tombstones.covers(self.returned):
            self._talk(self.returned)
            self.has_returned = True

    def _other_talks(self) -> None:
        self._talk(self.other)

    def _talk(self, identity: Identity) -> None:
        self.talks += 1
        index, self.world.index.add = self.world.index.add, lambda _turn: None  # type: ignore[method-assign]
        try:
            self.world.talks(identity, f"text-{self.talks}")
        except ChatError:
            assert (self.asked, identity) == (True, self.victim)
        finally:
            self.world.index.add = index  # type: ignore[method-assign]

    def _begin(self) -> None:
        if self.batch is None:
            self.batch, self.arrived = self.outbox.begin(self.outbox.pending(), self.world.now), []

    def _arrive(self) -> None:
        if self.batch:
            self._write(self.batch)
            self.arrived = self.batch

    def _settle(self) -> None:
        if self.batch is not None:
            self._arrive()
            self.outbox.settle(self.batch, [], self.world.now)
            self.batch = None

    def _fail(self) -> None:
        if self.batch is not None:
            self.late.append((self.world.now, self.batch))
            self.outbox.leave(self.batch)
            self.batch = None

    def _die(self) -> None:
        if self.batch is not None:
            self.late.append((self.world.now, self.batch))
            self.batch = None

    def _erase(self) -> None:
        self.asked = True
        identity = self.victim
        if self.has_returned:
            # It would be for what was said since, too.
            return
        subject = identity.conversation if self.kind == "conversation" else identity.user_id
        self.world.erasure.ask(self.kind, subject)

    def _work(self) -> None:
        self.world.work(rounds=1)

    def _wait(self) -> None:
        self._pass(91_000)

    def _nap(self) -> None:
        self._pass(1)

    def _pass(self, milliseconds: int) -> None:
        self.world.now += milliseconds
        due = [entries for at, entries in self.late if at + LATE_BY_AT_MOST <= self.world.now]
        self.late = [(at, entries) for at, entries in self.late if entries not in due]
        for entries in due:
            self._write(entries)

    def _write(self, entries: list[Any]) -> None:
        for entry in entries:
            where = (entry.subject.conversation, entry.subject.user_id, self.world.now)
            self.world.index.documents.setdefault(entry.document.id, where)


@pytest.mark.parametrize("kind", ["conversation", "user", "signed-in user"])
@settings(max_examples=60)
@given(before=BEFORE, after=AFTER)
def test_nothing_of_the_erased_comes_back_whatever_the_order(kind: str, before: list[str], after: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        race = Race(Path(folder), kind)
        for action in ["victim talks", "other talks", "begin", *before, "erase", *after]:
            race.do(action)
        race.finish()
        world = race.world
        assert world.traces(race.victim) == []
        assert not world.tombstones.open()
        for kept in [race.other, *([race.returned] if race.returned and race.has_returned else [])]:
            assert "journal" in world.traces(kept)
            mine = [where for where in world.index.documents.values() if where[0] == kept.conversation]
            turns, _ = world.journal.turns(kept.conversation, limit=100, max_bytes=10**6)
            # One for the beginning, and for each turn itself and its rating.
            assert len(mine) == 1 + 2 * len(turns)
        world.database.close()


def test_a_worker_that_was_away_for_longer_than_its_lease_brings_nothing_back(tmp_path: Path) -> None:
    race = Race(tmp_path, "user")
    for action in ("victim talks", "begin", "erase", "wait", "work", "work"):
        race.do(action)
    assert race.world.traces(race.victim) == []
    race.do("settle")
    assert race.world.traces(race.victim) == ["elasticsearch"]
    race.do("work")
    assert race.world.traces(race.victim) == []
