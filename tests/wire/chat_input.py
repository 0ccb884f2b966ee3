"""The request of `POST /v1/chat/completions`: what OpenAI refuses in it, and the prompt that it carries. Pure.

Source: https://platform.openai.com/docs/api-reference/chat/create and the words of OpenAI's own errors.
"""

from __future__ import annotations

from typing import Any

from .answers import Prompt
from .frames import Json
from .misbehaviour import invalid, refused_parameter
from .responses_input import dicts, too_small, words_of, wrong_type, wrong_value

NAMES = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort
    response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user verbosity web_search_options
"""
PARAMETERS = frozenset(NAMES.split())
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
WITHOUT_MAX_TOKENS = ("o1", "o3", "o4", "gpt-5")
"""Models that refuse the old name of the limit, by the beginning of their names."""


def checked(body: Json) -> list[Json]:
    """The messages; refuses a request that OpenAI would refuse."""
    for name in body:
        if name not in PARAMETERS:
            raise invalid(f"Unrecognized request argument supplied: {name}")
    if not body.get("model"):
        raise invalid("you must provide a model parameter")
    if body.get("max_tokens") is not None and str(body["model"]).startswith(WITHOUT_MAX_TOKENS):
        raise refused_parameter("max_tokens", body["max_tokens"], "instead")
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise invalid(message, "messages", "empty_array")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and body[name] < 1:
            raise too_small(name, 1, body[name])
    _check_messages(messages)
    return messages


def _check_messages(messages: list[Any]) -> None:
    pending: list[str] = []
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            raise wrong_type(where, "an object", message)
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise wrong_value(role, ROLES, f"{where}.role")
        if not isinstance(content, str | list) and not (role == "assistant" and message.get("tool_calls")):
            raise invalid(
                f"Invalid value for 'content': expected a string, got {'null' if content is None else content}.",
                f"{where}.content",
            )
        pending = _still_pending(message, pending, where)
    if pending:
        raise unanswered(pending)


def _still_pending(message: Json, pending: list[str], where: str) -> list[str]:
    if message["role"] == "tool":
        if message.get("tool_call_id") not in pending:
            wrong = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            raise invalid(f"Invalid parameter: {wrong}", f"{where}.role")
        return [call for call in pending if call != message["tool_call_id"]]
    if pending:
        raise unanswered(pending)
    return [call["id"] for call in message.get("tool_calls") or []]


def unanswered(calls: list[str]) -> Exception:
    """OpenAI's words for a call without an output."""
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    )
    return invalid(
        f"{message} The following tool_call_ids did not have response messages: {', '.join(calls)}", "messages"
    )


def prompt_of(messages: object) -> Prompt:
    """What the model is given; of what is malformed, nothing."""
    users: list[str] = []
    outputs: list[str] = []
    chars = 0
    for message in dicts(messages):
        text = words_of(message.get("content"))
        chars += len(text)
        if message.get("role") == "user":
            users.append(text)
            outputs = []
        elif message.get("role") == "tool":
            outputs.append(text)
    return Prompt(tuple(users), chars, tuple(outputs))
