"""Judges a conversation by what its tabs saw and stopped, the journal, what the assistant was asked, and the ends."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.ends import End
from tests.faults.evidence import Fault, Mark, Promise
from tests.faults.messages import Message
from tests.faults.shown import FINAL
from tests.faults.visitor import Visitor

WORST = 1.0 + 0.15
"""Seconds: of an interrupted turn everything is kept that any of its tabs showed so long before the signal was sent.

The second is what the protocol says may be missing; the rest is for measuring: the write, and the signal's way."""
SOON = 500
"""Milliseconds: a turn whose end is being written is stopped no more, and a stop of it may be told `running`."""
COLUMNS = "id, client_id, conversation_uuid, state, answer, accepted_at, finished_at"


@dataclass(frozen=True, slots=True)
class Kept:
    """A turn in the journal."""

    turn_id: str
    client_id: str
    conversation: str
    state: str
    answer: str
    accepted_at: int
    finished_at: int | None


def journal(data: Path, condition: str = "1", parameters: Sequence[object] = ()) -> list[Kept]:
    """The turns in the journal of a data folder."""
    with closing(sqlite3.connect(f"file:{data / 'journal.sqlite3'}?mode=ro", uri=True, timeout=10)) as database:
        return [Kept(*row) for row in database.execute(f"SELECT {COLUMNS} FROM turns WHERE {condition}", parameters)]


