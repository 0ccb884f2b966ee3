"""A conversation as one object, from its documents in Elasticsearch. Pure: the other direction of `records`.

It has the fields that the same object from the journal has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.transcripts.records import iso, moment_of

TURN_FIELDS = {
    "turn_id": "chat.turn.id",
    "index": "chat.turn.index",
    "state": "chat.turn.state",
    "accepted_at": "event.start",
    "finished_at": "event.end",
    "model": "gen_ai.response.model",
    "usage": "gen_ai.usage",
    "error": "error",
}


def conversation_of(sources: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """One conversation from all of its documents, in any order; None if there are none. None in it is not known."""
    ordered = sorted(sources, key=lambda source: (source["@timestamp"], _number(source)))
    if not ordered:
        return None
    starts, turns, ratings = (
        [source for source in ordered if value(source, "event.action") == action]
        for action in ("conversation-started", "turn-ended", "feedback-given")
    )
    latest = {value(rating, "chat.turn.id"): rating for rating in ratings}
    turns.sort(key=lambda turn: (value(turn, "chat.turn.index") or 0, turn["@timestamp"]))
    first = [*starts, *turns, *ratings]
    return {
        "conversation_uuid": value(first[0], "gen_ai.conversation.id"),
        "user_id": _first(first, "user.id"),
        "thread_id": _first([*reversed(turns), *starts], "chat.thread.id"),
        "assistant_id": _first(first, "gen_ai.agent.id"),
        "created_at": value(first[0], "event.start") or first[0]["@timestamp"],
        "conversations": [_turn(turn, latest.get(value(turn, "chat.turn.id"))) for turn in turns],
    }


def value(source: dict[str, Any], name: str) -> Any:
    """A field of a document by its name with dots; None if it is not there."""
    inner: Any = source
    for part in name.split("."):
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


def _turn(source: dict[str, Any], rating: dict[str, Any] | None) -> dict[str, Any]:
    first_piece_after = value(source, "chat.turn.time_to_first_token_ms")
    feedback = value(rating or {}, "chat.feedback")
    return {
        "user_query": value(source, "chat.user.message") or "",
        "assistant_response": value(source, "chat.assistant.message") or "",
        **{ours: value(source, name) for ours, name in TURN_FIELDS.items()},
        # The document does not have when it left the queue.
        "started_at": None,
        "first_piece_at": None if first_piece_after is None else iso(_accepted_at(source) + first_piece_after),
        "citations": value(source, "chat.citations") or [],
        "feedback": {"comment": None, **feedback} if feedback and feedback.get("rating") else None,
    }


def _accepted_at(source: dict[str, Any]) -> int:
    return moment_of(source["event"]["start"])


def _first(sources: Iterable[dict[str, Any]], name: str) -> Any:
    return next((found for source in sources if (found := value(source, name)) is not None), None)


def _number(source: dict[str, Any]) -> int:
    """The `n` of a rating, which decides between two of the same moment."""
    _, found, number = str(value(source, "event.id")).rpartition(":feedback:")
    return int(number) if found else -1
