"""Puts together what is kept: the journal, the shipper that takes it to Elasticsearch, and who has it erased.

It connects to nothing but the journal: Elasticsearch may be down, or not be there at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.assistants.choose import forgetful
from app.chat.clock import utc
from app.chat.identity import Identity
from app.chat.interfaces import Assistant
from app.chat.turns import Turn, TurnState
from app.data_dir import DataDir
from app.settings import Settings
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.eraser import Eraser
from app.transcripts.erasure import Erasure
from app.transcripts.journal import SqlJournal
from app.transcripts.leases import Leases
from app.transcripts.records import Service
from app.transcripts.shipper import Shipper
from app.transcripts.shipping import shipper_for
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Tombstones
from app.transcripts.waiting import MOMENTS
from app.web.metrics import Metrics

log = logging.getLogger(__name__)

DAY = 86_400


@dataclass(frozen=True)
class Keeping:
    """What a worker keeps, and who looks after it. `shipper`: only with Elasticsearch."""

    data_dir: DataDir
    database: Database
    journal: SqlJournal
    tombstones: Tombstones
    subjects: Subjects
    eraser: Eraser
    shipper: Shipper | None
    elastic: Elastic | None

    def end_orphans(self) -> list[Turn]:
        """End the turns of workers that died as interrupted, with the texts that were kept. Those turns."""
        return end_orphans(self.data_dir, self.journal)

    def note(self, tombstone: int) -> None:
        """Let other processes know for which tombstones this one has done its part."""
        self.data_dir.note(self.journal.owner, tombstone)

    @property
    def background(self) -> list[Callable[[], None]]:
        """What runs for ever beside the chat, each in a green thread."""
        return [self.eraser.run, *([self.shipper.run] if self.shipper else [])]

    def archived(self, conversation: str) -> dict[str, Any] | None:
        """A conversation that the journal does not have any more, unless it is being erased."""
        found = self.elastic.conversation(conversation) if self.elastic else None
        # As if signed in: what is there after a user's erasure is done, was written later.
        if found is None or self.tombstones.covers(Identity(conversation, str(found["user_id"]), signed_in=True)):
            return None
        return found


def keep(
    settings: Settings, data_dir: DataDir, database: Database, journal: SqlJournal, assistant: Assistant,
    metrics: Metrics,
) -> Keeping:  # fmt: skip
    """Everything that belongs to the journal."""
    tombstones, subjects = Tombstones(database), Subjects(database)
    elastic = Elastic(settings) if settings.elasticsearch_on else None
    store = Elastic(settings, "erase") if settings.elasticsearch_on else None
    erasure = Erasure(
        tombstones, subjects, Leases(database, data_dir.is_dead), journal.owner, data_dir.notes, utc, store,
        forgetful(assistant),
    )  # fmt: skip
    eraser = Eraser(erasure, tombstones, utc, settings.retention_days, int((settings.token_days + 1) * DAY) * 1000)
    shipper = _shipper(settings, data_dir, database, journal, metrics) if settings.elasticsearch_on else None
    return Keeping(data_dir, database, journal, tombstones, subjects, eraser, shipper, elastic)


def open_journal(data_dir: DataDir, metrics: Metrics) -> tuple[Database, SqlJournal]:
    """The journal, upgraded, with the turns of dead workers ended as interrupted."""
    with data_dir.alone():
        database = Database(data_dir.path / "journal.sqlite3")
        database.upgrade()
        own_id = data_dir.new_worker()
        journal = SqlJournal(database, own_id)
        ended = end_orphans(data_dir, journal)
        metrics.turns.labels(TurnState.INTERRUPTED).inc(len(ended))
        data_dir.sweep()
    if data_dir.neighbours(own_id):
        log.warning("another server uses this DATA_DIR: an answer is seen only by clients of the server that makes it")
    return database, journal


def end_orphans(data_dir: DataDir, journal: SqlJournal) -> list[Turn]:
    dead = data_dir.dead_workers(journal.owners_of_unfinished())
    ended = journal.interrupt(dead, utc()) if dead else []
    if ended:
        log.warning("%d turns of a worker that died are interrupted; their texts are kept", len(ended))
    return ended


def _shipper(
    settings: Settings, data_dir: DataDir, database: Database, journal: SqlJournal, metrics: Metrics
) -> Shipper:
    """The shipper, woken by the journal and watched by the metrics. It does nothing before it is run."""
    provider = "demo" if settings.who_answers == "demo" else "openai"
    service = Service("assistant-chat-server", __version__, provider, settings.assistant_id, settings.chat_model)
    shipper = shipper_for(settings, database, journal.owner, service, metrics, data_dir.is_dead)
    journal.changed = shipper.wake
    for kind in MOMENTS:
        metrics.shipped(kind, 0)
    metrics.watch("chat_outbox_waiting", "Records that wait for Elasticsearch.", lambda: shipper.depth().waiting)
    metrics.watch("chat_outbox_refused", "Records that Elasticsearch refused.", lambda: shipper.depth().refused)
    metrics.watch("chat_outbox_oldest_seconds", "How long the oldest record has waited.", shipper.oldest_seconds)
    return shipper
