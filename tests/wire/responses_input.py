"""The request of `POST /v1/responses`: what OpenAI refuses in it, and the prompt that it carries. Pure.

Source: https://platform.openai.com/docs/api-reference/responses/create and the words of OpenAI's own errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .answers import Prompt
from .frames import Json
from .misbehaviour import invalid

NAMES = """
    background conversation include input instructions max_output_tokens max_tool_calls metadata model
    parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning safety_identifier service_tier store stream stream_options temperature text tool_choice tools
    top_logprobs top_p truncation user
"""
PARAMETERS = frozenset(NAMES.split())
ROLES = ("assistant", "system", "developer", "user")
PARTS = {"assistant": ("output_text", "refusal"), "other": ("input_text", "input_image", "input_file")}
ITEMS = (
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "item_reference",
    "file_search_call",
    "web_search_call",
)
LEAST_OUTPUT_TOKENS = 16


def checked(body: Json) -> list[Json]:
    """The input as a list of items; refuses a request that OpenAI would refuse."""
    for name in body:
        if name not in PARAMETERS:
            raise invalid(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    _check_plain_parameters(body)
    if body.get("input") is None:
        if body.get("previous_response_id") or body.get("conversation"):
            return []
        raise invalid("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    items = body["input"]
    if isinstance(items, str):
        return [{"type": "message", "role": "user", "content": items}]
    if not isinstance(items, list):
        raise wrong_type("input", "one of a string or array of objects", items)
    return [_item(item, f"input[{number}]") for number, item in enumerate(items)]


def _check_plain_parameters(body: Json) -> None:
    if not body.get("model"):
        raise invalid("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    for name, kind, called in (
        ("model", str, "a string"),
        ("instructions", str, "a string"),
        ("store", bool, "a boolean"),
        ("stream", bool, "a boolean"),
    ):
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise wrong_type(name, called, body[name])
    if body.get("conversation") and body.get("previous_response_id"):
        wrong = "Ensure you are only providing one of: 'previous_response_id' or 'conversation'."
        raise invalid(f"Mutually exclusive parameters: {wrong}", None, "mutually_exclusive_parameters")
    limit = body.get("max_output_tokens")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise wrong_type("max_output_tokens", "an integer", limit)
    if limit is not None and limit < LEAST_OUTPUT_TOKENS:
        raise too_small("max_output_tokens", LEAST_OUTPUT_TOKENS, limit)


def _item(item: Any, where: str) -> Json:
    if not isinstance(item, dict):
        raise wrong_type(where, "an object", item)
    kind = item.get("type", "message")
    if kind not in ITEMS:
        raise wrong_value(kind, ITEMS, where)
    if kind == "message":
        return _message(item, where)
    for name in ("call_id", "output") if kind == "function_call_output" else ():
        if name not in item:
            raise invalid(
                f"Missing required parameter: '{where}.{name}'.", f"{where}.{name}", "missing_required_parameter"
            )
    return item


def _message(item: Json, where: str) -> Json:
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise wrong_value(role, ROLES, where)
    if isinstance(content, str):
        return item
    if not isinstance(content, list):
        raise wrong_type(f"{where}.content", "one of an array of objects or string", content)
    allowed = PARTS["assistant" if role == "assistant" else "other"]
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        if not isinstance(part, dict) or part.get("type") not in allowed:
            raise wrong_value(part.get("type") if isinstance(part, dict) else part, allowed, place)
        name = {"refusal": "refusal", "input_text": "text", "output_text": "text"}.get(part["type"])
        if name and not isinstance(part.get(name), str):
            raise invalid(
                f"Missing required parameter: '{place}.{name}'.", f"{place}.{name}", "missing_required_parameter"
            )
    return item


def wrong_type(name: str, wanted: str, value: object) -> Exception:
    """OpenAI's words for a wrong type."""
    kinds = {
        str: "a string",
        int: "an integer",
        float: "a decimal",
        bool: "a boolean",
        list: "an array",
        dict: "an object",
    }
    got = "null" if value is None else kinds.get(type(value), "something else")
    return invalid(f"Invalid type for '{name}': expected {wanted}, but got {got} instead.", name, "invalid_type")


def wrong_value(value: object, allowed: Sequence[str], name: str) -> Exception:
    """OpenAI's words for a value that is not on the list."""
    listed = ", ".join(f"'{one}'" for one in allowed[:-1]) + f", and '{allowed[-1]}'"
    return invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", name, "invalid_value")


def too_small(name: str, least: int, value: int) -> Exception:
    """OpenAI's words for a number below the least."""
    message = f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
    return invalid(message, name, "integer_below_min_value")


def check_calls(items: Sequence[Json]) -> None:
    """Refuses a history in which a function call and its output do not come together."""
    calls = {item.get("call_id") for item in items if item.get("type") == "function_call"}
    outputs = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    for call in outputs - calls:
        raise invalid(f"No tool call found for function call output with call_id {call}.", "input")
    for call in calls - outputs:
        raise invalid(f"No tool output found for function call {call}.", "input")


def items_of(body: Json) -> list[Json]:
    """The input as a list of items; what is malformed is left out."""
    given = body.get("input")
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else dicts(given)


def dicts(value: object) -> list[Json]:
    """The objects in a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def words_of(content: object) -> str:
    """The text of a content: a string, or parts."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") or part.get("refusal") for part in dicts(content)]
    return "".join(text for text in texts if isinstance(text, str))


def prompt_of(items: Sequence[Json], instructions: object) -> Prompt:
    """What the model is given."""
    users, outputs, chars = [], [], len(instructions) if isinstance(instructions, str) else 0
    for item in items:
        text = words_of(item.get("content") or item.get("output") or item.get("arguments"))
        chars += len(text)
        if item.get("type") == "function_call_output":
            outputs.append(text)
        elif item.get("role") == "user":
            users.append(text)
            outputs = []
    return Prompt(tuple(users), chars, tuple(outputs))
