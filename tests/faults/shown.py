"""What one tab shows of one turn: rules 2, 3 and 4 for clients in docs/protocol.md, and no more."""

from __future__ import annotations

from typing import Any

from tests.faults.evidence import Evidence, Promise

FINAL = ("complete", "stopped", "failed", "interrupted", "truncated")


class Shown:
    """`state` is None until the turn has ended."""

    def __init__(self, tab: str, turn_id: str, evidence: Evidence) -> None:
        self.turn_id = turn_id
        self.text = ""
        self.seq = -1
        self.state: str | None = None
        self.heard_at = 0.0
        self.asked_at: float | None = None
        """When a `resume` was sent whose answer is not there yet."""
        self._tab = tab
        self._evidence = evidence
        self._early: dict[int, str] = {}

    @property
    def hole(self) -> bool:
        """Pieces are here that cannot be put in their place, for one before them is missing."""
        return bool(self._early) and self.state is None

    def piece(self, seq: int, text: str) -> None:
        self._evidence.piece(self._tab, self.turn_id, seq, text)
        if self.state is not None:
            return
        if seq <= self.seq or seq in self._early:
            self._evidence.count("repeats ignored")
            return
        self._early[seq] = text
        self._put_in_place()

    def replace(self, text: str, seq: int) -> None:
        """A `reset`, or `session.running`."""
        if self.state is not None or seq <= self.seq:
            return
        self._evidence.count("resets")
        self.text, self.seq = text, seq
        self._early = {number: piece for number, piece in self._early.items() if number > seq}
        self._evidence.shows(self._tab, self.turn_id, self.seq, self.text)
        self._put_in_place()

    def finish(self, state: str, text: str) -> None:
        """The last word, from wherever it came."""
        if self.state is not None:
            if (self.state, self.text) != (state, text):
                self._evidence.fault(
                    Promise.ENDS, f"turn {self.turn_id}: it ended twice, as {self.state} and as {state}"
                )
            return
        if len(text) < len(self.text):
            self._evidence.count("ends that took something back")
        self.state, self.text = state, text

    def finish_live(self, finished: dict[str, Any]) -> None:
        """`turn_finished`, on a connection that was there all the time: nothing may be missing before it."""
        if self.state is None and self.seq != finished["seq"]:
            self._evidence.fault(
                Promise.PIECES,
                f"turn {self.turn_id}: {self._tab} had the pieces up to {self.seq} "
                f"and was told of the end after {finished['seq']}, without a cut between them",
            )
        self.finish_asked(finished)

    def finish_asked(self, finished: dict[str, Any]) -> None:
        """The end with the `seq` that it covers: the pieces up to there are its text."""
        comparable = self.state is None and self.seq == finished["seq"] and not finished.get("corrected")
        if comparable and self.text != finished["text"]:
            wrong = f"the pieces up to {self.seq} in {self._tab} are not its text"
            self._evidence.fault(Promise.PIECES, f"turn {self.turn_id}: {wrong}")
        self.finish(finished["state"], finished["text"])

    def _put_in_place(self) -> None:
        before = self.seq
        while self.seq + 1 in self._early:
            self.seq += 1
            self.text += self._early.pop(self.seq)
        if self.seq > before:
            self._evidence.shows(self._tab, self.turn_id, self.seq, self.text)
