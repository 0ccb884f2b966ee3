"""What every client, the journal and the worker were promised: looked at after every step, and at the end."""

from __future__ import annotations

import logging
import sys

from app.chat.interfaces import Finished
from app.chat.turns import TurnState
from tests.faults.machine.ledger import Row
from tests.faults.machine.stage import LOGGERS, Stage
from tests.faults.machine.tab import Tab
from tests.faults.machine.worker import MAX_RUNNING, TURN_QUEUE


class Promises(Stage):
    """The stage with its checks. Each compares what is shown with the ledger and the journal's file."""

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
