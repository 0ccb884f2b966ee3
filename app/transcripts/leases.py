"""Leases: who may do what only one may do at a time. A lease that is not renewed runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from app.transcripts.database import Database
from app.transcripts.tables import leases


class Lease(NamedTuple):
    """Who holds it, and until when (milliseconds since 1970)."""

    holder: str
    expires_at: int


class Leases:
    """The table. `is_dead`: whether a holder is known to be gone, so that nobody has to wait for its lease to end."""

    def __init__(self, database: Database, is_dead: Callable[[str], bool] = lambda _holder: False) -> None:
        self._database = database
        self._is_dead = is_dead

    def current(self, name: str, now: int) -> Lease | None:
        """The lease, if somebody holds it."""
        with self._database.reading() as connection:
            found = _read(connection, name)
        return found if found and found.expires_at > now and not self._is_dead(found.holder) else None

    def take(self, name: str, holder: str, now: int, seconds: float) -> bool:
        """Take or renew it. False: another one holds it."""
        return self._database.write(lambda connection: self.take_in(connection, name, holder, now, seconds))

    def take_in(self, connection: Connection, name: str, holder: str, now: int, seconds: float) -> bool:
        """`take` within a transaction."""
        until = Lease(holder, now + int(seconds * 1000))
        found = _read(connection, name)
        if found is None:
            connection.execute(insert(leases).values(name=name, **until._asdict()))
            return True
        if found.holder != holder and found.expires_at > now and not self._is_dead(found.holder):
            return False
        connection.execute(update(leases).where(leases.c.name == name).values(until._asdict()))
        return True

    def release(self, name: str, holder: str) -> None:
        own = (leases.c.name == name, leases.c.holder == holder)
        self._database.write(lambda connection: connection.execute(delete(leases).where(*own)))


def _read(connection: Connection, name: str) -> Lease | None:
    row = connection.execute(select(leases).where(leases.c.name == name)).first()
    return Lease(row.holder, row.expires_at) if row else None
