"""vLLM: requests are checked by pydantic against OpenAI's own types; extra parameters are ignored.

Facts from vllm-project/vllm: vllm/entrypoints/openai/responses/protocol.py and chat_completion/protocol.py (what a
request is), engine/protocol.py (ErrorResponse: the code is a number; extra fields are allowed), serving (words).
The types are those of the installed `openai` package, as on a real vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..frames import Event, Frame, Json
from ..ids import short_id
from ..misbehaviour import Refusal
from .base import Family, answering, chunks_only

TYPES = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError", 501: "NotImplementedError"}
PLAIN: dict[str, Any] = {
    "model": str | None,
    "instructions": str | None,
    "max_output_tokens": int | None,
    "max_tokens": int | None,
    "max_completion_tokens": int | None,
    "store": bool | None,
    "stream": bool | None,
    "temperature": float | None,
    "top_p": float | None,
    "stream_options": dict[str, Any] | None,
}


@cache
def adapter(kind: str) -> TypeAdapter[Any]:
    """The check of one field; made, like the import of OpenAI's types, when it is first needed: it takes a while."""
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.responses import ResponseInputItemParam, ResponseOutputItem, Tool

    kinds: dict[str, Any] = PLAIN | {
        "input": str | list[ResponseInputItemParam | ResponseOutputItem],
        "messages": list[ChatCompletionMessageParam],
        "tools": list[Tool],
    }
    return TypeAdapter(kinds[kind])


class Vllm(Family):
    """A release of 2026."""

    name = "vllm"
    routes: ClassVar[tuple[str, ...]] = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning")
    responses_changes = answering(thoughts_in="reasoning_text")
    overflow_words = "vllm"

    def error(self, status: int, error: Json) -> Json:
        kind = TYPES.get(status, HTTPStatus(status).phrase)
        return {"message": error["message"], "type": kind, "param": error.get("param"), "code": status}

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        return self.refusal(404, f"The model `{model}` does not exist.", "", "model")

    def bad_key(self, key: str) -> Refusal:
        del key
        return Refusal(401, {"error": "Unauthorized"})

    def invalid(self, errors: list[Json], required: str) -> Refusal:
        """What FastAPI's handler makes of errors of validation, in a request that has to have the field `required`."""
        del required
        lines = "".join(f"\n  {one}" for one in errors)
        message = f"{len(errors)} validation error{'s' if len(errors) != 1 else ''}:{lines}"
        body = {"message": message, "type": "Bad Request", "param": None, "code": 400}
        return Refusal(400, self.wrapped(body))

    def check_chat(self, body: Json) -> None:
        self.check_fields(body, "messages", {})
        if body.get("stream_options") is not None and not body.get("stream"):
            raise self.refusal(400, "Stream options can only be defined when `stream=True`.", "")
        limit = self.limit_of(body)
        if limit is not None and limit < 1:
            raise self.refusal(400, f"max_tokens must be at least 1, got {limit}.", "", "max_tokens")

    def check_responses(self, body: Json) -> None:
        self.check_fields(body, "input", {"tools": body.get("tools")})
        if body.get("previous_response_id"):
            message = f"Response with id '{body['previous_response_id']}' not found."
            raise self.refusal(404, message, "", "response_id")

    def check_fields(self, body: Json, required: str, more: Json) -> None:
        """Refuses fields that are not of their types."""
        errors: list[Json] = []
        if required not in body:
            errors.append({"type": "missing", "loc": ("body", required), "msg": "Field required", "input": body})
        plain = {name: body[name] for name in PLAIN if name in body}
        for name, value in {**({required: body[required]} if not errors else {}), **plain, **more}.items():
            if value is None and name in more:
                continue
            try:
                materialized(adapter(name).validate_python(value))
            except ValidationError as error:
                shown = error.errors(include_url=False, include_context=False)
                errors += [{**one, "loc": ("body", name, *one["loc"])} for one in shown]
        if errors:
            raise self.invalid(errors, required)

    def call_id(self) -> str:
        return short_id("chatcmpl-tool", "-", 32)

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            chunk = chunks_only(frame)
            yield frame
            if chunk is None and isinstance(frame, Event) and isinstance(frame.data, dict):
                yield Event("", "[DONE]")  # after an error, too

    def responses_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            data = frame.data if isinstance(frame, Event) else None
            part = data.get("part") if isinstance(data, dict) else None
            if isinstance(frame, Event) and isinstance(data, dict) and (part or {}).get("type") == "reasoning_text":
                name = frame.name.replace("content_part", "reasoning_part")
                frame = Event(name, data | {"type": name})
            yield frame


def materialized(value: Any) -> None:
    """Walks through what pydantic checks only when it is read."""
    if isinstance(value, BaseModel | str):
        return
    if isinstance(value, dict):
        value = value.values()
    if hasattr(value, "__iter__"):
        for one in value:
            materialized(one)
