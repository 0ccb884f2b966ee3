"""What the double does with one request: a `Scenario`.

The default scenario is a well-behaved OpenAI. Each field is one deviation, and most of them combine. The same names
work as directives in the text of the last user message (`[[cut]]`, `[[delay=0.05]]`; see `directives.py`).
Knows nothing of HTTP or of the three APIs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ending = Literal[
    "cut",
    "reset",
    "end",
    "error_flat",
    "error_nested",
    "failed",
    "incomplete",
    "content_filter",
    "cancelled",
    "expired",
]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How one request is answered. Times are seconds, counts are deltas unless said otherwise."""

    # The answer.
    say: str | None = None  # this text; by default one that proves that the history arrived
    deltas: int | None = None  # this many deltas (of `say`, or of numbered words)
    delay: float | None = None  # before each delta; None is the server's own
    model: str | None = None  # the model that says that it answered; None is the asked one with a date
    cite: Literal["", "file", "url"] = ""  # ends the text with a marker 【4:0†policy.pdf】, or with a link
    cite_in: Literal["both", "events", "done"] = "both"  # where the annotations are: own events, done items, or both
    completed: str | None = None  # the done items carry this text, whatever was streamed
    commentary: bool = False  # a message of phase "commentary" (chat: reasoning_content) before the answer
    reasoning: bool = False  # an output item of type "reasoning" before the answer
    refusal: bool = False  # the text comes as a refusal
    tools: int = 0  # rounds of function calls before the answer
    parallel: int = 1  # calls in each of these rounds

    # In place of a stream.
    status: int | None = None  # an HTTP error
    code: str | None = None  # its error code, or that of `ending`
    message: str | None = None  # its error message
    retry_after: str | None = None  # the header, word for word; None is "1" for a rate limit, "" is no header
    context_limit: int | None = None  # more characters of input than this: context_length_exceeded
    context_in_stream: bool = False  # ... as `response.failed` after a 200 in place of a 400
    no_responses: int | None = None  # POST /responses answers so (404, 405, 501), like a server that lacks it
    body: Literal["stream", "json", "html"] = "stream"  # 200 with this
    drop: bool = False  # the connection is closed without a byte
    stall_headers: float = 0.0  # nothing is sent for so long, then all goes on

    # The stream's course. `after` is the number of deltas before a stall, a broken line or an ending.
    after: int = 2
    stall: float = 0.0
    broken_json: bool = False
    ending: Ending | None = None
    misnamed: bool = False  # Responses: the terminal event is "response.completed", whatever its status
    unknown: bool = False  # events that nobody knows, interleaved
    comments: bool = False  # `: keep-alive` comments, interleaved
    pings: bool = False  # `event: ping` without data and `data:` with nothing, interleaved: the SDK dies of these
    no_done: bool = False  # chat: no `[DONE]`
    no_usage: bool = False

    # The stream's bytes.
    one_byte: bool = False  # each byte in its own chunk and write
    one_write: bool = False  # everything in one chunk and one write
    crlf: bool = False
    multiline: bool = False  # data over several lines
    bare: bool = False  # no `event:` line, no sequence_number, and a last `data: [DONE]`
    unchunked: bool = False  # no chunks: the body ends with the connection

    # Assistants v2.
    finishes: bool = (
        False  # a run whose stream was cut or ended early completes all the same, instead of staying active
    )
    cancel_polls: int = 0  # how often a cancelled run is read as "cancelling" before it is "cancelled"


ANSWER_FIELDS = frozenset(
    ("say", "deltas", "delay", "model", "cite", "cite_in", "completed", "commentary", "reasoning", "parallel")
)
"""Fields that are not trouble: `[[times=N]]` does not wear them out."""
