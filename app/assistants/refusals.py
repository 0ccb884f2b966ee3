"""Classifies the errors of model servers: status, code, type and text become one of our codes.

OpenAI sends a code. Other servers send a number, a type, a sentence or only a status, and gateways wrap one error in
another. `docs/assistants.md` describes the result. The text itself is never passed on: it may carry a secret or a
visitor's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.assistants.error_words import (
    ANSWER_TOO_LONG,
    BY_CODE,
    BY_KIND,
    BY_STATUS,
    FILTERED,
    INSTEAD,
    MISSING_MODEL,
    MODEL,
    NO_CREDIT,
    NO_SUCH_ROUTE,
    NOT_ABOUT_LENGTH,
    OBJECT,
    OBJECTION,
    ROUTE,
    SYSTEM_ROLE,
    TOO_BUSY,
    TOO_LARGE,
    TOO_LONG,
)
from app.errors import Code

OPTIONAL = (
    "store", "instructions", "tools", "reasoning", "stream_options",
    "max_tokens", "max_completion_tokens", "max_output_tokens",
)  # fmt: skip
"""Parameters of ours that an answer can do without. `system`, besides, stands for the role of that name."""
ECHOES = frozenset(("input", "input_value", "ctx", "body", "request", "messages", "prompt", "content", "value"))
"""Fields in which a server repeats what it was sent: a visitor's words say nothing about the server."""
LONGEST_TEXT = 4000
CODES = ("code", "type", "error_code", "error_type", "status", "status_code", "statusCode", "http_code")
NUMBER = re.compile(r"(?:error(?: code)?:? |http[ _]?(?:status[ _]?)?)?([45]\d\d)(?:\.0)?(?![\w.])", re.I)
"""A status where an error has none of its own: as a code, or before its words."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as a server sent it.

    `words`: its codes and types, in lower case; `has_code`: one of them is a code. `parameters`: what it names as the
    wrong part of the request. `text`: its sentences, without what it repeats of the request.
    """

    status: int | None
    words: tuple[str, ...]
    parameters: tuple[str, ...]
    text: str
    has_code: bool = False

    @property
    def names_a_model(self) -> bool:
        """It is the model that is missing: told by a code, or by the parameter, never by a sentence."""
        return not MISSING_MODEL.isdisjoint(self.words) or "model" in self.parameters

    @property
    def about_the_route(self) -> bool:
        """It may be that the server lacks this route. Only asking another one shows whether that is so."""
        if self.names_a_model or OBJECT.search(self.text):
            return False
        if self.status in NO_SUCH_ROUTE or (self.status == 403 and self.text.lstrip()[:1] == "<"):
            return True
        if self.status in (401, 429) or self.parameters or self.mentioned:
            return False
        return ROUTE.search(self.text) is not None

    @property
    def optional(self) -> frozenset[str]:
        """The optional parameters that a field of it names as wrong."""
        return frozenset(OPTIONAL).intersection(self.parameters)

    @property
    def mentioned(self) -> frozenset[str]:
        """The optional parameters that its sentences object to. They may repeat a visitor's words."""
        objects = bool(self.parameters) or OBJECTION.search(f"{' '.join(self.words)} {self.text}") is not None
        text = INSTEAD.sub("", self.text)
        # A name that is no ordinary word needs no words around it, which may be in any language.
        certain = self.status in (400, 422)
        found = {name for name in OPTIONAL if (objects or (certain and "_" in name)) and _names(name, text)}
        if SYSTEM_ROLE.search(self.text):
            found.add("system")
        return frozenset(found)

    @property
    def code(self) -> Code:
        """What it means for a visitor."""
        if self.status == 413 or (self.status not in (401, 402, 403) and TOO_LARGE.search(self.text)):
            return Code.CONTEXT_TOO_LONG
        for word in self.words:
            if word in BY_CODE:
                return BY_CODE[word]
        named = next((BY_CODE[word] for word in re.findall(r"\w+", self.text.lower()) if _is_code(word)), None)
        if named and self.status not in (401, 403):
            return named
        if self.names_a_model or (self.status in (400, 422) and MODEL.search(self.text)):
            return Code.ASSISTANT_MISCONFIGURED
        if NO_CREDIT.search(self.text):
            return Code.ASSISTANT_QUOTA
        if self.status not in NOT_ABOUT_LENGTH and self._is_about_length():
            return Code.CONTEXT_TOO_LONG
        if self.status in (400, 403, 422, None) and FILTERED.search(self.text):
            return Code.CONTENT_FILTERED
        return self._by_status()

    def _by_status(self) -> Code:
        if self.status is None:
            busy = Code.ASSISTANT_BUSY if TOO_BUSY.search(self.text) else Code.ASSISTANT_UNAVAILABLE
            return next((BY_KIND[word] for word in self.words if word in BY_KIND), busy)
        otherwise = Code.ASSISTANT_REFUSED if 400 <= self.status < 500 else Code.ASSISTANT_UNAVAILABLE
        return BY_STATUS.get(self.status, otherwise)

    def _is_about_length(self) -> bool:
        about_the_answer = any(name.startswith("max_") for name in self.parameters) or ANSWER_TOO_LONG.search(self.text)
        return not about_the_answer and TOO_LONG.search(self.text) is not None


