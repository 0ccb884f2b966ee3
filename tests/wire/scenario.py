"""What the double does with one request: a `Scenario`.

The default scenario is a well-behaved OpenAI. Each field is one deviation, and most of them combine. The same names
work as directives in the text of the last user message (`[[cut]]`, `[[delay=0.05]]`; see `directives.py`).
Knows nothing of HTTP or of the three APIs.

Where a field holds a value of the protocol (`code`, `error_type`, `param`, `finish_reason`), the words `null` and
`absent` stand for JSON's null and for a field that is left out. A code of digits is a number, and one in double quotes
is text: `[[code=400]]`, `[[code="400"]]`; in Python `code=400` and `code="400"`.
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
Code = str | int
ErrorBody = Literal[
    "", "nested", "flat", "string", "message", "detail", "list", "error_code", "text", "html", "empty"
]  # fmt: skip
"""How an HTTP error is written: `{"error": {…}}`, the error's fields at the top, `{"error": "words"}`,
`{"message": "words"}`, `{"detail": "words"}`, a list of one `{"error": {…}}`, `{"error_code": …, "message": "words"}`,
plain text, a page, or nothing."""
Refusing = Literal[
    "unsupported", "instead", "unknown", "unrecognized", "extra_forbidden", "databricks", "litellm", "plain"
]
""""Unsupported parameter: 'x' is not supported with this model.", the same with "Use 'y' instead.", "Unknown
parameter: 'x'.", "Unrecognized request argument supplied: x", Mistral's 422, Databricks' and LiteLLM's 400, and a
sentence without any code."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How one request is answered. Times are seconds, counts are deltas unless said otherwise."""

    family: str = ""  # the make of server that this is (`families/`); by default the double's own setting

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
    thoughts: str | None = None  # this reasoning comes before the answer, in pieces
    thoughts_in: Literal[
        "",  # as the family does; OpenAI: reasoning_content, and for Responses summary
        "reasoning_content",  # chat: this field of the delta
        "reasoning",  # chat: this one
        "tags",  # in the text, between <think> and </think>, torn apart
        "parts",  # chat: content is a list with a part of type "thinking" (Mistral)
        "summary",  # Responses: events response.reasoning_summary_text.*, and the item's summary
        "reasoning_text",  # Responses: events response.reasoning_text.*, and the item's content
    ] = ""
    only_thoughts: bool = False  # the answer has no text of its own
    content_parts: bool = False  # chat: each content is a list of parts (Mistral), [{"type": "text", "text": …}]
    text_in: Literal[
        "everywhere",
        "deltas",  # Responses: done events and items carry empty texts
        "text_done",  # only in response.output_text.done
        "item_done",  # only in response.output_item.done
        "completed",  # only in response.completed
    ] = "everywhere"
    slim: bool = False  # Responses: the terminal event's output is empty
    hides_limit: bool = False  # Responses: an answer that ran into its limit says that it is completed (llama.cpp)
    refusal: bool = False  # the text comes as a refusal
    tools: int = 0  # rounds of function calls before the answer
    parallel: int = 1  # calls in each of these rounds
    calls_left_out: bool = False  # Responses: the calls have their own events, and are not in the terminal event
    call_index: Literal["number", "null", "null_or_zero", "absent", "zero"] = "number"  # chat: of each piece of a call

    # In place of a stream.
    status: int | None = None  # an HTTP error
    code: Code | None = None  # its error code, or that of `ending`
    error_type: str | None = None  # its error type, or that of `ending`
    param: str | None = None  # the parameter that it names
    message: str | None = None  # its error message
    error_extra: str = ""  # more fields of the error, a JSON object
    error_body: ErrorBody = ""  # how it is written; by default as the family does
    retry_after: str | None = None  # the header, word for word; None is "1" for a rate limit, "" is no header
    context_limit: int | None = None  # more characters of input than this are refused
    context_words: str = ""  # ... in the words of this name (`families/overflow.py`); by default of its family
    context_in_stream: bool = False  # ... as `response.failed` after a 200 in place of a 400
    no_responses: int | None = None  # POST /responses answers so, with the `code`, `message`, … above if given
    refuse_parameter: str = ""  # requests with one of these parameters (a,b) are refused
    refuse_words: Refusing = "unsupported"  # ... in these words
    body: Literal["stream", "json", "html", "whole"] = "stream"  # 200 with this; "whole" is the whole answer as JSON
    drop: bool = False  # the connection is closed without a byte
    stall_headers: float = 0.0  # nothing is sent for so long, then all goes on
    stall_events: float = 0.0  # the same after the headers, before the first event
    stall_comments: float = 0.0  # while it stalls after the headers, a comment comes every so many seconds

    # The stream's course. `after` is the number of deltas before a stall, a broken line or an ending.
    after: int = 2
    stall: float = 0.0
    broken_json: bool = False
    ending: Ending | None = None
    misnamed: bool = False  # Responses: the terminal event is "response.completed", whatever its status
    unknown: bool = False  # events that nobody knows, interleaved
    comments: bool = False  # `: keep-alive` comments, interleaved
    pings: bool = False  # `event: ping` without data and `data:` with nothing, interleaved: the SDK dies of these
    data_pings: bool = False  # `data: ping`, interleaved
    no_done: bool = False  # chat: no `[DONE]`
    only_done: bool = False  # `[DONE]` without any finish_reason or terminal event before it
    no_usage: bool = False
    finish_reason: str | None = None  # chat: the last chunk has this reason, word for word
    finish_reason_before: Literal["null", "empty", "absent"] = "null"  # chat: and all chunks before it have this

    # The stream's bytes.
    content_type: str | None = None  # this header, word for word; "" is no header
    bom: bool = False  # the stream begins with the UTF-8 byte order mark
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
    (
        *("family", "say", "deltas", "delay", "model", "cite", "cite_in", "completed", "commentary", "reasoning"),
        *("thoughts", "thoughts_in", "content_parts", "text_in", "parallel", "call_index"),
    )
)
"""Fields that are not trouble: `[[times=N]]` does not wear them out."""
