"""A browser tab that keeps the rules for clients of docs/protocol.md, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.faults.machine.sockets import Link, Packet

Call = tuple[str, dict[str, Any]]
"""An event that the tab wants to send, and its payload."""

FINAL = {"complete", "stopped", "failed", "interrupted", "truncated"}


@dataclass
class Shown:
    """An answer as the tab shows it: `text` covers the pieces up to `seq`; `early`: pieces behind a hole."""

    text: str = ""
    seq: int = -1
    state: str | None = None
    feedback: str | None = None
    early: dict[int, str] = field(default_factory=dict)

    def take(self, seq: int, text: str) -> None:
        if self.state is None and seq > self.seq:
            self.early[seq] = text
        self._place()

    def reset(self, text: str, seq: int) -> None:
        if self.state is None and seq > self.seq:
            self.text, self.seq = text, seq
        self._place()

    def finish(self, state: str, text: str) -> None:
        self.state, self.text = state, text
        self.early.clear()

    def _place(self) -> None:
        while self.seq + 1 in self.early:
            self.seq += 1
            self.text += self.early[self.seq]
        self.early = {seq: text for seq, text in self.early.items() if seq > self.seq}


class Tab:
    """One tab. It never acts by itself: `hear` gives what it wants to send next."""

    def __init__(self, name: str, token: str | None = None) -> None:
        self.name = name
        self.token = token
        self.open = True
        self.prompt = True
        self.conversation: str | None = None
        self.link: Link | None = None
        self.forget()

    def forget(self) -> None:
        """A reload: all is gone but the token."""
        self.greeted = False
        self.shown: dict[str, Shown] = {}
        self.outgoing: dict[str, Any] | None = None
        self._asked_after: str | None = None

    @property
    def ready(self) -> bool:
        """May it send? (Rule 1: not before `session`; nor while it waits for that of a new conversation.)"""
        if not self.greeted or self.link is None or not self.link.up:
            return False
        return all(event != "new_conversation" for event, _ in self.link.calls.values())

    def auth(self) -> dict[str, Any]:
        after = next(((turn_id, shown) for turn_id, shown in self.shown.items() if shown.state is None), None)
        known = {"after": {"turn_id": after[0], "seq": after[1].seq}} if after else {}
        self._asked_after = after[0] if after else None
        return {"protocol": 1, "token": self.token, **known}

    def quiet(self) -> list[Call]:
        """Nothing was heard for 15 s: ask for every turn that has not ended, and repeat what was not acknowledged."""
        asking = [_resume(turn_id, shown) for turn_id, shown in self.shown.items() if shown.state is None]
        return asking + self._again()

    def hear(self, packet: Packet) -> list[Call]:
        if packet.call is not None:
            assert self.link is not None
            return self._answered(packet, self.link.calls.pop(packet.call))
        payload = packet.payload
        if packet.event == "session":
            return self._begin(payload, payload.get("resumed"))
        if packet.event == "turn_started":
            self._turn(payload["turn_id"])
        elif packet.event == "assistant_message":
            self._turn(payload["turn_id"]).take(payload["seq"], payload["text"])
        elif packet.event == "turn_finished":
            self._turn(payload["turn_id"]).finish(payload["state"], payload["text"])
        elif packet.event == "turn_rated":
            self._turn(payload["turn_id"]).feedback = payload["rating"]
        return self._holes() if packet.event == "assistant_message" else []

    def _begin(self, session: dict[str, Any], resumed: dict[str, Any] | None) -> list[Call]:
        self.greeted = True
        self.token, self.conversation = session["token"], session["conversation_uuid"]
        for turn in session["turns"]:
            shown = self._turn(turn["turn_id"])
            shown.feedback = turn["feedback"]
            if turn["state"] in FINAL:
                shown.finish(turn["state"], turn["answer"])
        if session["running"]:
            running = session["running"]
            self._turn(running["turn_id"]).reset(running["text"], running["seq"])
        if resumed and resumed["ok"] and self._asked_after:
            self._catch_up(self._asked_after, resumed)
        return self._again() + self._holes()

    def _answered(self, packet: Packet, asked: Call) -> list[Call]:
        event, payload = asked
        answer = packet.payload
        if event == "new_conversation" and answer["ok"]:
            self.forget()
            return self._begin(answer["session"], None)
        if event == "resume" and payload["turn_id"] not in self.shown:
            return []  # it was asked in the conversation before this one
        if event == "resume" and answer["ok"]:
            self._catch_up(payload["turn_id"], answer)
            return self._holes()
        if event == "resume" and answer["error"]["code"] == "unknown_turn":
            self.shown.pop(payload["turn_id"], None)
        if event == "user_message" and self.outgoing == payload:
            return self._accepted(answer)
        return []

    def _accepted(self, answer: dict[str, Any]) -> list[Call]:
        """What was sent is acknowledged, or refused; then people may send it again."""
        if answer.get("error", {}).get("code") == "not_connected":
            return []
        self.outgoing = None
        if not answer["ok"] or answer["turn_id"] in self.shown:
            return []
        shown = self._turn(answer["turn_id"])
        return [_resume(answer["turn_id"], shown)] if answer["duplicate"] else []

    def _catch_up(self, turn_id: str, answer: dict[str, Any]) -> None:
        shown = self._turn(turn_id)
        for piece in answer.get("pieces", []):
            shown.take(piece["seq"], piece["text"])
        if "reset" in answer:
            shown.reset(answer["reset"]["text"], answer["reset"]["seq"])
        if "finished" in answer:
            shown.finish(answer["finished"]["state"], answer["finished"]["text"])

    def _turn(self, turn_id: str) -> Shown:
        return self.shown.setdefault(turn_id, Shown())

    def _again(self) -> list[Call]:
        return [("user_message", self.outgoing)] if self.outgoing else []

    def _holes(self) -> list[Call]:
        if not self.greeted:
            return []
        return [_resume(turn_id, shown) for turn_id, shown in self.shown.items() if shown.early]


def _resume(turn_id: str, shown: Shown) -> Call:
    return "resume", {"turn_id": turn_id, "after_seq": shown.seq}