def _names(name: str, text: str) -> bool:
    """Whether a sentence names a parameter."""
    if "_" in name:
        return re.search(rf"(?<!\w){name.replace('_', '[_ ]')}(?!\w)", text, re.I) is not None
    # An ordinary word is a parameter's name only where it stands like one.
    quoted = rf"['\"`]{name}['\"`.\[]"
    listed = rf"\b(parameters?|arguments?|fields?|propert(y|ies)|keys?|supplied):? \(?(['\"`\w]+, )*{name}\b"
    refused = rf"\b{name}\b:? (extra inputs|(is|are) not (supported|allowed|permitted|available|implemented))"
    wanted = rf"\b(support|accept|allow)s? {name}\b"
    return re.search(f"{quoted}|{listed}|{refused}|{wanted}", text, re.I) is not None


def refusal_of(body: object, status: int | None = None) -> Refusal:
    """Read an error: `body` is JSON, or text, of any shape. Without a `status` a number in it is one."""
    body = _parsed(body)
    words: list[str] = []
    parameters: list[str] = []
    texts: list[str] = []
    has_code = False
    for name, value in _leaves(body):
        if name in CODES and _is_word(value):
            words.append(str(value).lower())
            has_code = has_code or (name in ("code", "error_code") and not str(value).isdigit())
        elif name in ("param", "loc", "field", "property", "path", "parameter"):
            parameters += re.split(r"[./\[\]]+", value) if isinstance(value, str) else []
        elif isinstance(value, str):
            texts.append(value)
    text = re.sub(r"input_value=.*?(?=, input_type|\]|$)", "", " ".join(texts)[:LONGEST_TEXT], flags=re.S)
    told = [found[1] for word in [*words, text] if (found := NUMBER.match(word))]
    return Refusal(
        (int(told[0]) if told else None) if status is None else status,
        tuple(word for word in words if not word.isdigit() and word not in ("", "error")),
        tuple(part for part in parameters if part),
        text,
        has_code,
    )


def is_error(event: dict[str, Any]) -> bool:
    """Whether an event without a name is an error: flat, nested, or said by its type."""
    if event.get("error"):
        return True
    return "choices" not in event and ("code" in event or "error" in (event.get("object"), event.get("type")))


def _is_code(word: str) -> bool:
    return word in BY_CODE and ("_" in word or word.endswith("error"))


def _is_word(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and 0 < len(str(value)) <= 60


def _parsed(body: object) -> object:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str) and body.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body
    return body


def _leaves(body: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything in an error, outermost last: what is wrapped says more than the wrapping."""
    if depth > 6:
        return
    if isinstance(body, dict):
        inner = [(key, value) for key, value in body.items() if key not in ECHOES]
        for key, value in sorted(inner, key=lambda pair: not isinstance(pair[1], dict | list)):
            yield from _leaves(value, str(key), depth + 1)
    elif isinstance(body, list):
        for value in body[:50]:
            yield from _leaves(value, name, depth + 1)
    elif isinstance(body, str) and name not in ("code", "type") and body.lstrip()[:1] == "{":
        parsed = _parsed(body)
        yield from _leaves(parsed, name, depth + 1) if parsed is not body else iter([(name, body)])
    else:
        yield name, body
