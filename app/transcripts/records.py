"""What is written to Elasticsearch, as dictionaries: one flat document for each event, never changed afterwards.

Knows no client and no database. What is unknown is left out of a document, never null. The ids make a repeat
recognisable: `<conversation>`, `<conversation>:<turn>`, `<conversation>:<turn>:feedback:<n>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.chat.turns import Turn, TurnState
from app.errors import Code
from app.transcripts.fields import FIELDS, SCHEMA_VERSION, Field, mapping

__all__ = [
    "FIELDS", "SCHEMA_VERSION", "Document", "Field", "Service", "feedback_document", "iso", "mapping", "moment_of",
    "start_document", "turn_document",
]  # fmt: skip

OUTCOMES = {
    TurnState.COMPLETE: "success",
    TurnState.TRUNCATED: "success",
    TurnState.STOPPED: "unknown",
    TurnState.FAILED: "failure",
    TurnState.INTERRUPTED: "failure",
}
FINISH_REASONS = {TurnState.COMPLETE: ["stop"], TurnState.TRUNCATED: ["length"]}


@dataclass(frozen=True, slots=True)
class Service:
    """What every document says of this server. Empty or None: not known.

    `provider`: who is asked, such as `openai`. `agent_id`: the assistant's id there. `request_model`: the
    model that is asked for.
    """

    name: str
    version: str
    provider: str
    agent_id: str | None = None
    request_model: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """`id` is Elasticsearch's `_id`."""

    id: str
    source: dict[str, Any]


def start_document(turn: Turn, created_at: int, service: Service) -> Document:
    """Of the conversation, from a turn that has its thread if there is one. `created_at`: milliseconds."""
    return _document(turn.conversation, "conversation-started", created_at, _common(turn, service))


def turn_document(turn: Turn, service: Service, previous_ended_at: int | None = None) -> Document:
    """Of a turn in a final state. Index -1 and an empty user id: not known.

    `previous_ended_at`: when the conversation's turn before it ended, in milliseconds, if it has.
    """
    if not turn.state.final:
        raise ValueError(f"a turn that is {turn.state} is not written yet")
    finished_at = turn.accepted_at if turn.finished_at is None else turn.finished_at
    usage = turn.usage or {}
    fields = {
        **_common(turn, service),
        "event.outcome": OUTCOMES[turn.state],
        "event.reason": _reason(turn),
        # Clocks are set back at times; a duration is never negative.
        "event.duration": max(0, finished_at - turn.accepted_at) * 1_000_000,
        "event.start": iso(turn.accepted_at),
        "event.end": iso(finished_at),
        "error.code": turn.error and turn.error.code,
        "error.message": turn.error and turn.error.message,
        "gen_ai.request.model": service.request_model,
        "gen_ai.response.model": turn.model,
        "gen_ai.response.id": turn.response_id,
        "gen_ai.response.finish_reasons": _finish_reasons(turn),
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
        **_which_turn(turn),
        "chat.turn.state": turn.state.value,
        "chat.turn.time_to_first_token_ms": _between(turn.accepted_at, turn.first_piece_at),
        "chat.turn.time_since_previous_ms": _pause(previous_ended_at, turn.accepted_at),
        "chat.user.message": turn.text,
        "chat.assistant.message": turn.answer,
        "chat.citations": [dict(citation) for citation in turn.citations],
        "labels": _labels(turn),
    }
    return _document(f"{turn.conversation}:{turn.id}", "turn-ended", finished_at, fields)


def feedback_document(
    turn: Turn, n: int, rating: str | None, comment: str | None, given_at: int, service: Service
) -> Document:
    """Of the `n`th rating of a turn, counted from 0; the last one counts. `rating` None: it was taken back."""
    fields = {
        **_common(turn, service),
        **_which_turn(turn),
        "gen_ai.response.model": turn.model,
        "chat.feedback.rating": rating,
        "chat.feedback.comment": comment,
    }
    return _document(f"{turn.conversation}:{turn.id}:feedback:{n}", "feedback-given", given_at, fields)


def iso(moment: int) -> str:
    """A time in a document, of milliseconds since 1970."""
    return datetime.fromtimestamp(moment // 1000, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{moment % 1000:03d}Z")


def moment_of(text: str) -> int:
    """Milliseconds since 1970 of a time in a document."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _common(turn: Turn, service: Service) -> dict[str, Any]:
    return {
        "user.id": turn.user_id,
        "client.ip": turn.client_ip,
        "user_agent.original": turn.user_agent,
        "service.name": service.name,
        "service.version": service.version,
        "gen_ai.provider.name": service.provider,
        "gen_ai.agent.id": service.agent_id,
        "gen_ai.conversation.id": turn.conversation,
        "chat.thread.id": turn.thread_id,
        "chat.page.url": turn.page_url,
        "chat.page.title": turn.page_title,
    }


def _which_turn(turn: Turn) -> dict[str, Any]:
    return {"chat.turn.id": turn.id, "chat.turn.index": turn.index if turn.index >= 0 else None}


def _document(id_: str, action: str, moment: int, fields: dict[str, Any]) -> Document:
    """Nested as Elasticsearch shows it, without what is not known."""
    named = {"@timestamp": iso(moment), "event.id": id_, "event.kind": "event", "event.action": action, **fields}
    source: dict[str, Any] = {}
    for name, value in named.items():
        if value is None or value in ("", [], {}):
            continue
        *parents, last = name.split(".")
        inner = source
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return Document(id_, source)


def _reason(turn: Turn) -> str | None:
    if turn.state is TurnState.COMPLETE:
        return None
    return turn.error.code if turn.error else turn.state.value


def _finish_reasons(turn: Turn) -> list[str] | None:
    if turn.error and turn.error.code == Code.CONTENT_FILTERED:
        return ["content_filter"]
    return FINISH_REASONS.get(turn.state)


def _labels(turn: Turn) -> dict[str, Any]:
    labels = {
        "assistant": turn.assistant,
        "run_id": turn.run_id,
        "request_ids": list(turn.request_ids),
        # A flattened field has words, no numbers and no truth values.
        "corrected": "true" if turn.corrected else None,
    }
    return {name: value for name, value in labels.items() if value}


def _between(start: int, end: int | None) -> int | None:
    return None if end is None else max(0, end - start)


def _pause(previous_ended_at: int | None, accepted_at: int) -> int | None:
    """A message that was sent while the previous answer still ran did not wait for its end: None."""
    if previous_ended_at is None or accepted_at < previous_ended_at:
        return None
    return accepted_at - previous_ended_at
