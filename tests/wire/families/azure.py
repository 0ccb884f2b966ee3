"""Azure OpenAI with an API version before September 2024: Chat only, and without OpenAI's newer parameters.

Facts from Azure/azure-sdk-for-java#40198, openai/openai-python#1469, griptape-ai/griptape#1640 (which version took
what), agno-agi/agno#1066, chatboxai/chatbox#646 and microsoft/vscode#294841 (its words). Streams
begin with a chunk about the prompt that has no choices, and each choice says what its filters found.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..chat_input import PARAMETERS, checked
from ..frames import Event, Frame, Json
from ..misbehaviour import Refusal, refused_parameter
from .base import Family, chunks_only, without

UNKNOWN = (
    *("stream_options", "store", "max_completion_tokens", "metadata", "parallel_tool_calls"),
    *("reasoning_effort", "service_tier", "prediction", "modalities", "audio"),
)


class Azure(Family):
    """An older API version."""

    name = "azure"
    routes = ("/chat/completions", "/completions", "/models", "/embeddings", "/assistants", "/threads", "/files")
    overflow_words = "azure"

    def error(self, status: int, error: Json) -> Json:
        return {"code": error.get("code") or str(status), "message": error["message"]}

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        del method, path
        return Refusal(status, {"error": {"code": str(status), "message": "Resource not found"}})

    def no_model(self, model: str, path: str) -> Refusal:
        del model, path
        message = (
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
            "minutes, please wait a moment and try again."
        )
        return Refusal(404, {"error": {"code": "DeploymentNotFound", "message": message}})

    def bad_key(self, key: str) -> Refusal:
        del key
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        )
        return Refusal(401, {"error": {"code": "401", "message": message}})

    def check_chat(self, body: Json) -> None:
        for name, value in body.items():
            if name in UNKNOWN or name not in PARAMETERS:
                raise refused_parameter(name, value, "unrecognized")
        checked(body)

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        found = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
        first = True
        for frame in frames:
            chunk = chunks_only(frame)
            if chunk is None:
                yield frame
                continue
            if first:
                prompt = {"prompt_index": 0, "content_filter_results": found}
                head = {"id": "", "object": "", "created": 0, "model": ""}
                yield Event("", head | {"choices": [], "prompt_filter_results": [prompt]})
                first = False
            choices = [
                choice | {"content_filter_results": found if choice["delta"].get("content") else {}}
                for choice in chunk["choices"]
            ]
            chunk = without(chunk, "service_tier") | {"choices": choices}
            yield Event("", chunk, isinstance(frame, Event) and frame.delta)
