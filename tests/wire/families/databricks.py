"""Databricks' serving of open models: Chat only, and unknown fields are refused by a strict reader of JSON.

Facts from anomalyco/opencode#31156, continuedev/continue#12936 and databricks/databricks-sdk-py#1263. Each error is an
`error_code` and a message; which word goes with which status is from hearsay.
"""

from __future__ import annotations

from ..frames import Json
from ..misbehaviour import Refusal
from .base import Family

NAMES = """
    logprobs max_tokens messages model n reasoning_effort response_format stop stream temperature tool_choice tools
    top_k top_logprobs top_p
"""
PARAMETERS = frozenset(NAMES.split())
CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


class Databricks(Family):
    """The gateway in front of open models."""

    name = "databricks"
    routes = ("/chat/completions", "/embeddings", "/models")
    overflow_words = "databricks"
    usage_unasked = True

    def error(self, status: int, error: Json) -> Json:
        return {"error_code": CODES.get(status, "BAD_REQUEST"), "message": error["message"]}

    def wrapped(self, error: Json) -> Json | list[Json]:
        return error

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        del method
        return Refusal(status, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"No API found for 'POST {path}'"})

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        message = (
            "The given endpoint does not exist, please retry after checking the specified model and version deployment "
            "exists."
        )
        return Refusal(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{message} ({model})"})

    def bad_key(self, key: str) -> Refusal:
        del key
        words = "Credential was not sent or was of an unsupported type for this API."
        return Refusal(401, {"error_code": 401, "message": words})

    def check_chat(self, body: Json) -> None:
        for name in body:
            if name not in PARAMETERS:
                raise self.refusal(400, f'Bad request: json: unknown field "{name}"\n', "")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise self.refusal(400, "Bad request: messages must not be empty", "")
        for message in messages:
            if not isinstance(message, dict) or message.get("role") not in ("system", "user", "assistant", "tool"):
                raise self.refusal(400, "Bad request: role must be one of system, user, assistant, tool", "")
