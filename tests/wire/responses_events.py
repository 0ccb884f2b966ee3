"""One response as a sequence of events, well-behaved or not. Pure: from a prompt and an answer to frames.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answers import Answer, Mark, Prompt, marks
from .families.base import Family
from .frames import DONE, Event, Frame, Json
from .ids import long_id, now, short_id
from .misbehaviour import scenario_error, transport_ending, worded
from .scenario import Scenario

SPARKLE: Json = {"type": "response.sparkle.delta", "delta": "THIS IS NO TEXT", "item_id": "msg_1", "sparkle": [1, None]}
UNKNOWN = Event("response.sparkle.delta", SPARKLE)
COMMENTARY = "I am looking that up."


def numbered(frames: Iterator[Frame], scenario: Scenario) -> Iterator[Frame]:
    """Gives each event its `type` and `sequence_number`."""
    number = 0
    for frame in frames:
        if isinstance(frame, Event) and isinstance(frame.data, dict):
            head: Json = {"type": frame.name} | ({} if scenario.bare else {"sequence_number": number})
            frame = Event(frame.name, head | frame.data, frame.delta)
            number += 1
        yield frame


class ResponseEvents:
    """The life of one response."""

    def __init__(self, body: Json, prompt: Prompt, answer: Answer, scenario: Scenario, family: Family) -> None:
        self.prompt, self.answer, self.scenario, self.family = prompt, answer, scenario, family
        self.asked_model = str(body.get("model") or "default")
        conversation = body.get("conversation")
        self.response: Json = {
            "id": long_id("resp"),
            "object": "response",
            "created_at": now(),
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": scenario.model or f"{self.asked_model}-2026-08-07",
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": body.get("previous_response_id"),
            "store": body.get("store", True),
            "temperature": 1.0,
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            "metadata": body.get("metadata") or {},
        }
        if conversation:
            self.response["conversation"] = {
                "id": conversation if isinstance(conversation, str) else conversation["id"]
            }

    @property
    def id(self) -> str:
        """`resp_…`."""
        return str(self.response["id"])

    @property
    def output(self) -> list[Json]:
        """The items that are done."""
        items: list[Json] = self.response["output"]
        return items

    def frames(self) -> Iterator[Frame]:
        """All events, from response.created to the end."""
        yield self._state("response.created")
        yield self._state("response.in_progress")
        if self.scenario.reasoning:
            yield from self._whole_item({"id": long_id("rs"), "type": "reasoning", "summary": []})
        if self.answer.thoughts:
            yield from self._thoughts()
        if self.scenario.commentary:
            yield from self._commentary()
        if len(self.prompt.outputs) < self.scenario.tools * self.scenario.parallel:
            yield from self._calls()
            yield from self._finish("completed")
        elif self.scenario.only_thoughts and self.answer.ending is None and not self.answer.completed:
            yield from self._finish("completed")
        else:
            yield from self._message()

    def _state(self, name: str) -> Event:
        return Event(name, {"response": {**self.response, "output": list(self.output)}})

    def _terminal(self, name: str) -> Event:
        output = [] if self.scenario.slim or self.scenario.text_in not in ("everywhere", "completed") else self.output
        kept = [item for item in output if not (self.scenario.calls_left_out and item["type"] == "function_call")]
        return Event(name, {"response": {**self.response, "output": kept}})

    def _thoughts(self) -> Iterator[Frame]:
        """Reasoning as a summary, or as a text of its own."""
        in_content = self.scenario.thoughts_in in ("reasoning_text", "reasoning", "reasoning_content")
        text = "".join(self.answer.thoughts)
        item: Json = {"id": long_id("rs"), "type": "reasoning", "summary": []}
        kind, index = ("reasoning_text", "content_index") if in_content else ("reasoning_summary_text", "summary_index")
        part_kind, part_event = (
            ("reasoning_text", "content_part") if in_content else ("summary_text", "reasoning_summary_part")
        )
        at: Json = {"item_id": item["id"], "output_index": len(self.output), index: 0}
        yield Event("response.output_item.added", {"output_index": len(self.output), "item": dict(item)})
        yield Event(f"response.{part_event}.added", at | {"part": {"type": part_kind, "text": ""}})
        for piece in self.answer.thoughts:
            yield Event(f"response.{kind}.delta", at | {"delta": piece})
        part: Json = {"type": part_kind, "text": text}
        yield Event(f"response.{kind}.done", at | {"text": text})
        yield Event(f"response.{part_event}.done", at | {"part": part})
        item["content" if in_content else "summary"] = [part]
        self.output.append(item)
        yield Event("response.output_item.done", {"output_index": len(self.output) - 1, "item": item})

    def _whole_item(self, item: Json) -> Iterator[Frame]:
        place = len(self.output)
        yield Event("response.output_item.added", {"output_index": place, "item": item})
        self.output.append(item)
        yield Event("response.output_item.done", {"output_index": place, "item": item})

    def _commentary(self) -> Iterator[Frame]:
        item: Json = {
            "id": long_id("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "phase": "commentary",
        }
        yield from self._text_item(item, (COMMENTARY[:9], COMMENTARY[9:]), COMMENTARY, is_answer=False)
        yield from self._item_done(item)

    def _calls(self) -> Iterator[Frame]:
        for number in range(self.scenario.parallel):
            place, arguments = len(self.output), f'{{"order":"A-{number + 1}"}}'
            item: Json = {
                "id": long_id("fc"),
                "type": "function_call",
                "status": "in_progress",
                "call_id": short_id("call"),
                "name": "lookup_order",
                "arguments": "",
            }
            at = {"item_id": item["id"], "output_index": place}
            yield Event("response.output_item.added", {"output_index": place, "item": dict(item)})
            for piece in (arguments[:5], arguments[5:]):
                yield Event("response.function_call_arguments.delta", at | {"delta": piece})
            yield Event("response.function_call_arguments.done", at | {"arguments": arguments, "name": item["name"]})
            item.update(arguments=arguments, status="completed")
            self.output.append(item)
            yield Event("response.output_item.done", {"output_index": place, "item": item})

    def _message(self) -> Iterator[Frame]:
        item: Json = {"id": long_id("msg"), "type": "message", "status": "in_progress", "role": "assistant"}
        if self.scenario.commentary:
            item["phase"] = "final_answer"
        stop = transport_ending(self.answer.ending)
        text_item = self._text_item(item, self.answer.pieces, self.answer.completed, is_answer=True)
        for frame in text_item:
            if stop and isinstance(frame, Event) and frame.name.endswith((".done", ".annotation.added")):
                yield stop
                return
            if (
                self.answer.ending in ("error_flat", "error_nested")
                and isinstance(frame, Event)
                and frame.name.endswith(".done")
            ):
                yield self._error()
                return
            yield frame
        yield from self._end(item)

    def _end(self, item: Json) -> Iterator[Frame]:
        ending = self.answer.ending
        status = {"failed": "failed", "expired": "failed", "cancelled": "cancelled"}.get(
            ending or "", "incomplete" if ending else "completed"
        )
        if status == "failed":
            self.output.append(item | {"status": "incomplete"})
        else:
            yield from self._item_done(item, status="completed" if status == "completed" else "incomplete")
        yield from self._finish(status)

    def _text_item(self, item: Json, pieces: tuple[str, ...], final: str, is_answer: bool) -> Iterator[Frame]:
        refusal = self.scenario.refusal and is_answer
        kind, field = ("refusal", "refusal") if refusal else ("output_text", "text")
        at: Json = {"item_id": item["id"], "output_index": len(self.output), "content_index": 0}
        extra: Json = {} if refusal else {"logprobs": []}
        empty: Json = {"type": kind, field: ""} | ({} if refusal else {"annotations": [], "logprobs": []})
        where = self.scenario.text_in
        if where != "completed":
            yield Event(
                "response.output_item.added", {"output_index": len(self.output), "item": item | {"content": []}}
            )
        if where not in ("item_done", "completed"):
            yield Event("response.content_part.added", at | {"part": empty})
        for piece in pieces if where in ("everywhere", "deltas") else ():
            yield Event(f"response.{kind}.delta", at | {"delta": piece, "obfuscation": "wIr3"} | extra, delta=is_answer)
        annotations = [] if refusal else [annotation(mark) for mark in marks(final)]
        if self.scenario.cite_in != "done" and where in ("everywhere", "deltas"):
            for number, one in enumerate(annotations):
                yield Event(
                    "response.output_text.annotation.added", at | {"annotation_index": number, "annotation": one}
                )
        part = (
            empty
            | {field: final}
            | ({"annotations": annotations} if annotations and self.scenario.cite_in != "events" else {})
        )
        item["content"] = [part]
        if where not in ("item_done", "completed"):
            yield Event(f"response.{kind}.done", at | {field: "" if where == "deltas" else final} | extra)
            yield Event("response.content_part.done", at | {"part": part if where == "everywhere" else empty})

    def _item_done(self, item: Json, status: str = "completed") -> Iterator[Frame]:
        item["status"] = status
        self.output.append(item)
        where = self.scenario.text_in
        if where != "completed":
            shown = item if where in ("everywhere", "item_done") else item | {"content": []}
            yield Event("response.output_item.done", {"output_index": len(self.output) - 1, "item": shown})

    def error(self) -> Json:
        """The error object that the scenario asks for."""
        error = scenario_error(self.scenario, "server_error", self.asked_model)
        return error if worded(self.scenario) else self.family.error(500, error)

    def _error(self) -> Event:
        error = self.error()
        if self.answer.ending == "error_nested":
            return Event("error", {"error": error})
        flat = {name: error[name] for name in ("code", "message", "param") if name in error}
        return Event("error", flat | ({"type": error["type"]} if self.scenario.error_type and "type" in error else {}))

    def _finish(self, status: str) -> Iterator[Frame]:
        self.response["status"] = status
        if self.scenario.hides_limit and status == "incomplete" and self.answer.ending == "incomplete":
            status = "completed"
        self.response["status"] = status
        if status == "failed":
            error = scenario_error(self.scenario, "server_error", self.asked_model)
            shown = ("code", "message", *(["type"] if self.scenario.error_type else []))
            self.response["error"] = {name: error[name] for name in shown if name in error}
        elif status == "incomplete":
            reason = "content_filter" if self.answer.ending == "content_filter" else self.answer.reason
            self.response["incomplete_details"] = {"reason": reason or "max_output_tokens"}
        elif status == "completed":
            self.response["completed_at"] = now()
        if status != "failed" and not self.scenario.no_usage:
            self.response["usage"] = usage(self.prompt.tokens, len(self.answer.pieces), len(self.answer.thoughts))
        name = "incomplete" if status == "cancelled" else status
        if not self.scenario.only_done:
            yield self._terminal("response.completed" if self.scenario.misnamed else f"response.{name}")
        if (self.scenario.bare or self.scenario.only_done) and not self.scenario.no_done:
            yield DONE


def usage(asked: int, said: int, thought: int = 0) -> Json:
    """The usage of a response, in tokens."""
    answered = said + thought
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": asked + answered,
    }


def annotation(mark: Mark) -> dict[str, Any]:
    """A citation as Responses writes it."""
    if mark.url:
        return {
            "type": "url_citation",
            "start_index": mark.start,
            "end_index": mark.end,
            "url": mark.url,
            "title": mark.title,
        }
    return {"type": "file_citation", "file_id": mark.file_id, "filename": mark.title, "index": mark.start}
