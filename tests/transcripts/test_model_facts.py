"""What was found out about a model outlasts a restart, and is forgotten with the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.transcripts.database import Database
from app.transcripts.model_facts import ModelFacts

FACTS = {"no_responses": True, "replaced": {"chat": {"stream_options": None}}}


def test_facts_are_read_back_by_the_next_start(database: Database) -> None:
    assert ModelFacts(database, "http://a/v1", "m").read() == {}
    ModelFacts(database, "http://a/v1", "m").write({"no_responses": True})
    ModelFacts(database, "http://a/v1", "m").write(FACTS)
    assert ModelFacts(database, "http://a/v1", "m").read() == FACTS


@pytest.mark.parametrize(("address", "model"), [("http://b/v1", "m"), ("http://a/v1", "n"), (None, "m")])
def test_another_model_or_address_forgets_them(database: Database, address: str | None, model: str) -> None:
    ModelFacts(database, "http://a/v1", "m").write(FACTS)
    other = ModelFacts(database, address, model)
    other.forget_others()
    assert other.read() == {}
    assert ModelFacts(database, "http://a/v1", "m").read() == {}


def test_a_password_in_the_address_is_not_kept(database: Database, tmp_path: Path) -> None:
    facts = ModelFacts(database, "https://user:very-secret@a/v1", "m")
    facts.write(FACTS)
    assert facts.read() == FACTS
    database.close()
    assert b"very-secret" not in b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite3*"))
