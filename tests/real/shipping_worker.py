"""A worker that ships and does nothing else, in a process that can be killed. Its argument: the data folder."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from app import logs
from app.data_dir import DataDir
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.outage import Pace
from app.transcripts.outbox import Outbox
from app.transcripts.shipper import Shipper
from tests.transcripts.talks import SERVICE

PACE = Pace(idle=0.1, gather=0.02, between=0, first=0.05, longest=0.5, rarely=0.5)
DOCUMENTS = 40
"""Small batches: many of them, so that much can happen to them."""


class Uncounted:
    def shipped(self, kind: str, count: int) -> None: ...

    def outage(self) -> None: ...


def main(folder: str) -> None:
    logs.configure("info")
    data_dir = DataDir(Path(folder))
    with data_dir.alone():
        own_id = data_dir.new_worker()
    outbox = Outbox(Database(data_dir.path / "journal.sqlite3"), own_id, SERVICE, data_dir.is_dead)
    outbox.pending = partial(outbox.pending, max_documents=DOCUMENTS)  # type: ignore[method-assign]
    elastic = Elastic(ElasticsearchSettings())
    Shipper(outbox, elastic, Uncounted(), set_up=elastic.set_up, pace=PACE).run()


if __name__ == "__main__":
    main(sys.argv[1])
