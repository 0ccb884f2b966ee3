"""Random interleavings of everything that tabs, the assistant, the network and the process can do to turns.

The house is the real one, from the namespace down to the journal's file; sockets, threads and time are the
test's (`green`, `sockets`, `worker`). A rule does one thing and lets everybody run until they wait; with
`hold` one of them is stopped in its middle, and `go_on` lets it continue later.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from app.chat.interfaces import Delta, Finished, Status, Trace
from app.chat.turns import TurnState
from app.errors import AssistantError, Code
from tests.faults.machine.promises import Promises
from tests.faults.machine.tab import Tab
from tests.faults.machine.worker import CUT, PlannedFault, Step

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


class TurnMachine(Promises):
    """The chat with its visitors. Everything random comes from the rules' arguments."""

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
