"""What tests of erasure need: a journal with people in it, and an Elasticsearch and an assistant in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.chat.identity import Identity, new_identity
from app.chat.interfaces import Trace
from app.chat.turns import Turn, TurnState, UserMessage
from app.errors import AssistantError, ChatServerError, Code
from app.transcripts.database import Database
from app.transcripts.eraser import Eraser
from app.transcripts.erasure import Erasure
from app.transcripts.journal import SqlJournal
from app.transcripts.leases import Leases
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Kind, Step, Tombstone, Tombstones

DAY = 86_400_000


class Crash(BaseException):
    """The process ends here. Nothing catches it."""


WRITES = {
    "bury", "bury_aged", "delete", "erase", "erase_before", "finish_age", "forget", "release", "save", "scrub", "take",
}  # fmt: skip


class Fuse:
    """Ends the process at the `at`-th boundary: before or after any call that changes something."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.passed = 0
        self.where = ""

    def tick(self, where: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            self.where = where
            raise Crash(where)

    def wrap(self, target: Any) -> Any:
        fuse = self

        class Wrapped:
            def __getattr__(self, name: str) -> Any:
                found = getattr(target, name)
                if name not in WRITES:
                    return found

                def call(*arguments: Any, **named: Any) -> Any:
                    fuse.tick(f"before {name}")
                    result = found(*arguments, **named)
                    fuse.tick(f"after {name}")
                    return result

                return call

        return Wrapped()


class MemoryIndex:
    """Elasticsearch: documents by id, as (conversation, user, moment). `refuses` raises at every call."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[str, str, int]] = {}
        self.refuses: ChatServerError | None = None
        self.calls: list[str] = []

    def add(self, turn: Turn) -> None:
        self.documents[f"{turn.conversation}:{turn.id}"] = (turn.conversation, turn.user_id, turn.finished_at or 0)

    def may_erase(self) -> None:
        self._call("may_erase")

    def count(self, field: str, value: str) -> int:
        self._call("count")
        return len(self._found(field, value))

    def count_before(self, moment: int) -> int:
        self._call("count")
        return len(self._old(moment))

    def erase(self, field: str, value: str) -> int:
        self._call("erase")
        return self._delete(self._found(field, value))

    def erase_before(self, moment: int) -> int:
        self._call("erase_before")
        return self._delete(self._old(moment))

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.refuses is not None:
            raise self.refuses

    def _found(self, field: str, value: str) -> list[str]:
        place = {"gen_ai.conversation.id": 0, "user.id": 1}[field]
        return [ident for ident, document in self.documents.items() if document[place] == value]

    def _old(self, moment: int) -> list[str]:
        young = {conversation for conversation, _, at in self.documents.values() if at >= moment}
        return [ident for ident, document in self.documents.items() if document[0] not in young]

    def _delete(self, idents: list[str]) -> int:
        for ident in idents:
            del self.documents[ident]
        return len(idents)


class MemoryThreads:
    """An assistant that keeps threads on the other side."""

    name = "threads"

    def __init__(self) -> None:
        self.threads: dict[str, list[str]] = {}
        self.fails: AssistantError | None = None

    def forget(self, thread_id: str, _responses: Any) -> None:
        if self.fails is not None:
            raise self.fails
        self.threads.pop(thread_id, None)


class World:
    """One server's data folder, seen by one worker, `me`. `now` is the time, in milliseconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copy(empty_journal(), path / "journal.sqlite3")
        self.database = Database(path / "journal.sqlite3")
        self.journal = SqlJournal(self.database, owner="me")
        self.tombstones = Tombstones(self.database)
        self.index = MemoryIndex()
        self.threads = MemoryThreads()
        self.workers: dict[str, int] = {}
        self.now = 1_700_000_000_000
        self.erasure = self.new_erasure()

    def new_erasure(self, fuse: Fuse | None = None, holder: str = "me", *, elastic: bool = True) -> Erasure:
        """An erasure as a new process has it."""
        wrap: Callable[[Any], Any] = fuse.wrap if fuse else lambda target: target
        leases = Leases(self.database, lambda other: other.startswith("dead"))
        return Erasure(
            wrap(self.tombstones), wrap(Subjects(self.database)), wrap(leases), holder,
            lambda: self.workers, lambda: self.now, wrap(self.index) if elastic else None, wrap(self.threads),
        )  # fmt: skip

    def eraser(self, **options: Any) -> Eraser:
        return Eraser(self.erasure, self.tombstones, lambda: self.now, **options)

    def ask(self, kind: Kind, subject: str) -> Tombstone:
        """Have something erased, with every worker having done its part."""
        tombstone = self.erasure.ask(kind, subject)
        self.tell()
        return tombstone

    def tell(self) -> None:
        self.workers = {worker: self.tombstones.newest() for worker in self.workers}

    def work(self, rounds: int = 4) -> None:
        """What the server's eraser does in some seconds."""
        for _ in range(rounds):
            self.tell()
            self.erasure.work()
            self.now += 1_000

    def state(self, tombstone: Tombstone) -> Tombstone:
        found = self.tombstones.get(tombstone.id)
        assert found is not None
        return found

    def step(self, tombstone: Tombstone) -> Step:
        return self.state(tombstone).step

    def says(self, identity: Identity, text: str, *, there: bool = True) -> Turn:
        """A turn that waits, with a thread on the other side."""
        turn = self.journal.accept(identity, UserMessage(text, text), f"{identity.conversation}-{text}", self.now)
        if there:
            thread = f"thread-{identity.conversation}"
            self.threads.threads.setdefault(thread, []).append(text)
            self.journal.trace(turn.id, "threads", Trace(thread_id=thread))
        return turn

    def talks(self, identity: Identity | None = None, *texts: str) -> Identity:
        """Whole turns of somebody, rated, shipped and with a thread on the other side."""
        identity = identity or new_identity()
        for text in texts or ("secret-one", "secret-two"):
            turn = self.says(identity, text)
            self.journal.start(turn.id, self.now)
            complete = {"state": TurnState.COMPLETE, "answer": f"about {text}", "assistant": "threads"}
            ended = replace(turn, finished_at=self.now, **complete)  # type: ignore[arg-type]
            assert self.journal.finish(ended)
            self.journal.rate(turn.id, "up", f"comment on {text}", self.now)
            self.index.add(ended)
        return identity

    def send_batch(self, seconds: float = 60) -> None:
        """A batch is on its way to Elasticsearch from now on."""
        assert Leases(self.database).take("shipping", "w", self.now, seconds)

    def traces(self, identity: Identity) -> list[str]:
        """Where there still is something of a conversation."""
        _, turns = Subjects(self.database).count("conversation", identity.conversation)
        found = {
            "journal": self.journal.owner_of(identity.conversation) is not None or turns > 0,
            "elasticsearch": any(document[0] == identity.conversation for document in self.index.documents.values()),
            "threads": f"thread-{identity.conversation}" in self.threads.threads,
        }
        return [name for name, there in found.items() if there]

    def files_have(self, text: str) -> bool:
        """Whether a text stands anywhere in the journal's files."""
        return any(text.encode() in file.read_bytes() for file in self.path.iterdir() if file.is_file())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@cache
def empty_journal() -> Path:
    """A journal as the migrations make it; they take longer than most tests."""
    path = Path(tempfile.mkdtemp(prefix="empty-journal-")) / "journal.sqlite3"
    database = Database(path)
    database.upgrade()
    database.close()
    return path


UNREACHABLE = AssistantError(Code.ASSISTANT_UNAVAILABLE, "sorry", detail="timeout", transient=True)
EVERYWHERE = ["journal", "elasticsearch", "threads"]
