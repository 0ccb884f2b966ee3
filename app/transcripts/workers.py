"""The workers that an erasure waits for: those that still know something of a subject, and the one that ships.

A worker is a server process. It notes in the data folder for which tombstones it has done its part (ws/forgetting.py);
a batch to Elasticsearch is known by the lease of who sends it (app/transcripts/outbox.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.transcripts.leases import Lease, Leases
from app.transcripts.outbox import SHIPPING
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Tombstone

Notes = Callable[[], Mapping[str, int]]
"""The server processes that live, and for each the newest tombstone that it has done its part for."""


class Workers:
    """As the journal and the data folder show them. `utc` gives milliseconds since 1970. Raises `JournalError`."""

    def __init__(self, notes: Notes, subjects: Subjects, leases: Leases, utc: Callable[[], int]) -> None:
        self._notes = notes
        self._subjects = subjects
        self._leases = leases
        self._utc = utc
        self._shipping: dict[int, Lease] = {}

    def all_told(self, tombstone: Tombstone) -> bool:
        """Whether every living one has done its part, and has no turn of the subject any more."""
        notes = self._notes()
        if any(newest < tombstone.id for newest in notes.values()):
            return False
        return not any(turn.owner in notes for turn in self._subjects.unfinished(tombstone))

    def batches_ended(self, tombstone: Tombstone) -> bool:
        """Whether no batch is under way that was begun before the tombstone stood. Later ones have nothing of it.

        Who ships renews its lease for each batch.
        """
        lease = self._leases.current(SHIPPING, self._utc())
        if lease is not None and self._shipping.setdefault(tombstone.id, lease) == lease:
            return False
        self._shipping.pop(tombstone.id, None)
        return True