class Verdict:
    """On one visitor. `asked`: how often the assistant was asked each message text. Adds to `counts`."""

    def __init__(self, visitor: Visitor, kept: Iterable[Kept], asked: Counter[str], ends: Sequence[End]) -> None:
        self.counts: Counter[str] = Counter(visitor.evidence.counts)
        self.longest_missing = 0.0
        self._visitor = visitor
        self._kept = list(kept)
        self._asked = asked
        self._ends = ends
        self._faults: list[Fault] = []

    def faults(self) -> list[Fault]:
        """Every promise that was broken, and how."""
        if len({turn.conversation for turn in self._kept}) > 1:
            self._say(Promise.MANNERS, "its messages are in more than one conversation")
        for message in self._visitor.messages:
            self._judge(message)
        stopped = sum(turn.state == "stopped" for turn in self._kept)
        by_id = {stop.turn_id for stop in self._visitor.evidence.stops if stop.turn_id}
        without = sum(stop.turn_id is None for stop in self._visitor.evidence.stops)
        if stopped > len(by_id) + without:
            self._say(
                Promise.STOPS, f"{stopped} turns are stopped, by {len(by_id)} ids and {without} stops without one"
            )
        return self._visitor.evidence.faults + self._faults

    def _judge(self, message: Message) -> None:
        receipts = [one for one in self._visitor.evidence.receipts if one.client_id == message.client_id]
        turns = [turn for turn in self._kept if turn.client_id == message.client_id]
        self.counts["messages"] += 1
        self.counts["turns"] += len(turns)
        if len(turns) != 1:
            return self._say(Promise.ONCE, f"{message.client_id} has {len(turns)} turns and not one")
        if {one.turn_id for one in receipts} != {turns[0].turn_id}:
            self._say(Promise.ONCE, f"{message.client_id} is turn {turns[0].turn_id}, acknowledged as {receipts}")
        if sum(not one.duplicate for one in receipts) > 1:
            self._say(Promise.ONCE, f"{message.client_id} was acknowledged as new more than once")
        self._judge_requests(message, turns[0])
        self._judge_state(message, turns[0])
        self._judge_stops(turns[0])
        if turns[0].finished_at is not None:
            self._judge_texts(message, turns[0])

    def _judge_requests(self, message: Message, turn: Kept) -> None:
        times = self._asked[message.text]
        if times > 1 or (turn.state == "complete" and times != 1):
            self._say(Promise.ONCE, f"turn {turn.turn_id}: the assistant was asked {times} times")

    def _judge_state(self, message: Message, turn: Kept) -> None:
        self.counts[turn.state] += 1
        whole = turn.state == "complete"
        if turn.state not in ("complete", "interrupted", "stopped"):
            self._say(Promise.ENDS, f"turn {turn.turn_id} is {turn.state}")
        elif not message.answer.startswith(turn.answer) or (whole and turn.answer != message.answer):
            wrong = difference(message.answer, turn.answer)
            self._say(Promise.PIECES, f"turn {turn.turn_id} is {turn.state}, and {wrong}")
        elif turn.state == "interrupted":
            self._judge_interruption(turn)
        elif too_much := self._longer(turn):
            self._say(
                Promise.PREFIX, f"turn {turn.turn_id} is {turn.state} without what {too_much[-1].tab} showed of it"
            )

    def _judge_interruption(self, turn: Kept) -> None:
        ended = turn.finished_at or 0
        end = next((end for end in reversed(self._ends) if end.began <= ended), None)
        if end is None or end.last < turn.accepted_at:
            return self._say(Promise.ENDS, f"turn {turn.turn_id} was interrupted, and no server had ended")
        lacking = self._longer(turn)
        self.counts["interrupted with a text"] += bool(turn.answer)
        self.counts[f"interrupted by {end.kind}"] += 1
        missing = max((end.at - mark.at for mark in lacking), default=0.0)
        if end.orderly and lacking:
            late = f"lacks {len(lacking[-1].text) - len(turn.answer)} characters that {lacking[-1].tab} showed"
            return self._say(Promise.PREFIX, f"turn {turn.turn_id} was interrupted by {end.kind} and {late}")
        self.longest_missing = max(self.longest_missing, missing)
        if missing > WORST:
            late = f"lacks what was shown {missing:.2f} s before the {end.kind}"
            self._say(Promise.PREFIX, f"turn {turn.turn_id} {late}")

    def _longer(self, turn: Kept) -> list[Mark]:
        """What was shown of the turn at any time that its final text lacks."""
        marks = self._visitor.evidence.shown.get(turn.turn_id, [])
        return [mark for mark in marks if len(mark.text) > len(turn.answer)]

    def _judge_stops(self, turn: Kept) -> None:
        """`stopped` needs a stop that was sent before; an acknowledged end is the end; a stop has an effect."""
        ended = turn.finished_at or 0
        sent = [stop.at for stop in self._visitor.evidence.stops if stop.turn_id in (turn.turn_id, None)]
        if turn.state == "stopped" and not any(at <= ended for at in sent):
            self._say(Promise.STOPS, f"turn {turn.turn_id} is stopped, and nobody had asked for it")
        for answer in self._visitor.evidence.stop_answers:
            if answer.turn_id != turn.turn_id:
                continue
            if answer.state in FINAL and answer.state != turn.state:
                self._say(Promise.STOPS, f"turn {turn.turn_id} is {turn.state}, a stop was told {answer.state}")
            elif answer.state not in FINAL and not self._handed_over(answer.at) and ended > answer.at + SOON:
                late = f"went on for {ended - answer.at} ms after a stop that was told {answer.state}"
                self._say(Promise.STOPS, f"turn {turn.turn_id} {late}")

    def _handed_over(self, at: int) -> bool:
        """Whether an old worker may still answer then: a stop that the new one is told ends none of its turns."""
        return any(end.kind == "SIGHUP" and end.began <= at <= end.over for end in self._ends)

    def _judge_texts(self, message: Message, turn: Kept) -> None:
        for tab in self._visitor.tabs:
            shown = tab.turns.get(turn.turn_id)
            if shown is None or (shown.state, shown.text) != (turn.state, turn.answer):
                there = "nothing of it" if shown is None else f"{shown.state} with {len(shown.text)} characters"
                here = f"{turn.state} with {len(turn.answer)}"
                self._say(Promise.PIECES, f"turn {turn.turn_id} is {here}, {tab.name} shows {there}")
        self._judge_course(message, turn, self._visitor.evidence.shown.get(turn.turn_id, []))

    def _judge_course(self, message: Message, turn: Kept, marks: Sequence[Mark]) -> None:
        """At every moment a tab showed what its `seq` covers, which is a beginning of the answer."""
        covered: dict[int, str] = {}
        for mark in marks:
            if not message.answer.startswith(mark.text):
                wrong = difference(message.answer, mark.text)
                return self._say(Promise.PIECES, f"turn {turn.turn_id}: {mark.tab} showed what {wrong}")
            if covered.setdefault(mark.seq, mark.text) != mark.text:
                wrong = f"two texts were shown for seq {mark.seq}"
                return self._say(Promise.PIECES, f"turn {turn.turn_id}: {wrong}")

    def _say(self, promise: Promise, sentence: str) -> None:
        self._faults.append(Fault(promise, f"{self._visitor.name}: {sentence}"))


def difference(whole: str, text: str) -> str:
    """Where a text leaves the one that it should be (a beginning of)."""
    same = next((n for n in range(len(whole)) if text[n : n + 1] != whole[n]), len(whole))
    there, right = text[same : same + 30], whole[same : same + 30]
    return f"from character {same} of {len(whole)} on it has {there!r}, not {right!r}"
