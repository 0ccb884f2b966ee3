"""What stands in a response as the Responses API gives it: its output items and their parts. Pure."""

from __future__ import annotations

from typing import Any

from app.assistants.content import split_content
from app.assistants.fields import mapping, sequence
from app.assistants.tools import UNNAMED, valid_arguments

TEXTS = ("output_text", "text", "refusal")
"""Types of parts that are the answer."""


def sendable_call(call: dict[str, Any], number: int) -> dict[str, Any]:
    """A call that can be sent back: with an id, a name, and arguments that are a JSON object."""
    ident = call.get("call_id") or call.get("id") or f"call_{number}"
    arguments = valid_arguments(call.get("arguments"))
    return {**call, "call_id": ident, "name": call.get("name") or UNNAMED, "arguments": arguments}


def thoughts_in(item: dict[str, Any]) -> str:
    return split_content([*sequence(item.get("summary")), *sequence(item.get("content"))])[1]


def output_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [mapping(item) for item in sequence(response.get("output"))]


def messages_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that are the answer, as the completed response has them."""
    return [i for i in output_of(response) if i.get("type", "message") == "message" and i.get("phase") != "commentary"]


def parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a message; a plain string is one."""
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else [*map(mapping, sequence(content))]


def answer_parts(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The text parts of the answer's messages, as the completed response has them; a refusal where there are none."""
    parts = [part for message in messages_of(response) for part in parts_of(message) if part.get("type") in TEXTS]
    texts = [part for part in parts if part["type"] != "refusal"]
    if not parts and isinstance(response.get("output_text"), str):
        return [{"type": "text", "text": response["output_text"]}]
    return texts or parts


def only_refusals(parts: list[dict[str, Any]]) -> bool:
    return bool(parts) and all(part["type"] == "refusal" for part in parts)


def text_in(part: dict[str, Any]) -> str:
    return split_content(part)[0]
