"""llama.cpp's server: Responses turned into Chat messages, numeric codes, and few fields in events.

Facts from ggml-org/llama.cpp: tools/server/server-chat.cpp (server_chat_convert_responses_to_chatcmpl; in its first
releases convert_responses_to_chatcmpl in server-common.cpp), server-common.cpp (format_error_response,
oaicompat_chat_params_parse), server-task.cpp (to_json_oaicompat_*). It ignores parameters that it does not know,
`conversation` and `store` among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..frames import Event, Frame, Json
from ..ids import short_id
from ..misbehaviour import Refusal
from .base import Family, answering, chunks_only, with_delta, without

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    501: "not_supported_error",
    503: "unavailable_error",
}
KEPT = (
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "model",
    "output",
    "usage",
    "incomplete_details",
    "error",
)


class LlamaCpp(Family):
    """A release since spring 2026."""

    name = "llamacpp"
    routes = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning_content")
    responses_changes = answering(thoughts_in="reasoning_text")
    overflow_words = "llamacpp"
    assistant_parts: ClassVar[tuple[str, ...]] = (
        "output_text",
        "input_text",
    )  # the latter is what it makes of a string itself

    def wrong(self, message: str) -> Refusal:
        """What a std::invalid_argument becomes."""
        return self.refusal(400, message, "invalid_request_error")

    def error(self, status: int, error: Json) -> Json:
        return {"code": status, "message": error["message"], "type": TYPES.get(status, "server_error")}

    def no_route(self, method: str, path: str, status: int) -> Refusal:
        del method, path
        return Refusal(status, {"error": {"code": status, "message": "File Not Found", "type": "not_found_error"}})

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        return self.refusal(404, f"model '{model}' not found", "")

    def bad_key(self, key: str) -> Refusal:
        del key
        return self.refusal(401, "Invalid API Key", "")

    def check_chat(self, body: Json) -> None:
        messages = body.get("messages")
        if messages is None:
            raise self.wrong("'messages' is required")
        if not isinstance(messages, list):
            raise self.wrong("Expected 'messages' to be an array")
        for message in messages:
            self._check_message(message)

    def _check_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise self.wrong("Missing 'role' in message")
        content = message.get("content")
        if message["role"] != "assistant" and content is None:
            raise self.wrong("All non-assistant messages must contain 'content'")
        if content is None and not message.get("tool_calls"):
            raise self.wrong("Assistant message must contain either 'content' or 'tool_calls'!")
        if content is not None and not isinstance(content, str | list):
            raise self.wrong("Expected 'content' to be a string or an array")
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict) or part.get("type") not in ("text", "image_url", "input_audio"):
                raise self.wrong("unsupported content[].type")

    def check_responses(self, body: Json) -> None:
        if "input" not in body:
            raise self.wrong("'input' is required")
        if body.get("previous_response_id"):
            raise self.wrong("llama.cpp does not support 'previous_response_id'.")
        given = body["input"]
        if not isinstance(given, str | list):
            raise self.wrong("'input' must be a string or array of objects")
        for item in given if isinstance(given, list) else ():
            self._check_item(item if isinstance(item, dict) else {})
        if body.get("tools") is not None:
            self._check_tools(body["tools"])

    def _check_item(self, item: Json) -> None:
        role, kind, content = item.get("role"), item.get("type"), item.get("content")
        if isinstance(content, str):
            content = [{"type": "input_text", "text": content}]
        if role in ("user", "system", "developer") and isinstance(content, list):
            self._check_parts(content, ("input_text", "input_image"), "'input_text', 'input_image', or 'input_file'")
        elif role == "assistant" and kind == "message" and isinstance(content, list):
            self._check_parts(content, (*self.assistant_parts, "refusal"), "'output_text' or 'refusal'")
        elif not (self._is_call(item) or self._is_output(item) or self._is_reasoning(item)):
            raise self.wrong("Cannot determine type of 'item'")

    def _check_parts(self, parts: list[Any], allowed: tuple[str, ...], named: str) -> None:
        for part in parts:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "input_file":
                raise self.wrong("'input_file' is not supported by llamacpp at this moment")
            if kind not in allowed:
                raise self.wrong(f"'type' must be one of {named}")
            if kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
                raise self.wrong(f"'{'Input' if kind == 'input_text' else 'Output'} text' requires 'text'")

    @staticmethod
    def _is_call(item: Json) -> bool:
        texts = (item.get("arguments"), item.get("call_id"), item.get("name"))
        return item.get("type") == "function_call" and all(isinstance(text, str) for text in texts)

    def _is_output(self, item: Json) -> bool:
        output = item.get("output")
        if item.get("type") != "function_call_output" or not isinstance(item.get("call_id"), str):
            return False
        for part in output if isinstance(output, list) else ():
            if not isinstance(part, dict) or part.get("type") != "input_text":
                raise self.wrong("Output of tool call should be 'Input text'")
        return isinstance(output, str | list)

    def _is_reasoning(self, item: Json) -> bool:
        if item.get("type") != "reasoning" or not isinstance(item.get("summary"), list):
            return False
        if not isinstance(item.get("content"), list):
            raise self.wrong("item['content'] is not an array")
        if not item["content"]:
            raise self.wrong("item['content'] is empty")
        return True

    def _check_tools(self, tools: Any) -> None:
        if not isinstance(tools, list):
            raise self.wrong("'tools' must be an array of objects")  # Others than functions it skips.

    def call_id(self) -> str:
        return short_id("", "", 32)

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        first = True
        for frame in frames:
            chunk = chunks_only(frame)
            if chunk is None:
                yield frame
                continue
            if first:
                chunk, first = with_delta(chunk, {"content": None}), False
            choices = [without(choice, "logprobs") for choice in chunk["choices"]]
            yield Event("", without(chunk, "service_tier") | {"choices": choices}, _is_delta(frame))

    def responses_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if not isinstance(frame, Event) or not isinstance(frame.data, dict):
                yield frame
                continue
            data = without(frame.data, "sequence_number", "output_index", "content_index", "logprobs", "obfuscation")
            if isinstance(data.get("response"), dict):
                shown = {name: data["response"][name] for name in KEPT if data["response"].get(name) is not None}
                data["response"] = shown if shown["status"] != "in_progress" else without(shown, "output", "created_at")
            yield Event(frame.name, data, frame.delta)


class LlamaCppFirst(LlamaCpp):
    """The first releases with /responses, of winter 2026: an assistant's string was no text of an assistant."""

    name = "llamacpp_first"
    assistant_parts = ("output_text",)

    def _check_parts(self, parts: list[Any], allowed: tuple[str, ...], named: str) -> None:
        if "output_text" in allowed and any(
            not isinstance(one, dict) or one.get("type") != "output_text" for one in parts
        ):
            raise self.wrong("'type' must be 'output_text'")
        super()._check_parts(parts, allowed, named)

    def _check_tools(self, tools: Any) -> None:
        super()._check_tools(tools)
        if any(not isinstance(tool, dict) or tool.get("type") != "function" for tool in tools):
            raise self.wrong("'type' of tool must be 'function'")


def _is_delta(frame: Frame) -> bool:
    return isinstance(frame, Event) and frame.delta
