"""The Assistants API, version 2, of compatible servers: the history is theirs, in a thread per conversation.

A thread gets the turns that it lacks, then the message, then a run, whose stream is the answer. What changes
something there is repeated only when the other side itself said that it failed, and after a lost connection
only when reading back shows that it was not carried out. A run that nobody reads any more is cancelled: it
would keep the next message out of its thread.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import openai

from app.assistants.history import lacking, newest_half
from app.assistants.learned import Learned
from app.assistants.openai_client import FORGET_WITHIN, gone_is_well
from app.assistants.remote_thread import NEWEST, RemoteThread
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.thread_runs import RunReading, Stopped, called, opened, read_stream, status_of
from app.assistants.tools import MOST_ROUNDS, too_many_rounds
from app.chat.interfaces import Question, Remote, Status, Trace
from app.errors import AssistantError, Code

log = logging.getLogger(__name__)


class ThreadsAssistant:
    """Answers by one assistant of one server."""

    name = "threads"

    def __init__(
        self, client: openai.OpenAI, assistant_id: str, *,
        instructions: str | None = None, max_output_tokens: int | None = None, learned: Learned | None = None,
    ) -> None:  # fmt: skip
        self._learned = learned or Learned()
        # OpenAI says so at every call, and means its own servers.
        warnings.filterwarnings("ignore", message="The Assistants API is deprecated", category=DeprecationWarning)
        self._client = client
        # The SDK loads these parts at their first use: not in the first visitor's time.
        self._threads: Any = client.beta.threads.with_raw_response
        self._streams: Any = client.beta.threads.runs.with_streaming_response
        options = {"instructions": instructions, "max_completion_tokens": max_output_tokens}
        self._options = {"assistant_id": assistant_id, **{name: value for name, value in options.items() if value}}

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""
        try:
            yield from self._in_a_thread(question)
        except Stopped:
            return
        except AssistantError:
            if not question.cancellation.cancelled:
                raise

    def _in_a_thread(self, question: Question) -> Steps[None]:
        try:
            yield from self._answered(question)
            return
        except AssistantError as error:
            if error.code != Code.CONTEXT_TOO_LONG or not question.history:
                raise
        # A new thread gets what fits of the history.
        anew = replace(question, history=newest_half(question.history), remote=Remote())
        yield from shortened(lambda history: self._answered(replace(anew, history=history)), anew, self._learned)

    def _answered(self, question: Question) -> Steps[None]:
        thread = yield from self._prepared(question)
        try:
            yield from retried(lambda: self._answer(question, thread), question.cancellation, repeatable=False)
        except AssistantError as error:
            if thread.id != question.remote.thread_id and error.code == Code.CONTEXT_TOO_LONG:
                # The turn will name another one, and nobody could find this to delete it.
                with suppress(AssistantError):
                    self.forget(thread.id, ())
            raise

    def forget(self, thread_id: str, responses: Sequence[str]) -> None:  # noqa: ARG002  its runs go with it
        """Delete a thread with everything in it."""
        with gone_is_well():
            called(lambda: self._threads.delete(thread_id, timeout=FORGET_WITHIN))

    def _prepared(self, question: Question) -> Steps[RemoteThread]:
        """The conversation's thread, free and with the message as its last one."""
        known = question.remote.thread_id
        if known and not question.remote.settled and len(lacking(question.history, known)) * 2 > NEWEST:
            # It may have some of these turns already, more than can be looked at in one call.
            known = None
        if known:
            thread = RemoteThread(self._threads, question.cancellation, known)
            yield Trace(thread_id=known)
            try:
                if question.remote.orphan:
                    yield from thread.end_run(question.remote.orphan)
                yield from thread.add_missing(lacking(question.history, known))
                yield from thread.add("user", question.text, {"turn_id": question.turn_id})
                return thread
            except AssistantError as error:
                if status_of(error) != 404:
                    raise
            log.warning("turn %s: its thread is not known there any more; a new one is begun", question.turn_id)
        thread = RemoteThread(self._threads, question.cancellation)
        yield from thread.create()
        yield from thread.add_missing(question.history)
        yield from thread.add("user", question.text, {"turn_id": question.turn_id})
        return thread

    def _answer(self, question: Question, thread: RemoteThread) -> Steps[None]:
        """One run, with all rounds of function calls. It is over, or cancelled, when this is left."""
        run, made = RunReading(), True
        try:
            events = yield from self._created(question, thread)
            rounds = 0
            while not (yield from read_stream(events, run, question.cancellation)):
                rounds += 1
                if rounds > MOST_ROUNDS:
                    raise too_many_rounds()
                yield Status("tool")
                events = self._resumed(question, thread, run)
            if run.finished:
                yield run.finished
        except AssistantError as error:
            made = run.id is not None or status_of(error) is None
            raise
        finally:
            if made and not run.over:
                thread.leave_run(run.id, question.turn_id)

    def _created(self, question: Question, thread: RemoteThread) -> Steps[Any]:
        """The events of a new run, whose creation has been answered."""

        def request() -> Any:
            # By the turn's id it can be found again when the answer to this is lost.
            metadata = {"turn_id": question.turn_id}
            return self._streams.create(thread.id, stream=True, metadata=metadata, **self._options)

        try:
            return opened(request, question.cancellation)
        except AssistantError as error:
            yield from thread.unblock(error)
        return opened(request, question.cancellation)

    def _resumed(self, question: Question, thread: RemoteThread, run: RunReading) -> Any:
        outputs = run.outputs()

        def request() -> Any:
            submit = self._streams.submit_tool_outputs
            return submit(run.id, thread_id=thread.id, tool_outputs=outputs, stream=True)

        return opened(request, question.cancellation)
