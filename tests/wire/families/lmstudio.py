"""LM Studio: every unknown route is a 200, and what is too long for the model is told within the stream.

Its source is closed. Facts from lmstudio.ai/docs/developer/openai-compat and /docs/developer/api-changelog (Responses
since 0.3.29) and from lmstudio-ai/lmstudio-bug-tracker #618, #1323, #2085 (200 for unknown routes), #237, #2322, #2339
(overflow after a 200). What exactly it refuses in an item is not known: here only what no server could read.
"""

from __future__ import annotations

from ..frames import Json
from ..misbehaviour import Refusal
from .base import Family, answering


class LmStudio(Family):
    """A release since 0.3.29."""

    name = "lmstudio"
    routes = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning_content")
    responses_changes = answering(thoughts_in="reasoning_text")
    overflow_words = "lmstudio"
    missing_route = 200

    def error(self, status: int, error: Json) -> Json:
        kind = "invalid_request_error" if status < 500 else "internal_error"
        return {"message": error["message"], "type": kind, "param": error.get("param"), "code": error.get("code")}

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        return Refusal(status, {"error": f"Unexpected endpoint or method. ({method} {path})"})

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        message = f'Invalid model identifier "{model}". Please specify a valid downloaded model.'
        error = {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
        return Refusal(404, {"error": error})

    def bad_key(self, key: str) -> Refusal:
        del key
        error = {"message": "Invalid API token", "type": "invalid_request_error", "param": None}
        return Refusal(401, {"error": error | {"code": "invalid_api_key"}})

    def limit_of(self, body: Json) -> int | None:
        limit = body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    def check_chat(self, body: Json) -> None:
        messages = body.get("messages")
        if not isinstance(messages, list):
            raise self.refusal(400, "'messages' field is required", "", "messages")
        for message in messages:
            if not isinstance(message, dict) or message.get("role") not in ("user", "assistant", "system", "tool"):
                raise self.refusal(400, "Invalid 'messages' in payload", "", "messages")
            if not isinstance(message.get("content"), str | list) and not message.get("tool_calls"):
                raise self.refusal(400, "Invalid 'content': 'content' objects must have a 'type' field", "", "messages")

    def check_responses(self, body: Json) -> None:
        given = body.get("input")
        if not isinstance(given, str | list):
            raise self.refusal(400, "Invalid type for 'input'.", "", "input")
        for item in given if isinstance(given, list) else ():
            message = isinstance(item, dict) and item.get("role") in ("user", "assistant", "system", "developer")
            content = item.get("content") if isinstance(item, dict) else None
            typed = isinstance(item, dict) and item.get("type") in (
                "function_call",
                "function_call_output",
                "reasoning",
            )
            if not (message and isinstance(content, str | list)) and not typed:
                raise self.refusal(400, "Invalid type for 'input'.", "", "input")
        if body.get("previous_response_id"):
            message_text = f"Response with id '{body['previous_response_id']}' not found."
            raise self.refusal(404, message_text, "", "previous_response_id")
