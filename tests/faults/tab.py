"""One tab of a conversation: connects for ever and follows the rules for clients of docs/protocol.md to the letter."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.faults.by_polling import ByPolling
from tests.faults.by_websocket import ByWebsocket
from tests.faults.connection import Answer, Connect, Connection, Event, Lost
from tests.faults.evidence import Evidence, Promise
from tests.faults.outbox import AGAIN_LATER, Outbox
from tests.faults.shown import FINAL, Shown
from tests.faults.stops import Stops

LISTEN = 0.05
FORGETS = 0.3
ASKS = 0.004
"""How likely a tab is to claim fewer pieces than it has when it connects, and to ask for some again at any moment."""
GREED = 6
"""Whole answers that a greedy tab asks for at once."""
TRANSPORTS: dict[str, Connect] = {"websocket": ByWebsocket, "polling": ByPolling}


@dataclass
class Ticket:
    """What a browser keeps in localStorage: the tabs of a conversation share it."""

    token: str | None = None


@dataclass(frozen=True)
class Patience:
    """Seconds: without an acknowledgement (the rules say 10 or so), of silence about a turn (the rules say 15)."""

    acknowledgement: float = 4.0
    silence: float = 6.0


class Tab:
    """Runs in a thread of its own until `close`. `draw` decides how long it waits between two connections."""

    def __init__(
        self, name: str, url: str, ticket: Ticket, evidence: Evidence, patience: Patience, transport: str = "websocket"
    ) -> None:
        self.name = name
        self.turns: dict[str, Shown] = {}
        self.outbox = Outbox(evidence, patience.acknowledgement)
        self.stops = Stops(evidence, patience.acknowledgement)
        self.ready = threading.Event()
        self._url = url
        self._transport = transport
        self._ticket = ticket
        self._evidence = evidence
        self._patience = patience
        self._draw = random.Random(name)
        self._closing = threading.Event()
        self._connection: Connection
        self._greeted = False
        self._awaited: Shown | None = None
        self._asked: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._reads_back = True
        self._read: set[str] = set()
        self._wanted: deque[str] = deque()
        self._events: dict[str, Callable[[dict[str, Any]], None]] = {
            "session": self._session,
            "turn_started": self._heard,
            "turn_status": self._heard,
            "assistant_message": self._piece,
            "turn_finished": self._finished,
            "server_message": self._message,
        }
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ended(self, turn_id: str) -> bool:
        """Does it show the end of this turn?"""
        shown = self.turns.get(turn_id)
        return shown is not None and shown.state is not None

    @property
    def settled(self) -> bool:
        return self.outbox.empty and self.stops.empty

    def want_again(self, turn_id: str) -> None:
        """Have it ask for a whole answer, several times at once, whatever it has of it. From any thread."""
        self._wanted.append(turn_id)

    def close(self) -> None:
        self._closing.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._connection = TRANSPORTS[self._transport](self._url, self._auth())
                self._evidence.count(f"connections by {self._transport}")
                self._live()
            except Lost:
                self._closing.wait(self._draw.uniform(0.02, 0.4))
            except Exception as error:
                self._evidence.fault(Promise.MANNERS, f"{self.name} could not go on: {error!r}")
                raise

    def _live(self) -> None:
        self._greeted = False
        self._asked.clear()
        for shown in self.turns.values():
            shown.asked_at = None
        while not self._closing.is_set():
            packet = self._connection.receive(LISTEN)
            if isinstance(packet, Event) and packet.name in self._events:
                self._events[packet.name](packet.payload)
            elif isinstance(packet, Answer):
                self._answered(packet)
            if self._greeted:
                self._ask_what_is_missing()
                self._ask_again()
                self.outbox.send_due(self._connection.emit)
                self.stops.send_due(self._connection.emit, self._connection.close)
        self._connection.close()

    def _auth(self) -> dict[str, Any]:
        auth: dict[str, Any] = {"protocol": 1, "token": self._ticket.token}
        self._awaited = next((shown for shown in self.turns.values() if shown.state is None), None)
        if self._awaited is not None:
            auth["after"] = {"turn_id": self._awaited.turn_id, "seq": self._remembered(self._awaited, FORGETS)}
        return auth

    def _session(self, session: dict[str, Any]) -> None:
        if session.get("renewed"):
            self._evidence.fault(Promise.MANNERS, f"{self.name}: its token was {session['renewed']}")
        self._ticket.token = session["token"]
        if self._awaited is not None and "resumed" in session:
            self._catch_up(self._awaited, session["resumed"])
        self._page(session["turns"], more=session["more"])
        if running := session["running"]:
            self._shown(running["turn_id"]).replace(running["text"], running["seq"])
        self.outbox.reconnected()
        self.stops.reconnected()
        self._greeted = True
        self.ready.set()

    def _page(self, turns: list[dict[str, Any]], *, more: bool) -> None:
        """The turns of `session` or a page of `history`. Once one is new, all older ones are asked for."""
        # Not what was heard live: that can be a turn of which the session, with those before it, was lost in a cut.
        known = all(turn["turn_id"] in self._read for turn in turns)
        for turn in turns:
            self._read.add(turn["turn_id"])
            shown = self._shown(turn["turn_id"])
            if turn["state"] in FINAL:
                shown.finish(turn["state"], turn["answer"])
        self._reads_back = more and (self._reads_back or not known)
        if self._reads_back:
            self._evidence.count("pages of history")
            asked = {"before": turns[0]["turn_id"], "limit": self._draw.randint(1, 5)}
            self._asked[self._connection.emit("history", asked)] = self._older

    def _older(self, answer: dict[str, Any]) -> None:
        if answer["ok"]:
            self._page(answer["turns"], more=answer["more"])
        else:
            self._evidence.fault(Promise.MANNERS, f"{self.name} cannot read its history: {answer['error']}")

    def _heard(self, payload: dict[str, Any]) -> None:
        self._shown(payload["turn_id"])

    def _piece(self, piece: dict[str, Any]) -> None:
        if piece["turn_id"] in self.stops.ended:
            late = f"{self.name} got piece {piece['seq']} behind the acknowledgement of its stop"
            self._evidence.fault(Promise.STOPS, f"turn {piece['turn_id']}: {late}")
        self._shown(piece["turn_id"]).piece(piece["seq"], piece["text"])

    def _finished(self, finished: dict[str, Any]) -> None:
        shown = self._shown(finished["turn_id"])
        if self._greeted:
            shown.finish_live(finished)
        else:
            shown.finish(finished["state"], finished["text"])

    def _message(self, message: dict[str, Any]) -> None:
        self._evidence.count(f"server_message: {message['code']}")

    def _shown(self, turn_id: str) -> Shown:
        shown = self.turns.get(turn_id)
        if shown is None:
            shown = self.turns[turn_id] = Shown(self.name, turn_id, self._evidence)
        shown.heard_at = time.monotonic()
        return shown

    def _answered(self, answer: Answer) -> None:
        if take := self._asked.pop(answer.number, None):
            return take(answer.payload)
        if self.stops.acknowledged(answer.number, answer.payload):
            return
        repeated = self.outbox.acknowledged(answer.number, answer.payload)
        if repeated and repeated not in self.turns:
            self._resume(self._shown(repeated))

    def _catch_up(self, shown: Shown, answer: dict[str, Any]) -> None:
        shown.asked_at, shown.heard_at = None, time.monotonic()
        if not answer["ok"]:
            self._evidence.count(f"resume refused: {answer['error']['code']}")
            if answer["error"]["code"] not in AGAIN_LATER:
                self._evidence.fault(Promise.MANNERS, f"turn {shown.turn_id} cannot be resumed: {answer['error']}")
            return
        for piece in answer.get("pieces", ()):
            shown.piece(piece["seq"], piece["text"])
        if reset := answer.get("reset"):
            shown.replace(reset["text"], reset["seq"])
        if finished := answer.get("finished"):
            shown.finish_asked(finished)

    def _ask_what_is_missing(self) -> None:
        now = time.monotonic()
        for shown in list(self.turns.values()):
            waiting = shown.asked_at is not None and now - shown.asked_at < self._patience.silence
            if shown.state is not None or waiting:
                continue
            if shown.hole:
                # Healed, but one worker has no excuse for it: whoever joined hears every piece.
                self._evidence.fault(
                    Promise.PIECES, f"turn {shown.turn_id}: {self.name} missed {shown.seq + 1} at first"
                )
                self._resume(shown)
            elif now - shown.heard_at > self._patience.silence:
                self._evidence.count("silences")
                self._resume(shown)
            elif shown.seq >= 0 and self._draw.random() < ASKS:
                self._resume(shown, self._remembered(shown, 1.0))

    def _ask_again(self) -> None:
        while self._wanted:
            shown = self._shown(self._wanted.popleft())
            for _ in range(GREED):
                self._resume(shown, -1)

    def _remembered(self, shown: Shown, forgets: float) -> int:
        """The last piece that the tab says it has: less than the truth now and then, so that pieces come twice."""
        return self._draw.randint(-1, shown.seq) if self._draw.random() < forgets else shown.seq

    def _resume(self, shown: Shown, after: int | None = None) -> None:
        self._evidence.count("resumes")
        shown.asked_at = time.monotonic()
        after_seq = shown.seq if after is None else after
        asked = self._connection.emit("resume", {"turn_id": shown.turn_id, "after_seq": after_seq})
        self._asked[asked] = partial(self._catch_up, shown)
