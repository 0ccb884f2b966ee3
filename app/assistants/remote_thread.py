"""A thread on the other side, during one turn: what is put into it, once, and the runs that have to leave it.

What changes something there is repeated only when the other side itself said that it failed, and after a lost
connection only when reading back shows that it was not carried out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from app.assistants.fields import mapping
from app.assistants.retrying import Steps
from app.assistants.thread_runs import ACTIVE, Calls, leave_run, status_of
from app.assistants.upstream_errors import SENTENCES
from app.chat.interfaces import Cancellation, Exchange, Trace
from app.errors import AssistantError, Code

ENDS_WITHIN = 10.0
"""Seconds in which a cancelled run has to end."""
POLL_EVERY = 0.25
NEWEST = 100
"""Messages that are looked at when it is not known what a thread has; the most that the API gives at once."""


class RemoteThread(Calls):
    """A thread on the other side, during one turn. `api`: the SDK's threads, `with_raw_response`."""

    def __init__(self, api: Any, cancellation: Cancellation, thread_id: str = "") -> None:
        super().__init__(cancellation)
        self.id = thread_id
        self._api = api

    def create(self) -> Steps[None]:
        # Not after a lost connection: nobody could find the first one again.
        fields = yield from self.change(self._api.create)
        self.id = fields["id"]
        yield Trace(thread_id=self.id)

    def add(self, role: str, text: str, metadata: dict[str, str]) -> Steps[None]:
        """Add a message, once, whatever happens to the connection. By its metadata it is found again."""

        def post() -> Any:
            return self._api.messages.create(self.id, role=role, content=text, metadata=metadata)

        try:
            yield from self.change(post)
            return
        except AssistantError as error:
            if error.answered:
                yield from self.unblock(error)
            elif metadata in (yield from self._newest_metadata(metadata)):
                return
        yield from self.change(post)

    def add_missing(self, history: Sequence[Exchange]) -> Steps[None]:
        """Add earlier turns, but none that a turn before this one added and then did not come to its answer."""
        missing = list(copies(history))
        there = (yield from self._newest_metadata({"copy": ""})) if missing else []
        for role, text, metadata in missing:
            if text.strip() and metadata not in there:
                yield from self.add(role, text, metadata)

    def unblock(self, error: AssistantError) -> Steps[None]:
        """End the active run that was the reason of `error`; raise `error` if there is none."""
        if status_of(error) not in (400, 409):
            raise error
        runs = yield from self.read(lambda: self._api.runs.list(self.id), "data")
        active = next((run for run in runs["data"] if mapping(run).get("status") in ACTIVE), None)
        if active is None:
            raise error
        yield from self.end_run(str(active.get("id")))

    def end_run(self, run_id: str) -> Steps[None]:
        """See a run to its end: cancel it if it is active, and wait. Raises `AssistantError` if it does not end."""
        deadline = time.monotonic() + ENDS_WITHIN
        asked = False
        while (yield from self._status_of(run_id)) in ACTIVE:
            if time.monotonic() > deadline:
                sentence = SENTENCES[Code.ASSISTANT_BUSY]
                raise AssistantError(Code.ASSISTANT_BUSY, sentence, detail=f"run {run_id} does not end")
            if asked:
                self.cancellation.wait(POLL_EVERY)
                continue
            asked = True
            try:
                yield from self.read(lambda: self._api.runs.cancel(run_id, thread_id=self.id))
            except AssistantError as error:
                # It has ended in between, or is being cancelled already.
                if status_of(error) not in (400, 404, 409):
                    raise

    def leave_run(self, run_id: str | None, turn_id: str) -> None:
        """Cancel the run of a turn that reads it no more. Without its id: the one that was perhaps created."""
        leave_run(self._api.runs, self.id, run_id, turn_id, stopped=self.cancellation.cancelled)

    def _status_of(self, run_id: str) -> Steps[str]:
        """The state of a run; "" if it is not known there."""
        try:
            run = yield from self.read(lambda: self._api.runs.retrieve(run_id, thread_id=self.id))
        except AssistantError as error:
            if status_of(error) != 404:
                raise
            return ""
        return str(run.get("status"))

    def _newest_metadata(self, like: dict[str, str]) -> Steps[list[dict[str, Any]]]:
        """What the newest messages were marked with, of the keys of `like`."""
        messages = yield from self.read(lambda: self._api.messages.list(self.id, limit=NEWEST), "data")
        marks = [mapping(mapping(message).get("metadata")) for message in messages["data"]]
        return [{key: mark.get(key) for key in like} for mark in marks]


def copies(history: Sequence[Exchange]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Earlier turns as messages: role, text, and the metadata by which they are found again."""
    for exchange in history:
        whole = f"{exchange.question}\0{exchange.answer}".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(whole).hexdigest()[:32]
        yield "user", exchange.question, {"copy": f"user {digest}"}
        yield "assistant", exchange.answer, {"copy": f"assistant {digest}"}
