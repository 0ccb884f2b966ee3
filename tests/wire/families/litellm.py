"""LiteLLM's proxy: a gateway that takes what OpenAI takes, and tells the errors of others in words of its own.

Facts from what its users report: OpenHands/OpenHands#5350, BrokkAi/brokk-app#540, BerriAI/litellm#9663 and #37761 (the
code is text, the type is null, a missing model is a 400). Its classes are those of litellm/exceptions.py.
"""

from __future__ import annotations

from ..frames import Json
from ..misbehaviour import Refusal
from .base import Family, answering

CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "Timeout",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}


class LiteLlm(Family):
    """A release of 2026, in front of an OpenAI-compatible server."""

    name = "litellm"
    routes = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning_content")
    overflow_words = "litellm"

    def error(self, status: int, error: Json) -> Json:
        words = f"litellm.{CLASSES.get(status, 'APIError')}: OpenAIException - {error['message']}"
        kind = "throttling_error" if status == 429 else None
        return {"message": words, "type": kind, "param": None, "code": str(status)}

    def no_model(self, model: str, path: str) -> Refusal:
        where = path.removeprefix("/v1")
        words = f"{where}: Invalid model name passed in model={model}. Call `/v1/models` to view available models for"
        error = {"message": f"{{'error': '{words} your key.'}}", "type": "None", "param": "None", "code": "400"}
        return Refusal(400, {"error": error})

    def bad_key(self, key: str) -> Refusal:
        message = f"Authentication Error, Invalid proxy server token passed. Received API Key = sk-...{key[-4:]}"
        error = {"message": message, "type": "token_not_found_in_db", "param": "key", "code": "401"}
        return Refusal(401, {"error": error})
