"""A journal in a file of the test's own, and what waits in it to be shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.outbox import Outbox
from tests.transcripts.talks import SERVICE


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture
def journal(database: Database) -> SqlJournal:
    return SqlJournal(database, owner="me")


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, "me", SERVICE)
