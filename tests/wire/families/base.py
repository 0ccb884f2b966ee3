"""What a make of server takes, refuses and says; here as OpenAI does it. Other makes change what they do otherwise.

A family never decides what is said, only whether a request is taken, and in which shape answers and errors leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, ClassVar

from ..chat_input import checked as checked_chat
from ..frames import Event, Frame, Json
from ..ids import short_id
from ..misbehaviour import Refusal, error_body, invalid, lacking
from ..responses_input import checked as checked_responses
from ..scenario import Scenario

DEFAULTS = {field.name: field.default for field in fields(Scenario)}


def answering(**scenario_fields: Any) -> Mapping[str, Any]:
    """Scenario fields by which a family differs."""
    return scenario_fields


class Family:
    """OpenAI itself."""

    name: ClassVar[str] = "openai"
    routes: ClassVar[tuple[str, ...]] = ("/",)  # the beginnings of paths that it has, after /v1
    chat_changes: ClassVar[Mapping[str, Any]] = {}  # Scenario fields, where the scenario leaves them at their default
    responses_changes: ClassVar[Mapping[str, Any]] = {}
    overflow_words: ClassVar[str] = "openai"
    missing_route: ClassVar[int] = 404  # the status of a route that it lacks
    usage_unasked: ClassVar[bool] = False  # chat: the last chunk has the usage, whatever was asked

    # Requests.

    def has(self, path: str) -> bool:
        """It has a route for this path."""
        return path.removeprefix("/v1").startswith(self.routes)

    def check_chat(self, body: Json) -> None:
        """Refuses what it would refuse in `POST /chat/completions`."""
        checked_chat(body)

    def check_responses(self, body: Json) -> None:
        """Refuses what it would refuse in `POST /responses`."""
        checked_responses(body)

    def limit_of(self, body: Json) -> int | None:
        """The limit of an answer that it knows of in a chat request."""
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    # Answers.

    def changes(self, path: str, scenario: Scenario) -> dict[str, Any]:
        """How its answers differ from OpenAI's, where the scenario asks for nothing else."""
        wanted = self.responses_changes if path.endswith("/responses") else self.chat_changes
        return {name: value for name, value in wanted.items() if getattr(scenario, name) == DEFAULTS[name]}

    def call_id(self) -> str:
        """The id of a tool call."""
        return short_id("call")

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The chunks of a completion in its shape."""
        return frames

    def responses_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The events of a response in its shape."""
        return frames

    # Errors.

    def error(self, status: int, error: Json) -> Json:
        """The fields of an error that has OpenAI's."""
        del status
        return error

    def wrapped(self, error: Json) -> Json | list[Json]:
        """The body with the fields of `error`."""
        return {"error": error}

    def refusal(self, status: int, message: str, kind: str, param: str | None = None) -> Refusal:
        """An error of its own."""
        return Refusal(status, self.wrapped(self.error(status, error_body(message, kind, param)["error"])))

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        """The answer where it has no such route."""
        del method, path
        return lacking(status)

    def no_model(self, model: str, path: str) -> Refusal:
        """The answer where it has no such model."""
        del path
        message = f"The model `{model}` does not exist or you do not have access to it."
        return invalid(message, code="model_not_found", status=404)

    def bad_key(self, key: str) -> Refusal:
        """The answer to a wrong key."""
        if not key:
            return invalid("You didn't provide an API key.", status=401)
        shown = f"{key[:4]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "*" * len(key)
        where = "https://platform.openai.com/account/api-keys"
        message = f"Incorrect API key provided: {shown}. You can find your API key at {where}."
        return invalid(message, code="invalid_api_key", status=401)


def chunks_only(frame: Frame) -> Json | None:
    """The chunk in a frame, if it is one."""
    data = frame.data if isinstance(frame, Event) else None
    return data if isinstance(data, dict) and "choices" in data else None


def with_delta(chunk: Json, change: Mapping[str, Any]) -> Json:
    """The chunk with other fields in the deltas of its choices."""
    choices = [choice | {"delta": {**choice["delta"], **change}} for choice in chunk["choices"]]
    return chunk | {"choices": choices}


def without(fields_of: Json, *names: str) -> Json:
    """The object without some fields."""
    return {name: value for name, value in fields_of.items() if name not in names}
