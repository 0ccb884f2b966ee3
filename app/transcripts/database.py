"""The journal's database: SQLite in one file, opened, upgraded, written to by one green thread at a time.

SQLite is not green: a statement holds the whole worker for its short time, and a green thread that waited
inside a write transaction would block every other writer until the file's lock times out. So nothing inside
`writing` may wait, the file's own lock is waited for by polling, and a transaction is one short block.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from app.errors import JournalError

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_TIMEOUT = 0.02
"""Seconds that SQLite itself may wait for the file's lock, with the worker held. The rest is waited green."""
UNKEPT = "Messages cannot be kept at the moment."
PATIENCE = 3.0
"""Seconds that a visitor may be kept waiting by a lock that somebody else holds."""

Result = TypeVar("Result")


class Database:
    """The open database. Every method raises `JournalError` when the file cannot be read or written.

    `patience`: seconds after which a lock that somebody else holds is an error.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._patience = patience
        url = f"sqlite:///{path}"
        # Private: what people wrote is not for the machine's other users.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._reader = _engine(url)
        self._writer = _engine(url)
        event.listen(self._writer, "begin", _begin_immediate)
        self._one_writer = threading.Lock()

    def upgrade(self) -> None:
        """Bring the schema to this version's. Safe to repeat; the caller sees to it that one process does it."""
        self._until_unlocked(self._upgrade)

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with _translated(), self._writer.connect() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                newer = "it was written by a newer version of this server"
                raise JournalError(UNKEPT, transient=False) from ValueError(newer)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction. `work` may be run again when the file is locked by another process."""

        def once() -> Result:
            with _translated(), self._one_writer, self._writer.begin() as connection:
                return work(connection)

        return self._until_unlocked(once)

    def _until_unlocked(self, attempt: Callable[[], Result]) -> Result:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return attempt()
            except JournalError as error:
                if not error.transient or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with _translated(), self._reader.connect() as connection:
            yield connection

    def scrub(self) -> None:
        """Move everything from the write-ahead log into the file and empty the log: it has earlier versions of rows.

        Does nothing while somebody reads an earlier state.
        """
        with _translated(), self._one_writer, self._reader.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """The border: what the database library raises becomes ours here."""
    try:
        yield
    except OperationalError as error:
        locked = "locked" in str(error.orig) or "busy" in str(error.orig)
        raise JournalError(UNKEPT + " Please try again shortly." * locked, transient=locked) from error
    except DBAPIError as error:
        raise JournalError(UNKEPT, transient=False) from error
    except SQLAlchemyError as error:
        raise JournalError(UNKEPT, transient=False) from error


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, pool_size=5, max_overflow=50)
    event.listen(engine, "connect", _on_connect)
    return engine


def _on_connect(connection: Any, _record: object) -> None:
    # Transactions are begun by SQLAlchemy's `begin` event, not by the driver's guess.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A power cut may cost the last moments, a kill costs nothing; FULL would wait for the disk at every write.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten, not only unlinked: docs/forgetting.md.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # Take the write lock at the start: a transaction that read first could not get it later.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
