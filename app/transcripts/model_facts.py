"""What was found out about the model that answers, kept in the journal. It fits `app.assistants.learned.FactStore`.

The facts belong to one model of one server. When another one is asked, they are forgotten.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Connection, delete, insert, select, update

from app.transcripts.database import Database
from app.transcripts.tables import model_facts


class ModelFacts:
    """The facts about `model` at the server `address`; None is OpenAI's own. Raises `JournalError`."""

    def __init__(self, database: Database, address: str | None, model: str) -> None:
        self._database = database
        self._key = f"{_without_user(address) if address else 'OpenAI'} {model}"

    def read(self) -> dict[str, Any]:
        """The facts of earlier runs."""
        ours = select(model_facts.c.facts).where(model_facts.c.model == self._key)
        with self._database.reading() as connection:
            return dict(connection.scalar(ours) or {})

    def forget_others(self) -> None:
        """Remove the facts about every other model."""
        others = delete(model_facts).where(model_facts.c.model != self._key)
        self._database.write(lambda connection: connection.execute(others))

    def write(self, facts: dict[str, Any]) -> None:
        """Keep all facts, in the place of those that were kept before."""

        def work(connection: Connection) -> None:
            kept = update(model_facts).where(model_facts.c.model == self._key).values(facts=facts)
            if connection.execute(kept).rowcount == 0:
                connection.execute(insert(model_facts).values(model=self._key, facts=facts))

        self._database.write(work)


def _without_user(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
