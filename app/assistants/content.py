"""The text and the reasoning in what a server calls content: a string, or parts of several types."""

from __future__ import annotations

from typing import Any

from app.assistants.fields import mapping, sequence

THOUGHTS = ("thinking", "reasoning", "reasoning_text", "summary_text", "thought", "redacted_thinking")
"""Types of parts that are no part of the answer."""


def split_content(content: object) -> tuple[str, str]:
    """(text, thoughts) of content: a string, a part, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if not content:
        return "", ""
    texts, thoughts = [], []
    for part in [content] if isinstance(content, dict) else sequence(content):
        if isinstance(part, str):
            texts.append(part)
        elif mapping(part).get("type") in THOUGHTS or "thinking" in mapping(part):
            thoughts.append(_text_in(part))
        else:
            texts.append(_text_in(part))
    return "".join(texts), "".join(thoughts)


def thoughts_of(fields: dict[str, Any]) -> str:
    """The reasoning of a delta or of a message, under whichever of its names."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        text, thoughts = split_content(fields[name]) if fields.get(name) else ("", "")
        if text or thoughts:
            return text or thoughts
    details = fields.get("reasoning_details")
    return "".join(map(_text_in, sequence(details))) if details else ""


def _text_in(part: object) -> str:
    """The text of one part, however deep it stands."""
    if isinstance(part, str):
        return part
    for name in ("text", "refusal", "thinking", "reasoning", "content", "summary", "value"):
        value = mapping(part).get(name)
        if isinstance(value, list):
            return "".join(_text_in(one) for one in value)
        if value:
            return _text_in(value)
    return ""
