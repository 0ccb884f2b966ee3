"""A shipper with a fake Elasticsearch and a fake clock, and everything that it has around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.chat.clock import Clock
from app.transcripts.database import Database
from app.transcripts.elastic_errors import ElasticUnavailable
from app.transcripts.journal import SqlJournal
from app.transcripts.outage import Pace
from app.transcripts.outbox import Outbox
from app.transcripts.shipper import Shipper
from tests.transcripts.fake_elastic import FakeElastic
from tests.transcripts.talks import SERVICE

DOWN = ElasticUnavailable("Elasticsearch cannot be reached")


class Bench:
    """A shipper with everything around it; `now` is the time."""

    def __init__(self, path: Path, holder: str = "me", elastic: FakeElastic | None = None) -> None:
        self.database = Database(path)
        self.database.upgrade()
        self.journal = SqlJournal(self.database, holder)
        self.outbox = Outbox(self.database, holder, SERVICE)
        self.elastic = elastic or FakeElastic()
        self.now = 1_000_000.0
        self.counted: Counter[str] = Counter()
        self.tidied = 0
        self.set_up: Callable[[], object] | None = None
        clock = Clock(lambda: self.now, lambda: int(self.now * 1000), self._sleep)
        self.shipper = Shipper(
            self.outbox, self.elastic, self, clock=clock, chance=lambda: 1.0, tidy=self._tidy,
            set_up=lambda: self.set_up() if self.set_up else None,
        )  # fmt: skip

    def shipped(self, kind: str, count: int) -> None:
        self.counted[kind] += count

    def outage(self) -> None:
        self.counted["outages"] += 1

    def rounds(self, most: int = 50) -> None:
        """Let it work until it would wait for something new."""
        for _ in range(most):
            pause = self.shipper.round()
            self.now += pause
            if pause == Pace().idle:
                return
        raise AssertionError(f"it still had something to do after {most} rounds")

    def expected(self) -> set[str]:
        """The ids of everything that is finished in the journal."""
        with self.database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT conversation_uuid || ':' || id FROM turns WHERE finished_at IS NOT NULL UNION "
                "SELECT conversation_uuid FROM turns WHERE finished_at IS NOT NULL UNION "
                "SELECT conversation_uuid || ':' || id || ':feedback:' || n FROM feedback JOIN turns ON id = turn_id"
            )
            return {row[0] for row in rows}

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _tidy(self) -> None:
        self.tidied += 1


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "journal.sqlite3")
    yield bench
    bench.database.close()
