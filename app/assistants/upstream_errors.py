"""The errors that assistants raise, each with the sentence that a visitor reads."""

from __future__ import annotations

import re

from app.assistants.error_words import OBJECT, OBJECTS
from app.assistants.refusals import refusal_of
from app.errors import AssistantError, Code

UNAVAILABLE = "The assistant cannot be reached at the moment. Please try again shortly."
REFUSED = "The assistant could not answer this message."

SENTENCES = {
    Code.ASSISTANT_UNAVAILABLE: UNAVAILABLE,
    Code.ASSISTANT_BUSY: "The assistant is busy at the moment. Please try again shortly.",
    Code.ASSISTANT_MISCONFIGURED: "The assistant of this site is not set up correctly. Please tell its operator.",
    Code.ASSISTANT_REFUSED: REFUSED,
    Code.ASSISTANT_QUOTA: "The assistant of this site cannot answer for now: its allowance is used up.",
    Code.CONTENT_FILTERED: "The assistant may not answer this message.",
    Code.CONTEXT_TOO_LONG: "This message is too long for the assistant. Please shorten it.",
}
CUT = "The answer broke off. Please ask again."


def upstream_error(
    body: object, status: int | None = None, *, request_id: str | None = None, retry_after: float | None = None
) -> AssistantError:
    """The error to raise for an error of the model's server. Its text is not passed on: it may carry a secret.

    `body`: JSON or text of any shape. `status`: of the response; None for an error within a stream.
    """
    refusal = refusal_of(body, status)
    ours = refusal.code
    # A code is a word; whatever else stands there may be a secret.
    word = next((word for word in refusal.words if re.fullmatch(r"[a-z_]{1,60}", word)), None)
    known = {"status": refusal.status, "code": word, "request": request_id}
    named = OBJECT.search(refusal.text) or any(word in refusal.text.lower() for word in OBJECTS)
    about_an_object = refusal.has_code or bool(named)
    return AssistantError(
        ours,
        SENTENCES[ours],
        detail=", ".join(f"{name} {value}" for name, value in known.items() if value),
        retry_after=retry_after,
        transient=ours in (Code.ASSISTANT_BUSY, Code.ASSISTANT_UNAVAILABLE) and not refusal.about_the_route,
        no_such_route=refusal.about_the_route,
        no_such_object=refusal.status == 404 and about_an_object,
        status=refusal.status,
        parameters=refusal.optional,
        mentioned=refusal.mentioned - refusal.optional,
    )


def lost(sentence: str, detail: str, *, no_such_route: bool = False) -> AssistantError:
    """The connection was lost. Whether the request was carried out is not known."""
    return AssistantError(
        Code.ASSISTANT_UNAVAILABLE, sentence, detail=detail, transient=True, answered=False, no_such_route=no_such_route
    )


def cut(detail: str) -> AssistantError:
    """The stream broke off in the middle."""
    return lost(CUT, detail)


def no_body(status: int) -> AssistantError:
    """A success without a body: a fault that passes, or a server that has nothing at this address."""
    return lost(UNAVAILABLE, f"status {status} without a body", no_such_route=True)


def broken_stream(detail: str) -> AssistantError:
    """The stream cannot be read on."""
    return AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail=detail)


def not_an_answer(status: int, content_type: str) -> AssistantError:
    """A success that is neither a stream nor an answer, such as an HTML page."""
    detail = f"status {status} with {content_type[:60]!r} in place of a stream"
    return AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=detail, no_such_route=True)
