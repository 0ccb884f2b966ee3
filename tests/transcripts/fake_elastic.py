"""An Elasticsearch in a dictionary, with a real one's faults. It passes the contract of what it stands for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from app.transcripts.elastic_errors import ElasticError
from app.transcripts.records import Document


class Outcome(NamedTuple):
    id: str
    state: Literal["stored", "again", "refused"]
    reason: str | None = None


class FakeElastic:
    """Keeps what is created. `faults`: errors of the next calls, None for a call that goes well.

    `lost`: how many calls do their work and then lose the answer, as the error given there. `judge`: what becomes of
    a document that is new.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.batches: list[list[str]] = []
        self.faults: deque[ElasticError | None] = deque()
        self.lost: deque[ElasticError] = deque()
        self.judge: Callable[[Document], Outcome] = lambda document: Outcome(document.id, "stored")
        self.check_faults: deque[ElasticError | None] = deque()
        self.checks = 0
        self.arrived: Callable[[], object] = lambda: None

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        fault = self.faults.popleft() if self.faults else None
        if fault:
            raise fault
        self.batches.append([document.id for document in documents])
        outcomes = [self._create(document) for document in documents]
        self.arrived()
        if self.lost:
            raise self.lost.popleft()
        return outcomes

    def check(self) -> None:
        self.checks += 1
        fault = self.check_faults.popleft() if self.check_faults else None
        if fault:
            raise fault

    def _create(self, document: Document) -> Outcome:
        if document.id in self.kept:
            return Outcome(document.id, "stored")
        outcome = self.judge(document)
        if outcome.state == "stored":
            self.kept[document.id] = document.source
        return outcome
