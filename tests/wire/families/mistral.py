"""Mistral's own API: Chat only, and every field that it does not know is a 422.

Facts from mistralai/client-python docs/models/chatcompletionrequest.md, and from the errors in
editor-code-assistant/eca#231, Gitlawb/openclaude#739, dnakov/anon-kode#53, charmbracelet/crush#1590 (extra fields),
nearai/ironclaw#1241 (ids of calls), mistralai/mistral-vibe#398 (no such model). The usage comes in the last chunk,
unasked. The numbers 3230 and 3240 and a route that it lacks are from hearsay.
"""

from __future__ import annotations

import re
from typing import Any

from ..frames import Json
from ..ids import short_id
from ..misbehaviour import INVALID, Refusal
from .base import Family, answering

NAMES = """
    frequency_penalty guardrails max_tokens messages metadata model n parallel_tool_calls prediction presence_penalty
    prompt_mode random_seed reasoning_effort response_format safe_prompt stop stream temperature tool_choice tools top_p
"""
PARAMETERS = frozenset(NAMES.split())
MESSAGES = {
    "system": ("role", "content"),
    "user": ("role", "content"),
    "assistant": ("role", "content", "tool_calls", "prefix"),
    "tool": ("role", "content", "tool_call_id", "name"),
}


class Mistral(Family):
    """The API as it was in 2026."""

    name = "mistral"
    routes = ("/chat/completions", "/models", "/embeddings", "/fim", "/files")
    chat_changes = answering(thoughts_in="parts")
    overflow_words = "mistral"
    usage_unasked = True

    def error(self, status: int, error: Json) -> Json:
        kind = INVALID if status < 500 else "internal_server_error"
        return {"object": "error", "message": error["message"], "type": kind, "param": None, "code": None} | {
            "raw_status_code": status
        }

    def wrapped(self, error: Json) -> Json | list[Json]:
        return error

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        del method, path
        return Refusal(status, {"message": "no Route matched with those values"})

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        return self.own(f"Invalid model: {model}", "invalid_model", "1500")

    def bad_key(self, key: str) -> Refusal:
        del key
        return Refusal(401, {"detail": "Unauthorized"})

    def own(self, message: str, kind: str, code: str) -> Refusal:
        """A refusal with one of its numbers."""
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return Refusal(400, body | {"raw_status_code": 400})

    def limit_of(self, body: Json) -> int | None:
        limit = body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    def call_id(self) -> str:
        return short_id("", "", 9)

    def check_chat(self, body: Json) -> None:
        detail = [_extra(name, value) for name, value in body.items() if name not in PARAMETERS]
        messages = body.get("messages")
        if not isinstance(messages, list):
            detail.append({"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": body})
            messages = []
        for number, message in enumerate(messages):
            detail += _message_errors(number, message)
        if detail:
            body = {"object": "error", "message": {"detail": detail}, "type": INVALID, "param": None, "code": None}
            raise Refusal(422, body | {"raw_status_code": 422})
        self._check_order(messages)

    def _check_order(self, messages: list[Json]) -> None:
        for message in messages:
            if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
                words = "Assistant message must have either content or tool_calls, but not none."
                raise self.own(words, "invalid_request_message_order", "3240")
            for call in message.get("tool_calls") or ():
                if not re.fullmatch(r"[a-zA-Z0-9]{9}", str(call.get("id"))):
                    words = f"Tool call id was {call.get('id')} but must be a-z, A-Z, 0-9, with a length of 9."
                    raise self.own(words, "invalid_function_call", "3280")
        last = messages[-1] if messages else {"role": "none"}
        if last["role"] not in ("user", "tool") and not last.get("prefix"):
            words = "Expected last role User or Tool (or Assistant with prefix True) for serving but got"
            raise self.own(f"{words} {last['role']}", "invalid_request_message_order", "3230")


def _extra(name: str, value: Any) -> Json:
    """A field that it does not know; of `stream_options` it complains about the inside."""
    where = ["body", name]
    if name == "stream_options" and isinstance(value, dict) and value:
        where, value = [*where, next(iter(value))], next(iter(value.values()))
    return {"type": "extra_forbidden", "loc": where, "msg": "Extra inputs are not permitted", "input": value}


def _message_errors(number: int, message: Any) -> list[Json]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in MESSAGES:
        expected = ", ".join(f"'{one}'" for one in MESSAGES)
        words = f"Input tag '{role}' found using 'role' does not match any of the expected tags: {expected}"
        return [{"type": "union_tag_invalid", "loc": ["body", "messages", number], "msg": words, "input": message}]
    return [
        {
            "type": "extra_forbidden",
            "loc": ["body", "messages", number, role, name],
            "msg": "Extra inputs are not permitted",
            "input": value,
        }
        for name, value in message.items()
        if name not in MESSAGES[role]
    ]
