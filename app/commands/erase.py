"""`python -m app erase`: forgets a conversation, or everything of a user, and waits until that is done.

While a server runs it does the work, and this command watches; without one it does everything itself.
"""

from __future__ import annotations

import argparse
import time
import uuid
from dataclasses import asdict

from app.assistants.choose import assistant_for, forgetful
from app.chat.clock import utc
from app.commands import Commands
from app.data_dir import DataDir
from app.errors import ChatServerError
from app.settings import Settings, load
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.eraser import waits_for
from app.transcripts.erasure import Counts, Erasure, Store
from app.transcripts.leases import Leases
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Kind, Tombstone, Tombstones, well_formed

PATIENCE = 120.0
"""Seconds; a batch to Elasticsearch whose end nobody knows is waited for up to 90 (app/transcripts/outbox.py)."""
LOOK_EVERY = 0.2


def erase(kind: Kind, subject: str, *, dry_run: bool, patience: float) -> bool:
    """Erase, and say what is going on. Whether it is done."""
    try:
        subject = well_formed(kind, subject)
        settings = load()
        folder = settings.data_dir.absolute()
        if not (folder / "journal.sqlite3").exists():
            print(f"!!  nothing was touched: there is no journal in {folder}; name its folder in DATA_DIR")
            return False
        data_dir = DataDir(settings.data_dir)
        with data_dir.alone():
            database = Database(data_dir.path / "journal.sqlite3")
            database.upgrade()
        tombstones = Tombstones(database)
        erasure = _erasure(settings, data_dir, database, tombstones)
        waiting = tombstones.open_of(kind, subject)
        if waiting is not None and not dry_run:
            print(f"erasure {waiting.id} is under way already", flush=True)
            return _see_to_its_end(waiting, erasure, tombstones, data_dir, patience)
        if not dry_run:
            erasure.check()
        counts = erasure.count(kind, subject)
        print(f"{'would erase' if dry_run else 'to erase'}: {_told(counts)}", flush=True)
        if dry_run:
            return True
        tombstone = erasure.ask(kind, subject)
    except ValueError:
        needed = "a UUID of 36 characters" if kind == "conversation" else "one line of 1 to 200 characters"
        print(f"!!  nothing was touched: {subject} is not the id of a {kind}; {needed} is needed")
        return False
    except ChatServerError as error:
        print(f"!!  nothing was touched: {error.__cause__ or error}")
        return False
    return _see_to_its_end(tombstone, erasure, tombstones, data_dir, patience)


def _erasure(settings: Settings, data_dir: DataDir, database: Database, tombstones: Tombstones) -> Erasure:
    elastic: Store | None = Elastic(settings, "erase") if settings.elasticsearch_on else None
    leases, holder = Leases(database, data_dir.is_dead), f"command {uuid.uuid4().hex}"
    assistant = forgetful(assistant_for(settings))
    return Erasure(tombstones, Subjects(database), leases, holder, data_dir.notes, utc, elastic, assistant)


def _see_to_its_end(
    tombstone: Tombstone, erasure: Erasure, tombstones: Tombstones, data_dir: DataDir, patience: float
) -> bool:
    said = ""
    deadline = time.monotonic() + patience
    while tombstone.done_at is None:
        try:
            if not data_dir.notes():
                erasure.work()
            tombstone = tombstones.get(tombstone.id) or tombstone
        except ChatServerError as error:
            said = _say(said, f"erasure {tombstone.id}: {error}")
        if tombstone.done_at is None:
            said = _say(said, f"erasure {tombstone.id} waits for {waits_for(tombstone, elastic=erasure.has_elastic)}")
            if time.monotonic() > deadline:
                print(f"!!  erasure {tombstone.id} is not done yet; it goes on by itself while a server runs")
                return False
            time.sleep(LOOK_EVERY)
    print(f"ok  erasure {tombstone.id} is done")
    return True


def _say(said: str, sentence: str) -> str:
    if sentence != said:
        print(sentence, flush=True)
    return sentence


def _told(counts: Counts) -> str:
    numbers = asdict(counts)
    if counts.documents is None:
        numbers.pop("documents")
    units = {"conversations": "conversations", "turns": "turns", "documents": "documents in Elasticsearch"}
    return ", ".join(f"{number} {units[name]}" for name, number in numbers.items())


def add(commands: Commands) -> None:
    parser = commands.add_parser("erase", help="forget a conversation, or everything of a user")
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--conversation", metavar="UUID", help="the conversation to forget")
    subject.add_argument("--user", metavar="ID", help="the user whose conversations are to be forgotten")
    parser.add_argument("--dry-run", action="store_true", help="only count what would go; nothing is touched")
    parser.add_argument(
        "--wait", type=float, default=PATIENCE, metavar="SECONDS", help="how long to wait for its end (%(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    kind: Kind = "conversation" if arguments.conversation else "user"
    subject = arguments.conversation or arguments.user
    return 0 if erase(kind, subject, dry_run=arguments.dry_run, patience=arguments.wait) else 1
