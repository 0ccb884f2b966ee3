"""Assistants v2: a thread, a run, and the run as a sequence of events. The run's state changes as its events are taken.

Source: https://platform.openai.com/docs/api-reference/assistants-streaming/events (the wire outlived it).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from .answers import Answer, answer_for, marks
from .frames import Event, Frame, Json
from .ids import now, short_id
from .misbehaviour import scenario_error, transport_ending
from .scenario import Scenario
from .thread import OVER, Thread, annotation

UNKNOWN = Event("thread.run.sparkle", {"object": "thread.run.sparkle", "delta": {"content": "THIS IS NO TEXT"}})
DONE = Event("done", "[DONE]")
STATUSES = {"error_flat": "failed", "error_nested": "failed", "content_filter": "incomplete"}


class Run:
    """One run. `cancel` is set when somebody asked for its end; `driven` while its events are being taken."""

    def __init__(self, thread: Thread, body: Json, instructions: str, scenario: Scenario) -> None:
        self.thread, self.scenario, self.instructions = thread, scenario, instructions
        self.id, self.assistant_id = short_id("run"), str(body["assistant_id"])
        self.limit: int | None = body.get("max_completion_tokens")
        self.model = scenario.model or body.get("model") or "gpt-wire"
        self.metadata: Json = body.get("metadata") or {}
        self.created_at = now()
        self.status = "queued"
        self.outputs: list[str] = []
        self.calls: list[Json] = []
        self.answered = 0
        self.answer = Answer((), "", None, None)
        self.cancel, self.driven, self.polls = threading.Event(), False, scenario.cancel_polls

    def as_json(self) -> Json:
        """As the API shows it."""
        over = self.status in OVER
        data: Json = {
            "id": self.id,
            "object": "thread.run",
            "created_at": self.created_at,
            "assistant_id": self.assistant_id,
            "thread_id": self.thread.id,
            "status": self.status,
            "started_at": None if self.status == "queued" else self.created_at,
            "expires_at": None if over else self.created_at + 600,
            "required_action": self._required_action(),
            "last_error": self._last_error() if self.status == "failed" else None,
            "incomplete_details": {"reason": self._why_incomplete()} if self.status == "incomplete" else None,
            "model": self.model,
            "instructions": self.instructions,
            "tools": [],
            "metadata": self.metadata,
            "usage": self._usage() if over and not self.scenario.no_usage else None,
            "max_completion_tokens": self.limit,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "response_format": "auto",
        }
        return data | {
            f"{name}_at": now() if self.status == name else None for name in ("completed", "failed", "cancelled")
        }

    def frames(self) -> Iterator[Frame]:
        """The events of a new run, until it is over or requires an action."""
        yield self._state("created")
        yield self._to("queued")
        yield self._to("in_progress")
        yield from self.going_on()

    def going_on(self) -> Iterator[Frame]:
        """The events from here, also after tool outputs."""
        if len(self.outputs) < self.scenario.tools * self.scenario.parallel:
            yield from self._asks_for_tools()
        else:
            yield from self._answers()

    def resumed(self, outputs: list[str]) -> Iterator[Frame]:
        """The events after tool outputs."""
        self.outputs += outputs
        self.calls = []
        yield self._to("queued")
        yield self._to("in_progress")
        yield from self.going_on()

    def stop_undriven(self) -> None:
        """A cancelled run that nobody drives ends when it has been read often enough."""
        if self.status == "cancelling" and not self.driven:
            self.polls -= 1
            if self.polls < 0:
                self.status = "cancelled"

    def _to(self, status: str) -> Event:
        self.status = status
        return self._state(status)

    def _state(self, name: str) -> Event:
        return Event(f"thread.run.{name}", self.as_json())

    def _asks_for_tools(self) -> Iterator[Frame]:
        rounds = len(self.outputs) // self.scenario.parallel + 1
        for number in range(self.scenario.parallel):
            function = {"name": "lookup_order", "arguments": f'{{"order":"A-{rounds}{number + 1}"}}'}
            self.calls.append({"id": short_id("call"), "type": "function", "function": function})
        step = self._step("tool_calls", {"type": "tool_calls", "tool_calls": self.calls})
        yield Event("thread.run.step.created", step)
        self.driven = False
        yield self._to("requires_action")
        yield DONE

    def _answers(self) -> Iterator[Frame]:
        self.answer = answer_for(self.thread.prompt(self.instructions, tuple(self.outputs)), self.scenario, self.limit)
        message = self.thread.message("assistant", [], self, status="in_progress")
        step = self._step(
            "message_creation", {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
        )
        yield Event("thread.run.step.created", step)
        yield Event("thread.run.step.in_progress", step)
        yield Event("thread.message.created", message)
        yield Event("thread.message.in_progress", message)
        for piece in self.answer.pieces:
            if self.cancel.is_set():
                break
            self.answered += 1
            yield self._delta(message, piece, [], is_text=True)
        stop = transport_ending(self.answer.ending)
        if stop and not self.cancel.is_set():
            self.driven = self.scenario.finishes
            yield stop
            if not self.scenario.finishes:
                return
        yield from self._end(message, step)

    def _delta(self, message: Json, value: str, annotations: list[Json], is_text: bool = False) -> Event:
        if self.scenario.refusal:
            part: Json = {"index": 0, "type": "refusal", "refusal": value}
        else:
            part = {"index": 0, "type": "text", "text": {"value": value, "annotations": annotations}}
        data = {"id": message["id"], "object": "thread.message.delta", "delta": {"content": [part]}}
        return Event("thread.message.delta", data, delta=is_text)

    def _end(self, message: Json, step: Json) -> Iterator[Frame]:
        ending = "cancelled" if self.cancel.is_set() else self.answer.ending
        status = "completed" if ending in (None, "cut", "reset", "end") else STATUSES.get(str(ending), str(ending))
        complete = status == "completed"
        text = self.answer.completed if complete else "".join(self.answer.pieces[: self.answered])
        notes = [annotation(mark) for mark in marks(text)]
        if complete and notes and self.scenario.cite_in != "done":
            yield self._delta(message, "", [{"index": index, **note} for index, note in enumerate(notes)])
        message["content"] = self._content(text, notes if self.scenario.cite_in != "events" else [])
        message |= {
            "status": "completed" if complete else "incomplete",
            "completed_at" if complete else "incomplete_at": now(),
        }
        if not complete:
            reasons = {
                "failed": "run_failed",
                "cancelled": "run_cancelled",
                "expired": "run_expired",
                "incomplete": "max_tokens",
            }
            message["incomplete_details"] = {
                "reason": "content_filter" if ending == "content_filter" else reasons[status]
            }
        self.thread.messages.append(message)
        yield Event(f"thread.message.{message['status']}", message)
        yield Event(
            f"thread.run.step.{'completed' if complete else 'failed' if status == 'incomplete' else status}", step
        )
        self.driven = False
        if ending in ("error_flat", "error_nested"):
            self.status = "failed"
            yield Event("error", self._error() if ending == "error_flat" else {"error": self._error()})
        else:
            yield self._to(status)
        yield DONE

    def _content(self, text: str, notes: list[Json]) -> list[Json]:
        if self.scenario.refusal:
            return [{"type": "refusal", "refusal": text}]
        return [{"type": "text", "text": {"value": text, "annotations": notes}}]

    def _step(self, kind: str, details: Json) -> Json:
        base = {"id": short_id("step"), "object": "thread.run.step", "created_at": now(), "run_id": self.id}
        ours = {"assistant_id": self.assistant_id, "thread_id": self.thread.id, "type": kind, "status": "in_progress"}
        return base | ours | {"step_details": details, "last_error": None, "usage": None}

    def _error(self) -> Json:
        return scenario_error(self.scenario, "server_error", self.model)

    def _last_error(self) -> Json:
        error = self._error()
        return {"code": error.get("code"), "message": error.get("message")}

    def _why_incomplete(self) -> str:
        return (
            "content_filter"
            if self.answer.ending == "content_filter"
            else str(self.answer.reason or "max_completion_tokens")
        )

    def _required_action(self) -> Json | None:
        if self.status != "requires_action":
            return None
        return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": self.calls}}

    def _usage(self) -> Json:
        asked = self.thread.prompt(self.instructions).tokens
        return {"prompt_tokens": asked, "completion_tokens": self.answered, "total_tokens": asked + self.answered}
