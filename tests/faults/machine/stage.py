"""What the turn machine moves: one worker's life after the other, tabs, their connections, and the journal's file."""

from __future__ import annotations

import atexit
import itertools
import logging
import shutil
import sqlite3
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from app.transcripts.database import Database
from tests.faults.machine.green import Green, GreenThreading
from tests.faults.machine.ledger import WATCH, Ledger, Row
from tests.faults.machine.sockets import Link
from tests.faults.machine.tab import Call, Tab
from tests.faults.machine.worker import DEADLINE, Stream, Swallowed, Worker

MODULES = ("runner", "queue", "answering", "conversations")
LOGGERS = ("app.chat.recorder", "app.chat.runner", "ws.namespace")


class Stage(RuleBasedStateMachine):
    """Everything that there is, and how it is moved. What has to hold after each move stands in `promises`."""

    def __init__(self) -> None:
        super().__init__()
        self.green = Green()
        self.database, file = empty_journal()
        self.ledger = Ledger(file)
        self.patch = pytest.MonkeyPatch()
        for module in MODULES:
            self.patch.setattr(f"app.chat.{module}.threading", GreenThreading(self.green))
        ids = itertools.count(1)
        self.patch.setattr("uuid.uuid4", lambda: uuid.UUID(int=next(ids)))
        self.swallowed = Swallowed(self.ledger)
        for name in LOGGERS:
            log = logging.getLogger(name)
            self.patch.setattr(log, "propagate", False)
            log.addHandler(self.swallowed)
        self.lives: list[Worker] = []
        self.tabs: list[Tab] = []
        self.links: list[Link] = []
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.ratings: dict[str, str | None] = {}
        self.accepted_at: dict[str, float] = {}
        self.names = itertools.count(1)
        self.killing = False

    @property
    def worker(self) -> Worker:
        return self.lives[-1]

    @property
    def streams(self) -> list[Stream]:
        return [stream for worker in self.lives for stream in worker.streams]

    @property
    def open_tabs(self) -> list[Tab]:
        return [tab for tab in self.tabs if tab.open]

    @property
    def ready_tabs(self) -> list[Tab]:
        return [tab for tab in self.open_tabs if tab.ready]

    @property
    def unfinished(self) -> list[Row]:
        return [row for row in self.ledger.rows.values() if not row.state.final]

    def ready_tab(self, pick: int) -> Tab:
        return self.ready_tabs[pick % len(self.ready_tabs)]

    def open_tab_at(self, pick: int) -> Tab:
        return self.open_tabs[pick % len(self.open_tabs)]

    def turn_id(self, which: int) -> str:
        """One of all turns, the last one first, whoever's they are; or one that there is not."""
        known = sorted(self.ledger.rows, reverse=True)
        return [*known, str(uuid.UUID(int=0))][which % (len(known) + 1)]

    def tokens(self) -> list[str]:
        """One token for each conversation that a tab knows."""
        return list({tab.conversation: tab.token for tab in self.tabs if tab.conversation and tab.token}.values())

    def conversation_at_server(self, tab: Tab) -> str | None:
        client = self.worker.clients.find(tab.link.sid) if tab.link else None
        return client.identity.conversation if client else None

    def begin_life(self) -> None:
        worker = Worker(self.green, self.ledger, self.database, len(self.lives) + 1, killing=self.killing)
        self.lives.append(worker)

    def connect(self, tab: Tab) -> None:
        tab.greeted = False
        tab.link = self.worker.connect(tab.auth())
        self.links.append(tab.link)

    def disconnect(self, tab: Tab, *, noticed: bool) -> None:
        if tab.link:
            tab.link.cut()
            if noticed:
                self.worker.hang_up(tab.link)
        tab.greeted = False

    def call(self, tab: Tab, *calls: Call) -> None:
        """A tab sends; what is sent into a broken connection is lost."""
        for event, payload in calls:
            if tab.link and tab.link.up and tab.link.stands:
                self.worker.call(tab.link, event, payload)

    def hand_over(self, tab: Tab) -> None:
        assert tab.link is not None
        packet = tab.link.packets.pop(0)
        calls = tab.hear(packet)
        holes = packet.event == "assistant_message" and calls
        self.ledger.must(not (holes and tab.link.whole), f"{tab.name} has a hole on a connection that lost nothing")
        self.call(tab, *calls)

    def settle(self, hold: int = 0) -> None:
        """All run until they wait, and prompt tabs hear what there is for them."""
        late = [row for row in self.ledger.rows.values() if self.green.now - self.accepted_at[row.id] > DEADLINE]
        self.ledger.may_fail(late)
        self.green.run(hold)
        while any(tab.link and tab.link.packets for tab in self.open_tabs if tab.prompt):
            for tab in self.open_tabs:
                if tab.prompt and tab.link and tab.link.packets:
                    self.hand_over(tab)
            self.green.run()
        self.ledger.look()
        for row in self.ledger.rows.values():
            self.accepted_at.setdefault(row.id, self.green.now)
        if self.worker.journal_broken:
            self.ledger.may_fail(self.ledger.rows.values())
        self.check()

    def check(self) -> None:
        """What holds after every step."""
        raise NotImplementedError


@cache
def journal_file() -> tuple[Database, sqlite3.Connection]:
    """One file for all runs: what SQLAlchemy has learnt about its statements is worth two thirds of the time."""
    folder = tempfile.mkdtemp(prefix="turn-machine-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "journal.sqlite3"
    database = Database(path)
    database.upgrade()
    file = sqlite3.connect(path, isolation_level=None)
    file.executescript(WATCH)
    return database, file


def empty_journal() -> tuple[Database, sqlite3.Connection]:
    """The journal's file with nothing in it, and a second way to look into it."""
    database, file = journal_file()
    for table in ("feedback", "turns", "conversations", "changes"):
        file.execute(f"DELETE FROM {table}")
    return database, file
