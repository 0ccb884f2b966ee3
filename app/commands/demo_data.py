"""`python -m app demo-data N`: N made-up conversations in the journal, to look at the viewer and the dashboard with.

Their user ids begin with `de300000-`, by which `--remove` finds them again. A server may be running meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time

from app.chat.clock import utc
from app.commands import Commands
from app.commands.demo_conversations import USER_PREFIX, conversations
from app.data_dir import DataDir
from app.errors import ChatServerError, JournalError
from app.settings import load
from app.transcripts.database import Database
from app.transcripts.whole_rows import count_others, put_in, take_out

OWNER = "demo-data"
PATIENCE = 60.0
"""Seconds that it waits for a busy server on the same file; nobody waits for it."""
REAL_ONES = (
    "DATA_DIR: its journal has real conversations ({}), and made-up ones beside them would change every figure. "
    "Write another folder in DATA_DIR, or give --force (they can be told apart and taken out again by --remove)"
)


def run(arguments: argparse.Namespace) -> int:
    """Write conversations, or take them out. The exit code."""
    try:
        database = _open()
        print(_remove(database) if arguments.remove else _write(database, arguments))
    except JournalError as error:
        there = "UNIQUE" in str(error.__cause__)
        what = "those of this --seed are there already; give another one, or --remove" if there else error.__cause__
        return _fail(f"the journal: {what or error}")
    except ChatServerError as error:
        return _fail(str(error))
    return 0


def _open() -> Database:
    data_dir = DataDir(load().data_dir)
    with data_dir.alone():
        database = Database(data_dir.path / "journal.sqlite3", PATIENCE)
        database.upgrade()
    return database


def _write(database: Database, arguments: argparse.Namespace) -> str:
    real = count_others(database, USER_PREFIX)
    if real and not arguments.force:
        raise ChatServerError(REAL_ONES.format(real))
    begun = time.monotonic()
    made = conversations(arguments.count, arguments.seed, utc())
    turns = put_in(database, made, OWNER)
    return f"{arguments.count} conversations with {turns} turns in {time.monotonic() - begun:.1f} s"


def _remove(database: Database) -> str:
    return f"{take_out(database, USER_PREFIX)} made-up conversations removed from the journal"


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("write a whole number from 1 to 1000000")
    return int(text)


def add(commands: Commands) -> None:
    parser = commands.add_parser("demo-data", help="write made-up conversations into the journal, to look at")
    parser.add_argument("count", nargs="?", type=_count, default=500, help="how many conversations (500)")
    parser.add_argument("--seed", type=int, default=1, help="another number makes other conversations (1)")
    parser.add_argument("--force", action="store_true", help="also beside real conversations")
    parser.add_argument("--remove", action="store_true", help="take all made-up conversations out again")
    parser.set_defaults(run=run)
