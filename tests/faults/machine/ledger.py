"""What really happened to each turn, and what has to be true of it: the model beside the server.

Violations are collected, not raised: the house catches exceptions at its edges.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.chat.interfaces import Delta, Event, Exchange, Finished, Question
from app.chat.text import has_text
from app.chat.turns import FOLLOWING, Turn, TurnState

MARKER = re.compile(r"【\d+:\d+†([^【】\n]*)】")

WATCH = """
CREATE TABLE changes (n INTEGER PRIMARY KEY, id TEXT, was TEXT, became TEXT);
CREATE TRIGGER begun AFTER INSERT ON turns BEGIN
    INSERT INTO changes (id, was, became) VALUES (new.id, NULL, new.state);
END;
CREATE TRIGGER changed AFTER UPDATE OF state, answer, seq, corrected, error_code ON turns BEGIN
    INSERT INTO changes (id, was, became) VALUES (new.id, old.state, new.state);
END;
"""
"""The journal's file tells by itself what is done to it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A turn as it stands in the journal's file."""

    id: str
    conversation: str
    index: int
    client_id: str
    owner: str
    state: TurnState
    text: str
    answer: str
    seq: int
    corrected: bool
    to_stop: bool


@dataclass
class Told:
    """What was said, made and sent of one turn."""

    conversation: str
    user_id: str
    pieces: list[str] = field(default_factory=list)
    published: int = 0
    begun: bool = False
    ends: list[str] = field(default_factory=list)
    asked: bool = False
    deltas: list[str] = field(default_factory=list)
    completed: Finished | None = None


@dataclass(frozen=True)
class Moment:
    """What was published and recorded at one time."""

    published: dict[str, int]
    rows: dict[str, Row]


class Ledger:
    """The truth about all turns of one run."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self.told: dict[str, Told] = {}
        self.rows: dict[str, Row] = {}
        self.accepted: dict[tuple[str, str], tuple[str, str]] = {}
        self.fresh: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.causes: defaultdict[str, set[str]] = defaultdict(set)
        self.doomed: set[str] = set()
        self.stopping: set[str] = set()
        self.stop_told: set[str] = set()
        self.wrong: list[str] = []
        self._file = file
        self._read_to = 0

    def must(self, holds: object, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)

    def look(self) -> Moment:
        """Read the journal; every change of a turn since the last look has to be one that the table allows."""
        changes = self._file.execute("SELECT n, id, was, became FROM changes WHERE n > ? ORDER BY n", (self._read_to,))
        for n, turn_id, was, became in changes.fetchall():
            self._read_to = n
            if was is None:
                self.must(became == "queued", f"{turn_id} begins as {became}")
            elif was == became:
                self.must(was == "running", f"{turn_id} is written to while it is {was}")
            else:
                self.must(TurnState(became) in FOLLOWING[TurnState(was)], f"{turn_id}: {was} -> {became}")
        columns = "id, conversation_uuid, turn_index, client_id, owner, state, text, answer, seq, corrected"
        query = f"SELECT {columns}, stop_requested_at FROM turns ORDER BY conversation_uuid, turn_index"
        found = self._file.execute(query).fetchall()
        self.rows = {fields[0]: _row(fields) for fields in found}
        return Moment({turn_id: told.published for turn_id, told in self.told.items()}, dict(self.rows))

    def of(self, conversation: str) -> list[Row]:
        """A conversation's turns, in the order of their acceptance."""
        return [row for row in self.rows.values() if row.conversation == conversation]

    def pieces(self, turn_id: str) -> list[str]:
        """What was made of a turn's answer; nothing of one that was accepted a moment ago."""
        return self.told[turn_id].pieces if turn_id in self.told else []

    # What the house does -------------------------------------------------------------------------------------

    def started(self, turn: Turn) -> None:
        self.must(turn.id not in self.told, f"{turn.id} is begun twice")
        self.told[turn.id] = Told(turn.conversation, turn.user_id)

    def made(self, turn_id: str, seq: int, text: str) -> None:
        pieces = self.told[turn_id].pieces
        self.must(seq == len(pieces), f"{turn_id}: piece {seq} after {len(pieces)}")
        self.must(text, f"{turn_id}: piece {seq} is empty")
        pieces.append(text)

    def sent(self, event: str, payload: dict[str, Any], life: str, rooms: Iterable[tuple[str, str] | None]) -> None:
        """Something about a turn goes to connections with these identities."""
        turn_id = payload["turn_id"]
        if event == "turn_rated" and turn_id not in self.told:
            # Here ids are known as soon as they are recorded: such a rating can be quicker than turn_started.
            self.look()
            heard = [identity and identity[0] for identity in rooms]
            self.must(set(heard) <= {self.rows[turn_id].conversation}, f"a stranger hears {event} of {turn_id}")
            return
        told = self.told[turn_id]
        for identity in rooms:
            self.must(identity == (told.conversation, told.user_id), f"a stranger hears {event} of {turn_id}")
        self.must(told.begun or event in ("turn_started", "turn_rated"), f"{turn_id}: {event} before turn_started")
        if event == "turn_started":
            self.must(not told.begun, f"{turn_id}: turn_started twice")
            told.begun = True
        elif event == "assistant_message":
            self.must(not told.ends, f"{turn_id}: a piece after its end")
            self.must(payload["seq"] == told.published, f"{turn_id}: piece {payload['seq']} after {told.published}")
            self.must(payload["text"] == told.pieces[payload["seq"]], f"{turn_id}: another text is sent than was made")
            told.published += 1
        elif event == "turn_finished":
            self.look()
            self.must(life not in told.ends, f"{turn_id}: turn_finished twice")
            told.ends.append(life)
            self._same_end(turn_id, payload)

    def asks(self, question: Question) -> None:
        """The assistant is asked."""
        self.look()
        row, told = self.rows[question.turn_id], self.told[question.turn_id]
        self.must(not told.asked, f"the assistant is asked twice about {row.id}")
        # Where threads cannot be ended from outside, it may still be asked, but knows at once that it need not answer.
        stopped = row.id in self.stop_told and not question.cancellation.cancelled
        self.must(not stopped, f"{row.id} starts after its stop was acknowledged")
        told.asked = True
        earlier = [other for other in self.of(row.conversation) if other.index < row.index]
        # A waiting turn whose stop is recorded will not run, also if its end is not written yet.
        out = [other.state.final or (other.state is TurnState.QUEUED and other.to_stop) for other in earlier]
        self.must(all(out), f"{row.id} overtakes another turn")
        self.must(question.text == row.text, f"the assistant is asked something else about {row.id}")
        shown = [Exchange(e.text, e.answer) for e in earlier if e.state is not TurnState.FAILED and e.answer]
        given = [Exchange(exchange.question, exchange.answer) for exchange in question.history]
        self.must(given == shown, f"{row.id} is asked with another history")

    def says(self, turn_id: str, event: Event) -> None:
        """The assistant says something."""
        told = self.told[turn_id]
        if isinstance(event, Delta):
            told.deltas.append(event.text)
        elif isinstance(event, Finished):
            told.completed = event
            # An answer without text is none.
            said = has_text((event.text or "") + "".join(told.deltas))
            self.causes[turn_id].add(event.state if said else "failed")

    def may_fail(self, rows: Iterable[Row]) -> None:
        """There is a cause by which these turns may fail."""
        for row in rows:
            if not row.state.final:
                self.causes[row.id].add("failed")

    def stop_asked(self, conversation: str, turn_id: str | None) -> None:
        if turn_id is None:
            self.stopping.add(conversation)
        else:
            self.causes[turn_id].add("stopped")

    # What has to be true -------------------------------------------------------------------------------------

    def check_rows(self, turn_queue: int, max_running: int, *, settled: bool) -> None:
        """What holds of the journal at every moment; and, `settled`, while nobody is in the middle of anything."""
        running: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        for row in self.rows.values():
            if row.state is TurnState.RUNNING:
                running[row.owner] += 1
            if not row.state.final:
                waiting[row.conversation] += 1
            if row.id in self.told:
                self._check_row(row, self.told[row.id])
        self.must(all(n <= max_running for n in running.values()), "too many turns run")
        if settled:
            # A stopped turn gives its place away a moment before its end is recorded.
            self.must(all(n <= turn_queue + 1 for n in waiting.values()), "too many turns of a conversation wait")
            going_on = [turn_id for turn_id in self.stop_told if not self.rows[turn_id].state.final]
            self.must(not going_on, f"{going_on} go on after their stop was acknowledged")

    def _check_row(self, row: Row, told: Told) -> None:
        so_far = "".join(told.pieces[: row.seq + 1])
        if row.state.final:
            causes = set(self.causes[row.id])
            causes |= {"interrupted"} if row.owner in self.doomed else set()
            causes |= {"stopped"} if row.conversation in self.stopping else set()
            self.must(row.state in causes, f"{row.id} is {row.state}, but may be {sorted(causes)}")
        if row.state in (TurnState.COMPLETE, TurnState.TRUNCATED) and told.completed:
            said = numbered("".join(told.deltas))
            whole = told.completed.text or said
            self.must(row.answer == whole, f"{row.id}: the answer is {row.answer!r}, said was {whole!r}")
            self.must(row.corrected == (whole != said), f"{row.id}: corrected is {row.corrected}")
            self.must(row.seq == len(told.pieces) - 1, f"{row.id}: an end at {row.seq} of {len(told.pieces)} pieces")
        else:
            self.must(row.answer == so_far, f"{row.id}: {row.answer!r} is not {so_far!r}")
        if row.state in (TurnState.STOPPED, TurnState.FAILED):
            # The last delta may have been said at the moment of the end.
            kept = {numbered("".join(told.deltas[:n])) for n in range(max(len(told.deltas) - 1, 0), 99)}
            self.must(row.answer in kept, f"{row.id} is {row.state} with {row.answer!r}, said was {told.deltas}")

    def _same_end(self, turn_id: str, payload: dict[str, Any]) -> None:
        row = self.rows[turn_id]
        told_end = (payload["state"], payload["text"], payload["seq"], payload.get("corrected", False))
        recorded = (row.state, row.answer, row.seq, row.corrected)
        self.must(told_end == recorded, f"{turn_id}: told is {told_end}, recorded {recorded}")

    def check_accepted(self, conversation: str, asked: dict[str, Any], answer: dict[str, Any], before: Moment) -> None:
        """The acknowledgement of a `user_message`."""
        key = (conversation, asked["client_id"])
        now = {(row.conversation, row.client_id): row for row in self.look().rows.values()}
        row = now.get(key)
        if answer["ok"]:
            self.must(row and row.id == answer["turn_id"] and row.text == asked["text"], f"{key}: not in the journal")
            self.fresh[key] += not answer["duplicate"]
            self.must(self.fresh[key] <= 1, f"{key} is new twice")
            if not answer["duplicate"]:
                self.must(answer["turn_id"] not in before.rows, f"{key} is called new, but was there")
            self.accepted[key] = (answer["turn_id"], asked["text"])
            return
        code = answer["error"]["code"]
        if code == "bad_payload":
            self.must(row and row.text != asked["text"], f"{key}: refused as used for another text")
        elif code in ("busy", "journal_unavailable", "restarting"):
            known = any((r.conversation, r.client_id) == key for r in before.rows.values())
            self.must(not known, f"{key}: {code}, but it is a duplicate")
        else:
            self.must(code == "not_connected", f"{key}: {code}")

    def check_resumed(self, identity: tuple[str, str], turn_id: str, after: int, answer: Any, before: Moment) -> None:
        """The answer to `resume`: right at some moment since `before`."""
        row, told = self.look().rows.get(turn_id), self.told.get(turn_id)
        if not answer["ok"]:
            mine = row and told and identity == (told.conversation, told.user_id)
            self.must(answer["error"]["code"] == "unknown_turn", f"resume: {answer}")
            self.must(not mine or turn_id not in before.rows, f"resume does not know {turn_id}")
            return
        told = told or (Told(*identity) if row and row.conversation == identity[0] else None)
        if row is None or told is None or identity != (told.conversation, told.user_id):
            self.wrong.append(f"a stranger resumes {turn_id}")
            return
        if "finished" in answer:
            self._same_end(turn_id, answer["finished"])
            self.must(answer["state"] == row.state, f"{turn_id}: resumed as {answer['state']}, it is {row.state}")
        else:
            self.must(answer["state"] in ("queued", "running"), f"{turn_id}: {answer['state']} and not finished")
            was = before.rows.get(turn_id)
            self.must(not (was and was.state.final), f"{turn_id}: resumed as {answer['state']} after its end")
        self._check_rest(turn_id, told, after, answer, before)

    def _check_rest(self, turn_id: str, told: Told, after: int, answer: Any, before: Moment) -> None:
        final = answer.get("finished")
        if "reset" in answer:
            text, seq = answer["reset"]["text"], answer["reset"]["seq"]
        else:
            numbers = [piece["seq"] for piece in answer["pieces"]]
            self.must(numbers == list(range(after + 1, after + 1 + len(numbers))), f"{turn_id}: resumed with {numbers}")
            seq = after + len(numbers)
            text = "".join(told.pieces[: after + 1] + [piece["text"] for piece in answer["pieces"]])
        if final:
            whole = final["text"] if "reset" in answer else "".join(told.pieces[: final["seq"] + 1])
            self.must((text, seq) == (whole, final["seq"]), f"{turn_id}: resumed to {seq} {text!r} of {final}")
        else:
            self._check_covered(turn_id, text, seq, before)

    def _check_covered(self, turn_id: str, text: str, seq: int, before: Moment) -> None:
        """What a client is given of a running turn has all that was published before it asked, and nothing else."""
        self.must(text == "".join(self.pieces(turn_id)[: seq + 1]), f"{turn_id}: {text!r} as the text to {seq}")
        published = before.published.get(turn_id, 0)
        self.must(seq >= published - 1, f"{turn_id}: covered to {seq}, {published} pieces were published before")

    def check_session(self, identity: tuple[str, str], session: dict[str, Any], before: Moment) -> None:
        """A `session`: right at some moment since `before`."""
        rows = self.look().rows
        self.must((session["conversation_uuid"], session["user_id"]) == identity, "a session of somebody else")
        listed = [turn["turn_id"] for turn in session["turns"]]
        known = [row.id for row in self.of(identity[0])]
        self.must(listed == known[: len(listed)], f"session lists {listed} of {known}")
        must_be = {row.id for row in before.rows.values() if row.conversation == identity[0]}
        self.must(must_be <= set(listed), f"session lists {listed} without {must_be}")
        running = session["running"]
        self.must(not running or running["turn_id"] in listed, "what runs is not in the list")
        for turn in session["turns"]:
            row, was = rows[turn["turn_id"]], before.rows.get(turn["turn_id"])
            final = TurnState(turn["state"]).final
            self.must(turn["text"] == row.text, f"{row.id}: another question")
            self.must(not (was and was.state.final) or final, f"{row.id}: {turn['state']} after its end")
            if final:
                same = (turn["state"], turn["answer"]) == (row.state, row.answer)
                self.must(same, f"{row.id}: session has {turn['answer']!r}")
                self.must(not running or running["turn_id"] != row.id, f"{row.id} has ended and runs")
            elif running and running["turn_id"] == row.id:
                self._check_covered(row.id, running["text"], running["seq"], before)
            else:
                self._check_covered(row.id, "", -1, before)

    def check_stopped(self, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        """The acknowledgement of a `stop`."""
        self.look()
        if not answer["ok"]:
            codes = ("unknown_turn", "journal_unavailable", "not_connected")
            self.must(answer["error"]["code"] in codes, f"stop: {answer}")
            return
        row = self.rows.get(asked.get("turn_id") or "")
        if row is None:
            return
        if TurnState(answer["state"]).final:
            self.must(row.state == answer["state"], f"{row.id}: stop says {answer['state']}, it is {row.state}")
        self.stop_told.add(row.id)


def _row(fields: tuple[Any, ...]) -> Row:
    turn_id, conversation, index, client_id, owner, state, text, answer, seq, corrected, stop_at = fields
    flags = {"corrected": bool(corrected), "to_stop": stop_at is not None}
    return Row(turn_id, conversation, index, client_id, owner, TurnState(state), text, answer, seq, **flags)


def numbered(text: str) -> str:
    """The whole text with numbers for its markers, made at once."""
    names: dict[str, int] = {}
    return MARKER.sub(lambda found: f"[{names.setdefault(found[1], len(names) + 1)}]", text)
