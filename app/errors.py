"""The one exception tree.

    ChatServerError
    ├── SettingsError        stops the start; names the variable and says what to write instead
    ├── ElasticError         app/transcripts/elastic_errors.py: Elasticsearch; its kinds say whether trying again helps
    └── ChatError            told to the visitor: a stable `code` and a sentence
        ├── JournalError     the journal could not be written or read; says whether trying again helps
        └── AssistantError   the assistant could not answer; `detail` is for the operator's log only

A message of a `ChatError` is read by people on a web page: no stack, no address, no upstream text.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every error code that can reach a client. `docs/protocol.md` explains each; a test compares."""

    BAD_PAYLOAD = "bad_payload"
    UNKNOWN_EVENT = "unknown_event"
    TOO_LONG = "too_long"
    BUSY = "busy"
    RESTARTING = "restarting"
    NOT_YOURS = "not_yours"
    BAD_USER_TOKEN = "bad_user_token"
    NOT_SIGNED_IN = "not_signed_in"
    ERASED = "erased"
    UNKNOWN_TURN = "unknown_turn"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    NOT_CONNECTED = "not_connected"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    ASSISTANT_UNAVAILABLE = "assistant_unavailable"
    ASSISTANT_BUSY = "assistant_busy"
    ASSISTANT_REFUSED = "assistant_refused"
    ASSISTANT_MISCONFIGURED = "assistant_misconfigured"
    CONTENT_FILTERED = "content_filtered"
    CONTEXT_TOO_LONG = "context_too_long"
    ASSISTANT_QUOTA = "assistant_quota"
    ASSISTANT_EMPTY = "assistant_empty"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL = "internal"


class ChatServerError(Exception):
    """The trunk of every error that this project raises itself."""


class SettingsError(ChatServerError):
    """A setting is missing or wrong; the text is written for the operator's terminal."""


class ChatError(ChatServerError):
    """An error that a client is told.

    `retry_after` is in seconds: how long to wait before the same request makes sense again.
    """

    def __init__(self, code: Code, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class JournalError(ChatError):
    """The journal refused a read or a write. `transient`: the same call may work in a moment."""

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(Code.JOURNAL_UNAVAILABLE, message, retry_after=5 if transient else None)
        self.transient = transient


class AssistantError(ChatError):
    """The assistant did not answer. `detail` never leaves the server.

    `transient`: the same request may work in a moment. `answered`: the other side said so itself; otherwise
    the connection was lost, and whether the request was carried out is not known. `no_such_route`: the
    server does not seem to have this API at all. `no_such_object`: it does not know what the request names.
    `status`: what it answered with. `parameters`: the optional parameters of the request that it objects to by name;
    `mentioned`: those that only its sentences do, which may repeat somebody's words.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        detail: str = "",
        retry_after: float | None = None,
        transient: bool = False,
        answered: bool = True,
        no_such_route: bool = False,
        no_such_object: bool = False,
        status: int | None = None,
        parameters: frozenset[str] = frozenset(),
        mentioned: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(code, message, retry_after=retry_after)
        self.detail = detail
        self.transient = transient
        self.answered = answered
        self.no_such_route = no_such_route
        self.no_such_object = no_such_object
        self.status = status
        self.parameters = parameters
        self.mentioned = mentioned
