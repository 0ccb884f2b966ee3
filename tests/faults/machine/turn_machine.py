"""Random interleavings of everything that tabs, the assistant, the network and the process can do to turns.

The house is the real one, from the namespace down to the journal's file; sockets, threads and time are the
test's (`green`, `sockets`, `worker`). A rule does one thing and lets everybody run until they wait; with
`hold` one of them is stopped in its middle, and `go_on` lets it continue later.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import shutil
import sqlite3
import sys
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.chat.interfaces import Delta, Finished, Status, Trace
from app.chat.turns import TurnState
from app.errors import AssistantError, Code
from app.transcripts.database import Database
from tests.faults.machine.green import Green, GreenThreading
from tests.faults.machine.ledger import WATCH, Ledger, Row
from tests.faults.machine.sockets import Link
from tests.faults.machine.tab import Call, Tab
from tests.faults.machine.worker import (
    CUT,
    DEADLINE,
    MAX_RUNNING,
    TURN_QUEUE,
    PlannedFault,
    Step,
    Stream,
    Swallowed,
    Worker,
)

MODULES = ("runner", "queue", "answering", "conversations")
LOGGERS = ("app.chat.runner", "ws.namespace")
MOST_TURNS = 14
"""Turns of a conversation: fewer than one `session` lists."""

picks = st.integers(0, 5)
holds = st.one_of(st.just(0), st.just(0), st.integers(0, 24))
"""The point at which somebody is held; 0: nobody."""
acts = st.sampled_from(
    ["reload", "cut", "send", "send again", "stop", "resume", "time", "piece", "pieces", "end"],
)
ACTS_OF_THE_ASSISTANT: dict[str, list[Step]] = {
    "piece": [Delta("p")],
    "pieces": [Delta("q"), Delta("r")],
    "end": [Finished()],
}
TEXTS = ("Hello ", "you. ", "[1]", "【4:0†a.pdf】", "【4:0", "†b.pdf】 ", "\n")
steps = st.one_of(
    st.sampled_from(TEXTS).map(Delta),
    st.sampled_from(
        [
            Finished(),
            Status("tool", "search"),
            Trace("thread", "run", "request"),
            Finished("truncated"),
            Finished("complete", "another text"),
            Finished("truncated", "Hello "),
            AssistantError(Code.ASSISTANT_BUSY, "busy"),
            PlannedFault("a bug"),
            CUT,
        ]
    ),
)


class TurnMachine(RuleBasedStateMachine):
    """The chat with its visitors. Everything random comes from the rules' arguments."""

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

    @initialize(killing=st.booleans())
    def start(self, killing: bool) -> None:
        self.killing = killing
        self.begin_life()
        self.tabs.append(Tab("tab 1"))
        self.connect(self.tabs[0])
        self.settle()
        self.begin_to_say(self.tabs[0])
        self.settle()

    # Tabs ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.open_tabs) < 5)
    @rule(pick=picks, same=st.booleans(), hold=holds)
    def open_tab(self, pick: int, same: bool, hold: int) -> None:
        tokens = [tab.token for tab in self.tabs if tab.token] if same else []
        tab = Tab(f"tab {len(self.tabs) + 1}", tokens[pick % len(tokens)] if tokens else None)
        self.tabs.append(tab)
        self.connect(tab)
        self.settle(hold)

    @precondition(lambda self: self.ready_tabs)
    @rule(pick=picks, hold=holds)
    def send(self, pick: int, hold: int) -> None:
        self.begin_to_say(self.ready_tab(pick))
        self.settle(hold)

    def begin_to_say(self, tab: Tab) -> None:
        if tab.outgoing is None and len(self.ledger.of(tab.conversation or "")) < MOST_TURNS:
            name = next(self.names)
            tab.outgoing = {"text": f"message {name}", "client_id": f"c{name}"}
            self.messages.append((tab.conversation or "", tab.outgoing))
            self.call(tab, ("user_message", tab.outgoing))

    @precondition(lambda self: self.ready_tabs)
    @rule(pick=picks, hold=st.integers(1, 24))
    def send_twice_at_once(self, pick: int, hold: int) -> None:
        """The repeat of a message arrives in the middle of the message."""
        tab = self.ready_tab(pick)
        self.begin_to_say(tab)
        self.settle(hold)
        if tab.outgoing:
            self.call(tab, ("user_message", tab.outgoing))
        self.settle()

    @precondition(lambda self: self.ready_tabs and self.messages)
    @rule(pick=picks, which=st.integers(0, 20), other_text=st.booleans(), times=st.integers(1, 2), hold=holds)
    def send_again(self, pick: int, which: int, other_text: bool, times: int, hold: int) -> None:
        tab = self.ready_tab(pick)
        mine = [message for conversation, message in self.messages if conversation == tab.conversation]
        if mine:
            message = mine[-1 - which % len(mine)]
            for _ in range(times):
                self.call(tab, ("user_message", {**message, "text": "other"} if other_text else message))
            self.settle(hold)

    @precondition(lambda self: self.ready_tabs and self.unfinished)
    @rule(pick=picks, which=st.one_of(st.none(), st.integers(0, 20)), twice=st.booleans(), hold=holds)
    def stop(self, pick: int, which: int | None, twice: bool, hold: int) -> None:
        tab = self.ready_tab(pick)
        payload = {} if which is None else {"turn_id": self.turn_id(which)}
        for _ in range(1 + twice):
            self.call(tab, ("stop", payload))
        self.settle(hold)

    @precondition(lambda self: self.ready_tabs and self.ledger.rows)
    @rule(pick=picks, which=st.integers(0, 20), after=st.integers(-1, 12), hold=holds)
    def resume(self, pick: int, which: int, after: int, hold: int) -> None:
        self.call(self.ready_tab(pick), ("resume", {"turn_id": self.turn_id(which), "after_seq": after}))
        self.settle(hold)

    @precondition(lambda self: self.ready_tabs and self.ledger.rows)
    @rule(pick=picks, which=st.integers(0, 20), rating=st.sampled_from(["up", "down", None]))
    def feedback(self, pick: int, which: int, rating: str | None) -> None:
        tab, turn_id = self.ready_tab(pick), self.turn_id(which)
        self.call(tab, ("feedback", {"turn_id": turn_id, "rating": rating}))
        self.settle()
        row = self.ledger.rows.get(turn_id)
        if row and row.conversation == self.conversation_at_server(tab) and not self.worker.journal_broken:
            self.ratings[turn_id] = rating

    @precondition(lambda self: self.ready_tabs and self.ledger.rows and len(self.tokens()) < 4)
    @rule(pick=picks, hold=holds)
    def begin_new_conversation(self, pick: int, hold: int) -> None:
        tab = self.ready_tab(pick)
        # Its own events can change places on a server of real threads: it waits for their acknowledgements first.
        if tab.link and not tab.link.calls:
            self.call(tab, ("new_conversation", {}))
            self.settle(hold)

    @precondition(lambda self: self.unfinished)
    @rule(pick=picks, hold=holds)
    def quiet(self, pick: int, hold: int) -> None:
        """A tab has heard nothing for long: it asks."""
        tab = self.open_tab_at(pick)
        if tab.ready:
            self.call(tab, *tab.quiet())
            self.settle(hold)

    # The network ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.unfinished)
    @rule(pick=picks)
    def dawdle(self, pick: int) -> None:
        """From here on the packets for a tab lie there; or no longer."""
        tab = self.open_tab_at(pick)
        tab.prompt = not tab.prompt
        self.settle()

    @precondition(lambda self: any(tab.link and tab.link.packets for tab in self.open_tabs))
    @rule(pick=picks, how=st.sampled_from(["one", "one", "twice", "lost", "overtaking"]), hold=holds)
    def deliver(self, pick: int, how: str, hold: int) -> None:
        waiting = [tab.link for tab in self.open_tabs if tab.link and tab.link.packets]
        link = waiting[pick % len(waiting)]
        tab = next(tab for tab in self.tabs if tab.link is link)
        first = link.packets[0]
        passing = first.event in ("assistant_message", "turn_status", "turn_finished") and first.call is None
        if passing and how == "lost":
            link.packets.pop(0)
            link.whole = False
        elif passing and how == "overtaking" and len(link.packets) > 1:
            link.packets[0], link.packets[1] = link.packets[1], link.packets[0]
            link.whole = False
        else:
            if passing and how == "twice":
                link.packets.insert(0, first)
            self.hand_over(tab)
        self.settle(hold)

    @precondition(lambda self: self.unfinished and any(tab.link and tab.link.up for tab in self.open_tabs))
    @rule(pick=picks, noticed=st.booleans(), back=st.booleans(), hold=holds)
    def cut(self, pick: int, noticed: bool, back: bool, hold: int) -> None:
        tab = self.open_tab_at(pick)
        self.disconnect(tab, noticed=noticed)
        if back:
            self.connect(tab)
        self.settle(hold)

    @precondition(lambda self: any(link.stands and not link.up for link in self.links))
    @rule(pick=picks, hold=holds)
    def server_notices(self, pick: int, hold: int) -> None:
        broken = [link for link in self.links if link.stands and not link.up]
        self.worker.hang_up(broken[pick % len(broken)])
        self.settle(hold)

    @precondition(lambda self: any(not (tab.link and tab.link.up) for tab in self.open_tabs))
    @rule(pick=picks, hold=holds)
    def reconnect(self, pick: int, hold: int) -> None:
        away = [tab for tab in self.open_tabs if not (tab.link and tab.link.up)]
        self.connect(away[pick % len(away)])
        self.settle(hold)

    @precondition(lambda self: self.ledger.rows)
    @rule(pick=picks, noticed=st.booleans(), hold=holds)
    def reload(self, pick: int, noticed: bool, hold: int) -> None:
        tab = self.open_tab_at(pick)
        self.disconnect(tab, noticed=noticed)
        tab.forget()
        self.connect(tab)
        self.settle(hold)

    @precondition(lambda self: len(self.open_tabs) > 2)
    @rule(pick=picks)
    def close_tab(self, pick: int) -> None:
        tab = self.open_tab_at(pick)
        self.disconnect(tab, noticed=True)
        tab.open = False
        self.settle()

    # The assistant, the time, the process -------------------------------------------------------------------

    @precondition(lambda self: self.streams)
    @rule(pick=picks, said=st.lists(steps, min_size=1, max_size=3), hold=holds)
    def assistant_says(self, pick: int, said: list[Any], hold: int) -> None:
        self.streams[pick % len(self.streams)].steps.extend(said)
        self.settle(hold)

    @precondition(lambda self: self.ready_tabs)
    @rule(pick=picks)
    def send_and_begin(self, pick: int) -> None:
        """What is done most of the time: a message, and the beginning of its answer if it need not wait."""
        self.begin_to_say(self.ready_tab(pick))
        self.settle()
        for stream in self.streams[-1:]:
            stream.steps.append(Delta("Hello "))
        self.settle()

    @precondition(lambda self: self.streams)
    @rule(pick=picks, text=st.sampled_from(TEXTS), hold=holds)
    def assistant_goes_on(self, pick: int, text: str, hold: int) -> None:
        """One piece more: its first, or one after the interval between two."""
        self.streams[pick % len(self.streams)].steps.append(Delta(text))
        self.green.now += 0.05
        self.settle(hold)

    @precondition(lambda self: self.unfinished)
    @rule(seconds=st.sampled_from([0.05, 1.5, 12.0, 35.0]), hold=holds)
    def time_passes(self, seconds: float, hold: int) -> None:
        self.green.now += seconds
        self.settle(hold)
        if seconds > 1 and self.worker.idle and not self.worker.journal_broken and not self.green.held:
            for row in self.ledger.rows.values():
                if row.state is TurnState.RUNNING and row.owner == self.worker.owner:
                    self.check_kept(row)

    @precondition(lambda self: self.unfinished)
    @rule(first=acts, second=acts, pick=picks, other=picks, hold=st.integers(1, 24))
    def cross(self, first: str, second: str, pick: int, other: int, hold: int) -> None:
        """One thing happens in the middle of another."""
        self.cross_at(first, second, pick, other, hold)

    @precondition(lambda self: self.streams)
    @rule(
        first=st.sampled_from(["reload", "cut", "resume", "pieces"]),
        second=st.sampled_from(["piece", "end", "stop", "time"]),
        pick=picks, other=picks, hold=st.integers(1, 24),
    )  # fmt: skip
    def come_in_between(self, first: str, second: str, pick: int, other: int, hold: int) -> None:
        """A client comes into the middle of an answer, and the answer goes on in the middle of that."""
        self.cross_at(first, second, pick, other, hold)

    def cross_at(self, first: str, second: str, pick: int, other: int, hold: int) -> None:
        before = self.green.held
        self.act(first, pick)
        self.settle(hold)
        self.act(second, other)
        self.settle()
        for task in self.green.held:
            task.held = task in before
        self.settle()

    def act(self, what: str, pick: int) -> None:
        """Begin something without letting it run."""
        tab = self.ready_tab(pick) if self.ready_tabs else self.open_tab_at(pick)
        turn_id = self.unfinished[pick % len(self.unfinished)].id if self.unfinished else self.turn_id(0)
        if what == "reload":
            self.disconnect(tab, noticed=False)
            tab.forget()
            self.connect(tab)
        elif what == "cut":
            self.disconnect(tab, noticed=True)
            self.connect(tab)
        elif what in ("send", "send again", "stop", "resume") and not tab.ready:
            return
        elif what == "send":
            self.begin_to_say(tab)
        elif what == "send again" and self.messages:
            self.call(tab, ("user_message", self.messages[-1 - pick % len(self.messages)][1]))
        elif what == "stop":
            self.call(tab, ("stop", {"turn_id": turn_id}))
        elif what == "resume":
            self.call(tab, ("resume", {"turn_id": turn_id, "after_seq": pick - 1}))
        elif what == "time":
            self.green.now += 1.5
        elif self.streams:
            steps = self.streams[pick % len(self.streams)].steps
            self.green.now += 0.05
            steps.extend(ACTS_OF_THE_ASSISTANT.get(what, []))

    @precondition(lambda self: self.green.held)
    @rule(pick=picks, hold=holds)
    def go_on(self, pick: int, hold: int) -> None:
        held = self.green.held
        held[pick % len(held)].held = False
        self.settle(hold)

    @precondition(lambda self: self.unfinished and len(self.lives) < 4)
    @rule(how=st.sampled_from(["killed", "told to go", "taken for dead"]), back=st.booleans(), hold=holds)
    def worker_dies(self, how: str, back: bool, hold: int) -> None:
        if how == "told to go":
            self.worker.shut_down()
            self.settle(hold)
        self.worker.die(late=how == "taken for dead")
        self.begin_life()
        if back:
            for tab in self.open_tabs:
                self.connect(tab)
        self.settle()

    @precondition(lambda self: self.unfinished and not self.worker.journal_broken)
    @rule()
    def journal_breaks(self) -> None:
        self.worker.journal_broken = True

    @precondition(lambda self: self.worker.journal_broken)
    @rule(hold=holds)
    def journal_works_again(self, hold: int) -> None:
        self.worker.journal_broken = False
        self.green.now += 5
        self.settle(hold)

    # What holds after every step ------------------------------------------------------------------------------

    def check(self) -> None:
        self.ledger.look()
        settled = self.worker.idle and not self.worker.journal_broken
        self.ledger.check_rows(TURN_QUEUE, MAX_RUNNING, settled=settled)
        for tab in self.tabs:
            self.check_tab(tab)
        if settled:
            self.check_nobody_waits_for_nothing()
        self.complain()

    def check_tab(self, tab: Tab) -> None:
        for turn_id, shown in tab.shown.items():
            pieces, row = self.ledger.pieces(turn_id), self.ledger.rows[turn_id]
            if shown.state is not None:
                same = (shown.state, shown.text) == (row.state, row.answer)
                self.ledger.must(same, f"{tab.name} shows {shown} of {row}")
            else:
                so_far = "".join(pieces[: shown.seq + 1])
                self.ledger.must(shown.text == so_far, f"{tab.name} shows {shown.text!r} to {shown.seq}: {so_far!r}")
        link = tab.link
        if tab.ready and link and link.whole and link.stands and not link.packets and not link.calls:
            self.check_up_to_date(tab)

    def check_up_to_date(self, tab: Tab) -> None:
        """A tab whose connection lost nothing lacks nothing, without asking."""
        busy = any(task.held for task in self.green.tasks)
        for row in self.ledger.of(tab.conversation or ""):
            told, shown = self.ledger.told.get(row.id), tab.shown.get(row.id)
            if shown is None:
                self.ledger.must(busy, f"{tab.name} has not heard of {row.id}")
            elif shown.state is None and told is not None:
                self.ledger.must(shown.seq >= told.published - 1, f"{tab.name} is behind in {row.id}: {shown}")
                self.ledger.must(not told.ends, f"{tab.name} has not heard the end of {row.id}")

    def check_nobody_waits_for_nothing(self) -> None:
        rows = [row for row in self.ledger.rows.values() if not row.state.final]
        running = {row.conversation for row in rows if row.state is TurnState.RUNNING}
        # One that has its place may still wait for the recorded end of the one before it.
        begun = self.worker.runner._answers
        waiting = [row.id for row in rows if row.conversation not in running and row.id not in begun]
        self.ledger.must(len(running) >= MAX_RUNNING or not waiting, f"nobody runs {waiting}")

    def check_kept(self, row: Row) -> None:
        """After more than a second the journal has all pieces, and everything that was said is in a piece."""
        told = self.ledger.told[row.id]
        self.ledger.must(row.seq == len(told.pieces) - 1, f"{row.id}: kept to {row.seq} of {len(told.pieces)} pieces")
        said = "".join(told.deltas)
        if "【" not in said:
            self.ledger.must(row.answer == said, f"{row.id}: {said!r} was said, {row.answer!r} is kept")

    def complain(self) -> None:
        assert not self.ledger.wrong, "\n".join(self.ledger.wrong)

    # The end ---------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if self.lives and sys.exc_info()[0] is None:
                self.let_everything_end()
        finally:
            for worker in self.lives:
                worker.die(late=False)
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(self.swallowed)
            self.patch.undo()

    def let_everything_end(self) -> None:
        self.worker.journal_broken = False
        for tab in self.open_tabs:
            tab.prompt = True
            if not (tab.link and tab.link.up):
                self.connect(tab)
        self.until_nothing_is_left()
        for token in self.tokens():
            self.tabs.append(Tab(f"fresh tab {len(self.tabs) + 1}", token))
            self.connect(self.tabs[-1])
        self.until_nothing_is_left()
        self.check_the_end()

    def until_nothing_is_left(self) -> None:
        """Everybody goes on, the assistant ends its answers, tabs ask when it is quiet: until all have ended."""
        for _ in range(60):
            for task in self.green.tasks:
                task.held = False
            for stream in self.streams:
                stream.steps.append(Finished())
            self.green.now += 6
            self.settle()
            self.ledger.look()
            asking = [(tab, call) for tab in self.open_tabs if tab.ready for call in tab.quiet()]
            if not asking and self.worker.idle and all(row.state.final for row in self.ledger.rows.values()):
                return
            for tab, call in asking:
                self.call(tab, call)
        self.complain()
        raise AssertionError(f"it does not end: {asking}, {[task.name for task in self.green.tasks]}")

    def check_the_end(self) -> None:
        ledger, queue = self.ledger, self.worker.queue
        ledger.must((queue.running, queue.waiting) == (0, 0), "the queue is not empty")
        ledger.must(not queue._unfinished, f"places in the queue are lost: {queue._unfinished}")
        ledger.must(not self.worker.runner._answers, "answers are left over")
        ledger.must(not self.streams, "the assistant still answers")
        known = {(row.conversation, row.client_id): (row.id, row.text) for row in ledger.rows.values()}
        ledger.must(ledger.accepted.items() <= known.items(), "an accepted message has no turn")
        ledger.must(ledger.told.keys() <= ledger.rows.keys(), "a turn is not in the journal")
        for tab in self.open_tabs:
            ledger.must(tab.ready and not tab.outgoing, f"{tab.name} is stuck")
            mine = {row.id: (row.state, row.answer) for row in ledger.of(tab.conversation or "")}
            shown = {turn_id: (shown.state, shown.text) for turn_id, shown in tab.shown.items()}
            ledger.must(mine == shown, f"{tab.name} shows {shown}, the journal has {mine}")
            for turn_id, rest in tab.shown.items():
                rated = self.ratings.get(turn_id)
                ledger.must(rest.feedback == rated, f"{tab.name} shows {turn_id} rated {rest.feedback}, not {rated}")
        self.complain()

    # Moving things -------------------------------------------------------------------------------------------

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
