"""What clients send, checked once: whatever comes out of here can be trusted.

Every function takes an event's arguments as they came and raises `ChatError` (`bad_payload`, `too_long`)
with a sentence that names the field.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from app.chat.turns import UserMessage
from app.errors import ChatError, Code

CLIENT_ID = re.compile(r"[\x21-\x7e]{1,100}")
MAX_COMMENT = 2000
MAX_PAGE = 1000
MAX_FIELDS = 50
MAX_PAGE_SIZE = 50
"""Turns that one `history` may ask for, or conversations that one `conversations` may."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says of itself when it connects. `protocol` None: an older client."""

    protocol: int | None = None
    token: str | None = None
    after: Resume | None = None
    user_token: str | None = None
    conversation_uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """A client has the pieces of a turn up to `after_seq` (-1: none) and asks for the rest."""

    turn_id: str
    after_seq: int


@dataclass(frozen=True, slots=True)
class Rating:
    turn_id: str
    rating: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: the last `limit` ones before the one that has the id `before`."""

    before: str | None
    limit: int


def hello(auth: object) -> Hello:
    """The `auth` of a connection."""
    if auth is None:
        return Hello()
    fields = _fields(auth, "auth")
    protocol = fields.get("protocol")
    if protocol is not None and not (_is_whole(protocol) and protocol == 1):
        raise _bad("auth.protocol must be 1: this server speaks version 1 of the chat protocol.")
    after = fields.get("after")
    if after is not None:
        after_fields = _fields(after, "auth.after")
        after = Resume(_turn_id(after_fields, "turn_id"), _seq(after_fields, "seq"))
    user_token = _text(fields, "user_token", 4000)
    chosen = _id(fields, "conversation_uuid", "conversation") if fields.get("conversation_uuid") is not None else None
    if chosen is not None and user_token is None:
        raise _bad("auth.conversation_uuid needs auth.user_token: it opens conversations of signed-in users.")
    return Hello(protocol, _text(fields, "token", 4000), after, user_token, chosen)


def message(arguments: tuple[Any, ...], max_text: int) -> UserMessage:
    """A `user_message`. Without a `client_id` it gets one, so that it is never taken for a repeat."""
    fields = _only(arguments)
    text = _text(fields, "text", None)
    if text is None or not text.strip():
        raise _bad("text must be a string that is not empty.")
    if len(text) > max_text:
        raise ChatError(Code.TOO_LONG, f"The message is longer than {max_text} characters; please shorten it.")
    client_id = _text(fields, "client_id", 100)
    if client_id is not None and not CLIENT_ID.fullmatch(client_id):
        raise _bad("client_id must be 1 to 100 printable ASCII characters without spaces.")
    context = {} if fields.get("context") is None else _fields(fields["context"], "context")
    return UserMessage(
        text,
        client_id or str(uuid.uuid4()),
        page_url=_page_url(context),
        page_title=(_text(context, "page_title", None) or "")[:MAX_PAGE] or None,
    )


def claimed_ids(arguments: tuple[Any, ...]) -> tuple[object, object]:
    """The (conversationId, userId) that an older client's message carries; None for one that is absent."""
    fields = _only(arguments)
    return fields.get("conversationId"), fields.get("userId")


def resume(arguments: tuple[Any, ...]) -> Resume:
    fields = _only(arguments)
    return Resume(_turn_id(fields, "turn_id"), _seq(fields, "after_seq"))


def stop(arguments: tuple[Any, ...]) -> str | None:
    """The turn to stop; None is the running one."""
    fields = _only(arguments) if arguments else {}
    return None if fields.get("turn_id") is None else _turn_id(fields, "turn_id")


def rating(arguments: tuple[Any, ...]) -> Rating:
    fields = _only(arguments)
    value = fields.get("rating")
    if value not in ("up", "down", None):
        raise _bad('rating must be "up", "down" or null.')
    return Rating(_turn_id(fields, "turn_id"), value, _text(fields, "comment", MAX_COMMENT))


def nothing(arguments: tuple[Any, ...]) -> None:
    """An event whose object has no fields that count."""
    if arguments:
        _only(arguments)


def history(arguments: tuple[Any, ...]) -> Page:
    return _page(arguments, "turn")


def conversations(arguments: tuple[Any, ...]) -> Page:
    return _page(arguments, "conversation")


def _page(arguments: tuple[Any, ...], kind: str) -> Page:
    fields = _only(arguments) if arguments else {}
    limit = fields.get("limit", 20)
    if not _is_whole(limit) or not 1 <= limit <= MAX_PAGE_SIZE:
        raise _bad(f"limit must be a whole number from 1 to {MAX_PAGE_SIZE}.")
    before = None if fields.get("before") is None else _id(fields, "before", kind)
    return Page(before, limit)


def well_formed_uuid(value: object) -> str | None:
    """`value` as a UUID in its usual form, if it is one."""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def _only(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) != 1:
        raise _bad(f"This event takes one object, not {len(arguments)} arguments.")
    return _fields(arguments[0], "The payload")


def _fields(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{name} must be an object.")
    if len(value) > MAX_FIELDS:
        raise _bad(f"{name} has more than {MAX_FIELDS} fields.")
    return value


def _text(fields: dict[str, Any], name: str, longest: int | None) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _bad(f"{name} must be a string.")
    if longest is not None and len(value) > longest:
        raise ChatError(Code.TOO_LONG, f"{name} is longer than {longest} characters.")
    if "\0" in value:
        raise _bad(f"{name} must not contain null characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _bad(f"{name} must be valid Unicode: it has half of a surrogate pair.") from None
    return value


def _turn_id(fields: dict[str, Any], name: str) -> str:
    return _id(fields, name, "turn")


def _id(fields: dict[str, Any], name: str, kind: str) -> str:
    value = well_formed_uuid(fields.get(name))
    if value is None:
        raise _bad(f"{name} must be the id of a {kind}.")
    return value


def _seq(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not _is_whole(value) or not -1 <= value < 2**31:
        raise _bad(f"{name} must be a whole number from -1 on.")
    return value


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _page_url(context: dict[str, Any]) -> str | None:
    url = _text(context, "page_url", None)
    if url is None:
        return None
    try:
        is_page = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        is_page = False
    return url[:MAX_PAGE] if is_page else None


def _bad(sentence: str) -> ChatError:
    return ChatError(Code.BAD_PAYLOAD, sentence)
