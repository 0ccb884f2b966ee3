"""Puts the shipper together: outbox, Elasticsearch with its keys, and the pruning of what is confirmed and old."""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.chat.clock import utc
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.outbox import Outbox
from app.transcripts.pruning import prune
from app.transcripts.records import Service
from app.transcripts.shipper import Progress, Shipper

log = logging.getLogger(__name__)

DAY_MS = 86_400_000


def shipper_for(
    settings: ElasticsearchSettings, database: Database, holder: str, service: Service, progress: Progress,
    is_dead: Callable[[str], bool],
) -> Shipper:  # fmt: skip
    """The shipper of this worker, `holder`. Connects to nothing yet."""

    def tidy() -> None:
        if settings.journal_keep_days is not None:
            before = utc() - int(settings.journal_keep_days * DAY_MS)
            if pruned := prune(database, before):
                log.info("%d conversations left the journal; Elasticsearch has them", pruned)

    outbox = Outbox(database, holder, service, is_dead)
    set_up = Elastic(settings, "setup").set_up
    return Shipper(outbox, Elastic(settings), progress, set_up=set_up, tidy=tidy)
