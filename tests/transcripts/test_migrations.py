"""The schema: made by migrations, equal to what the code expects, upgradable from every release."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.chat.identity import Identity
from app.errors import JournalError
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.past import PastConversations
from app.transcripts.tables import metadata

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql"))
"""Journals of every schema that was released, dumped with some content by `sqlite3 journal.sqlite3 .dump`."""


def test_the_migrations_make_what_the_code_expects(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    before = _schema(tmp_path / "journal.sqlite3")
    database.upgrade()
    assert _schema(tmp_path / "journal.sqlite3") == before != []


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_a_journal_of_an_earlier_release_is_upgraded_with_its_content(release: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with sqlite3.connect(path) as old:
        old.executescript(release.read_text(encoding="utf-8"))
        rows = old.execute("SELECT id, conversation_uuid, text, answer FROM turns").fetchall()
    database = Database(path)
    database.upgrade()
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    journal = SqlJournal(database, "me")
    assert rows
    for turn_id, conversation, text, answer in rows:
        turn = journal.turn(conversation, turn_id)
        assert turn is not None
        assert (turn.text, turn.answer) == (text, answer)


def test_what_an_earlier_release_kept_is_no_signed_in_users(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with sqlite3.connect(path) as old:
        old.executescript(next(one for one in RELEASES if "0004" in one.name).read_text(encoding="utf-8"))
        rows = old.execute("SELECT uuid, user_id, by_client FROM conversations").fetchall()
    database = Database(path)
    database.upgrade()
    journal, past = SqlJournal(database, "me"), PastConversations(database)
    assert rows
    for conversation, user_id, by_client in rows:
        assert journal.owner_of(conversation) == Identity(conversation, user_id, bool(by_client), signed_in=False)
        assert past.of(user_id) == ([], False)


def test_a_journal_of_a_newer_version_is_refused_with_that_reason(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    with sqlite3.connect(tmp_path / "journal.sqlite3") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError) as refused:
        database.upgrade()
    assert "newer version" in str(refused.value.__cause__)


def test_there_is_a_release_to_upgrade_from() -> None:
    assert RELEASES


def _schema(path: Path) -> list[tuple[str]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
