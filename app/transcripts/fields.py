"""Every field of a document in Elasticsearch: name, type, meaning. Mapping and documentation come from here.

Names are those of ECS (https://www.elastic.co/docs/reference/ecs) and of OpenTelemetry's `gen_ai`
(https://opentelemetry.io/docs/specs/semconv/gen-ai/) where these have one, else ours under `chat.`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SCHEMA_VERSION = 1
"""Counts up when a field changes its type: an index of another version is not written to."""

LONGEST_KEYWORD = 8191
"""Characters: Lucene takes 32,766 bytes for one keyword, and a character has at most four."""
LONGEST_LABEL = 4000
"""Characters: the name of a label counts to the same 32,766 bytes."""


class Field(NamedTuple):
    """`name` with dots, `type` of Elasticsearch."""

    name: str
    type: str
    meaning: str


FIELDS: tuple[Field, ...] = (
    Field("@timestamp", "date", "when it happened: the turn ended, the conversation began, the feedback was given"),
    Field("event.id", "keyword", "the document's id"),
    Field("event.kind", "keyword", "`event`"),
    Field("event.action", "keyword", "`conversation-started`, `turn-ended` or `feedback-given`"),
    Field("event.outcome", "keyword", "of a turn: `success`, `failure`, or `unknown` if the visitor stopped it"),
    Field("event.reason", "keyword", "why a turn is not complete: the error's code, else the state"),
    Field("event.duration", "long", "of a turn, from `event.start` to `event.end`, in nanoseconds"),
    Field("event.start", "date", "when the message was accepted"),
    Field("event.end", "date", "when the turn ended"),
    Field("user.id", "keyword", "whose conversation it is"),
    Field("client.ip", "ip", "the visitor's address; only with `CLIENT_IP`, whole or truncated"),
    Field("user_agent.original", "keyword", "the visitor's browser, as it names itself"),
    Field("service.name", "keyword", "which server wrote it"),
    Field("service.version", "keyword", "the server's version"),
    Field("error.code", "keyword", "why the turn failed: a code of the protocol"),
    Field("error.message", "text", "the sentence that the visitor was told"),
    Field("gen_ai.provider.name", "keyword", "who answered, such as `openai`"),
    Field("gen_ai.agent.id", "keyword", "the id of the assistant"),
    Field("gen_ai.conversation.id", "keyword", "the conversation"),
    Field("gen_ai.request.model", "keyword", "the model that was asked for"),
    Field("gen_ai.response.model", "keyword", "the model that answered, as it names itself"),
    Field("gen_ai.response.id", "keyword", "the answer's id on the other side"),
    Field("gen_ai.response.finish_reasons", "keyword", "`stop`, `length` or `content_filter`"),
    Field("gen_ai.usage.input_tokens", "long", "tokens read by the model"),
    Field("gen_ai.usage.output_tokens", "long", "tokens written by the model"),
    Field("chat.thread.id", "keyword", "the conversation's own object (thread, conversation) on the other side"),
    Field("chat.turn.id", "keyword", "the turn; of feedback the turn that was rated"),
    Field("chat.turn.index", "long", "counts the turns of the conversation from 0"),
    Field("chat.turn.state", "keyword", "`complete`, `truncated`, `stopped`, `failed` or `interrupted`"),
    Field("chat.turn.time_to_first_token_ms", "long", "from the message's acceptance to the answer's first piece"),
    Field(
        "chat.turn.time_since_previous_ms",
        "long",
        "from the end of the conversation's turn before it to the message's acceptance; absent if there was none, or "
        "if it had not ended",
    ),
    Field("chat.user.message", "text", "what the visitor wrote"),
    Field("chat.assistant.message", "text", "the answer, as far as it came"),
    Field("chat.citations.n", "long", "a source's number in the answer"),
    Field("chat.citations.title", "keyword", "its title"),
    Field("chat.citations.url", "keyword", "its address"),
    Field("chat.citations.file_id", "keyword", "its file's id on the other side"),
    Field("chat.citations.filename", "keyword", "its file's name"),
    Field("chat.feedback.rating", "keyword", "`up` or `down`; absent: the rating was taken back"),
    Field("chat.feedback.comment", "text", "what the visitor wrote to it"),
    Field("chat.page.url", "keyword", "where the visitor was; only where the page tells it"),
    Field("chat.page.title", "keyword", "that page's title"),
    Field("labels", "flattened", "anything else, by name: `assistant`, `run_id`, `request_ids`, `corrected`"),
)


def mapping() -> dict[str, Any]:
    """The index's mapping. A field that is not in it is kept in `_source` and never a reason to refuse a document."""
    properties: dict[str, Any] = {}
    for field in FIELDS:
        *parents, last = field.name.split(".")
        inner = properties
        for parent in parents:
            inner = inner.setdefault(parent, {"properties": {}})["properties"]
        inner[last] = _type(field)
    return {"dynamic": False, "_meta": {"schema_version": SCHEMA_VERSION}, "properties": properties}


def _type(field: Field) -> dict[str, Any]:
    longest = {"keyword": LONGEST_KEYWORD, "flattened": LONGEST_LABEL}.get(field.type)
    return {"type": field.type, "ignore_above": longest} if longest else {"type": field.type}
