"""One worker over the journal's file, put together as in `ws.server`, with a test's hand between all its parts."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from socketio.exceptions import ConnectionRefusedError

from app.chat.clock import Clock
from app.chat.conversations import Conversations
from app.chat.identity import Tokens
from app.chat.interfaces import Event, Finished, Question
from app.chat.queue import TurnQueue
from app.chat.runner import Limits, Runner
from app.chat.turns import Turn
from app.chat.user_tokens import UserTokens
from app.errors import JournalError
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.past import PastConversations
from app.web.metrics import Metrics
from tests.faults.machine.green import Green, GreenLock, Life
from tests.faults.machine.ledger import Ledger, Moment
from tests.faults.machine.sockets import Link, Packet, Sockets
from ws.clients import Clients
from ws.emitter import Emitter
from ws.entrance import Entrance
from ws.live import MemoryReplay
from ws.namespace import ChatNamespace

MAX_RUNNING, MAX_WAITING, TURN_QUEUE, DEADLINE = 2, 3, 2, 60.0
TOKENS = Tokens(["a key of thirty-two characters!!"], 86_400)
WRITES = {"accept", "start", "keep_texts", "finish", "trace", "request_stop", "rate"}
CUT = "cut"
"""A step of the assistant: its stream just ends."""


class PlannedFault(Exception):
    """A bug of the assistant, on purpose."""


Step = Event | Exception | str


@dataclass(eq=False)
class Stream:
    """An answer that the assistant is asked for. It says what the test puts into `steps`."""

    question: Question
    life: Life
    steps: deque[Step] = field(default_factory=deque)


class DrivenAssistant:
    """Says what the test tells it to, when the test tells it to; ends when it is cancelled."""

    name = "driven"

    def __init__(self, green: Green, ledger: Ledger, life: Life, streams: list[Stream]) -> None:
        self._green, self._ledger, self._life, self._streams = green, ledger, life, streams

    def ready(self) -> bool:
        return True

    def stream(self, question: Question) -> Generator[Event, None, None]:
        self._ledger.asks(question)
        stream = Stream(question, self._life)
        self._streams.append(stream)
        try:
            while True:
                self._green.wait_for(lambda: bool(stream.steps) or question.cancellation.cancelled)
                if not stream.steps:
                    return
                step = stream.steps.popleft()
                if isinstance(step, Exception | str):
                    self._ledger.causes[question.turn_id].add("failed")
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    return
                self._ledger.says(question.turn_id, step)
                yield step
                if isinstance(step, Finished):
                    return
        finally:
            self._streams.remove(stream)


class Between:
    """Stands before a part of the house: others may come in before and after each of its calls."""

    def __init__(self, inner: Any, point: Callable[[], None], check: Callable[[str], None] = lambda _: None) -> None:
        self._inner, self._point, self._check = inner, point, check

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._point()
            self._check(name)
            result = method(*arguments, **named)
            self._point()
            return result

        return call


class Overhearing:
    """A listener that writes down what it passes on."""

    def __init__(self, inner: Emitter, ledger: Ledger) -> None:
        self._inner, self._ledger = inner, ledger
        self.status, self.finished, self.reasoning = inner.status, inner.finished, inner.reasoning

    def started(self, turn: Turn) -> None:
        self._ledger.started(turn)
        self._inner.started(turn)

    def piece(self, turn: Turn, seq: int, text: str) -> None:
        self._ledger.made(turn.id, seq, text)
        self._inner.piece(turn, seq, text)


class Worker:
    """One life: nothing of it but the journal's file outlives it. `killing`: its threads can be ended from outside."""

    def __init__(self, green: Green, ledger: Ledger, database: Database, number: int, *, killing: bool) -> None:
        self.life = Life(number)
        self.owner = f"worker {number}"
        self.journal_broken = False
        self.streams: list[Stream] = []
        self._green, self._ledger, self._killing = green, ledger, killing
        self._sids = itertools.count()
        self._calls = itertools.count()
        journal = SqlJournal(database, self.owner)
        self._interrupt_the_dead(journal)
        between: Any = Between(journal, green.point, self._check_journal)
        replay = Between(MemoryReplay(), green.point)
        metrics = Metrics()
        self.sockets = Sockets(green.point, self._heard)
        listener: Any = Overhearing(Emitter(partial(self.sockets.emit, namespace="/chat"), replay, metrics), ledger)
        self.queue = TurnQueue(MAX_RUNNING, MAX_WAITING, TURN_QUEUE)
        clock = Clock(self._seconds, lambda: int(green.now * 1000), green.sleep)
        assistant = DrivenAssistant(green, ledger, self.life, self.streams)
        spawn: Any = self._spawn
        self.runner = Runner(self.queue, assistant, between, listener, spawn, Limits(DEADLINE), clock)
        conversations: Any = Conversations(between, self.queue, self.runner, listener, clock.utc)
        # Its own locks are shared by several conversations, by a hash that is another in each process.
        locks: dict[str, GreenLock] = {}
        conversations._lock_of = lambda conversation: locks.setdefault(conversation, GreenLock(green))
        self.clients = Clients(TOKENS)
        nobody = lambda _identity: False  # noqa: E731
        entrance = Entrance(TOKENS, UserTokens(), between, trust_client_ids=False, erased=nobody)
        sockets, past = self.sockets, PastConversations(database)
        self.namespace = ChatNamespace(
            sockets, conversations, entrance, self.clients, past, replay, metrics, 1000, TURN_QUEUE
        )
        self._before: dict[str, Moment] = {}

    @property
    def idle(self) -> bool:
        """Nothing of it is in the middle of anything; what waits for the assistant or the time is not."""
        mine = [task for task in self._green.tasks if task.life is self.life]
        return not any(task.held or (task.wakes_at and task.name != "_tick_forever") for task in mine)

    def connect(self, auth: dict[str, Any]) -> Link:
        sid = f"sid {self.life.number}.{next(self._sids)}"
        link = self.sockets.open(sid)
        self._green.spawn(f"connect {sid}", self.life, partial(self._connect, link, auth))
        return link

    def call(self, link: Link, event: str, payload: dict[str, Any]) -> None:
        """A client's event arrives; each is worked on in a thread of its own."""
        number = next(self._calls)
        link.calls[number] = (event, payload)
        self._green.spawn(f"{event} {link.sid}", self.life, partial(self._call, link, number, event, payload))

    def hang_up(self, link: Link) -> None:
        """The server learns that a connection has ended."""
        if link.stands:
            self.sockets.close(link.sid)
            self._green.spawn("disconnect", self.life, partial(self.namespace.trigger_event, "disconnect", link.sid))

    def shut_down(self) -> None:
        self._ledger.doomed.add(self.owner)
        self._green.spawn("shut down", self.life, self.runner.interrupt)

    def die(self, *, late: bool) -> None:
        """Its process is gone. `late`: it was only taken for dead, and its turns still try to end."""
        for link in list(self.sockets.links.values()):
            self.sockets.close(link.sid)
            link.cut()
        # Whoever is only taken for dead goes on with all that it was at; half of a green thread is nowhere.
        begun = {"_run", "_tick_forever", "_end_early"}
        self._green.bury(self.life, lambda task: not (late and (task.name in begun or task.held)))
        self.life.gone = not late

    def _interrupt_the_dead(self, journal: SqlJournal) -> None:
        """As `app.main.open_journal` does it."""
        dead = journal.owners_of_unfinished()
        self._ledger.doomed.update(dead)
        if dead:
            journal.interrupt(dead, int(self._green.now * 1000))

    def _connect(self, link: Link, auth: dict[str, Any]) -> None:
        try:
            self.namespace.trigger_event("connect", link.sid, {}, auth)
        except ConnectionRefusedError as refused:
            self._ledger.wrong.append(f"a connection is refused: {refused.error_args}")
            return
        self._before[link.sid] = self._ledger.look()
        self._green.point()
        self.namespace.greet(link.sid)

    def _call(self, link: Link, number: int, event: str, payload: dict[str, Any]) -> None:
        before, identity = self._ledger.look(), self._identity(link.sid)
        if event == "stop" and identity is not None:
            self._ledger.stop_asked(identity[0], payload.get("turn_id"))
        answer = self.namespace.trigger_event(event, link.sid, payload)
        if identity is not None:
            self._check(event, identity, payload, answer, before)
        link.put(Packet(event, answer, number))

    def _check(self, event: str, identity: tuple[str, str], payload: Any, answer: Any, before: Moment) -> None:
        ledger = self._ledger
        if event == "user_message":
            ledger.check_accepted(identity[0], payload, answer, before)
        elif event == "resume":
            ledger.check_resumed(identity, payload["turn_id"], payload["after_seq"], answer, before)
        elif event == "stop":
            ledger.check_stopped(payload, answer)
        elif event == "new_conversation" and answer["ok"]:
            session = answer["session"]
            ledger.must(session["conversation_uuid"] != identity[0], "the new conversation is the old one")
            ledger.must(session["turns"] == [] and session["running"] is None, "the new conversation is not empty")

    def _heard(self, event: str, payload: dict[str, Any], links: list[Link]) -> None:
        if "turn_id" in payload:
            self._ledger.sent(event, payload, self.owner, [self._identity(link.sid) for link in links])
        elif event == "session" and links and (identity := self._identity(links[0].sid)):
            self._ledger.check_session(identity, payload, self._before[links[0].sid])
            if "resumed" in payload:
                client = self.clients.get(links[0].sid)
                assert client.after is not None
                after, before = client.after, self._before[links[0].sid]
                self._ledger.check_resumed(identity, after.turn_id, after.after_seq, payload["resumed"], before)
        elif event == "server_message" and payload["code"] != "not_connected":
            self._ledger.wrong.append(f"server_message {payload}")

    def _identity(self, sid: str) -> tuple[str, str] | None:
        client = self.clients.find(sid)
        return (client.identity.conversation, client.identity.user_id) if client else None

    def _check_journal(self, name: str) -> None:
        if self.journal_broken and name in WRITES:
            raise JournalError("broken", transient=True)

    def _seconds(self) -> float:
        self._green.point()
        return self._green.now

    def _spawn(self, work: Callable[[], object]) -> Callable[[], None]:
        name = getattr(work, "func", work).__name__
        task = self._green.spawn(name, self.life, work)
        return partial(self._green.kill, task) if self._killing else lambda: None


class Swallowed(logging.Handler):
    """Exceptions that the house caught at its edge and that nobody planned."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.ERROR)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None and not isinstance(fault, PlannedFault):
            self._ledger.wrong.append(f"{record.getMessage()}: {fault!r}")
