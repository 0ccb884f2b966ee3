"""Ollama: unknown parameters are ignored, a call comes whole, and errors have no code.

Facts from ollama/ollama: openai/responses.go (items and parts), openai/openai.go (ChatCompletionRequest knows
`max_tokens` only; NewError; ToChunk); issue #4357 (finish_reason "" in every chunk).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..frames import Event, Frame, Json
from ..misbehaviour import Refusal
from .base import Family, answering, chunks_only, without

TYPES = {400: "invalid_request_error", 404: "not_found_error"}
PARTS = ("input_text", "input_image", "output_text", "input_file")


class Ollama(Family):
    """A release since 0.13.3, which has Responses."""

    name = "ollama"
    routes: ClassVar[tuple[str, ...]] = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning")
    responses_changes = answering(thoughts_in="summary")
    overflow_words = "ollama"

    def wrong(self, message: str) -> Refusal:
        """The refusal of a request."""
        return self.refusal(400, message, "")

    def error(self, status: int, error: Json) -> Json:
        return {"message": error["message"], "type": TYPES.get(status, "api_error"), "param": None, "code": None}

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        del method, path
        return Refusal(status, "404 page not found" if status == 404 else "", content_type="text/plain")

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        return self.refusal(404, f"model '{model}' not found", "")

    def bad_key(self, key: str) -> Refusal:
        del key
        return Refusal(401, {"error": "unauthorized"})

    def limit_of(self, body: Json) -> int | None:
        limit = body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    def check_chat(self, body: Json) -> None:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise self.wrong("[] is too short - 'messages'")
        for message in messages:
            self._check_message(message)

    def _check_message(self, message: Any) -> None:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            text = isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
            if not text and not (isinstance(part, dict) and part.get("type") == "image_url"):
                raise self.wrong("invalid message format")
        if not isinstance(content, str | list) and not (isinstance(message, dict) and message.get("tool_calls")):
            raise self.wrong(f"invalid message content type: {'<nil>' if content is None else type(content).__name__}")

    def check_responses(self, body: Json) -> None:
        given = body.get("input", "")
        if not isinstance(given, str | list):
            raise self.wrong("input must be a string or array: json: cannot unmarshal")
        for number, item in enumerate(given if isinstance(given, list) else ()):
            self._check_item(item, f"input[{number}]")

    def _check_item(self, item: Any, where: str) -> None:
        if not isinstance(item, dict):
            raise self.wrong(f"{where}: json: cannot unmarshal")
        kind = item.get("type") or ("message" if item.get("role") else "")
        if not kind:
            raise self.wrong(f"{where}: input item missing required 'type' field")
        if kind not in ("message", "function_call", "function_call_output", "reasoning"):
            raise self.wrong(f'{where}: unknown input item type: "{kind}"')
        field = {"message": "content", "function_call_output": "output"}.get(kind)
        content = item.get(field) if field else None
        if content is not None and not isinstance(content, str | list):
            raise self.wrong(f"{where}: {field} must be a string or array: json: cannot unmarshal")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            shown = part.get("type") if isinstance(part, dict) else ""
            if shown not in PARTS:
                raise self.wrong(f"{where}: {field}[{number}]: unknown content type: {shown}")

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        calls: list[Json] = []
        for frame in frames:
            chunk = chunks_only(frame)
            if chunk is None or not chunk["choices"]:
                yield frame
                continue
            [choice] = chunk["choices"]
            if choice["delta"].get("tool_calls"):
                _gather(calls, choice["delta"]["tool_calls"])
                continue
            delta = {"role": "assistant", "content": "", **without(choice["delta"], "refusal")}
            if calls and choice.get("finish_reason"):
                delta["tool_calls"] = calls
            chunk = without(chunk, "service_tier") | {"choices": [without(choice, "logprobs") | {"delta": delta}]}
            yield Event("", chunk, isinstance(frame, Event) and frame.delta)


class OllamaOld(Ollama):
    """A release of spring 2024 (0.1): no Responses, and a reason in every chunk that is none."""

    name = "ollama_0_1"
    routes = ("/chat/completions", "/models")
    chat_changes = answering(finish_reason_before="empty")


def _gather(calls: list[Json], pieces: list[Json]) -> None:
    for piece in pieces:
        if piece.get("id"):
            calls.append({"index": len(calls), **without(piece, "index"), "function": dict(piece["function"])})
        else:
            calls[-1]["function"]["arguments"] += piece["function"]["arguments"]
