"""What clients are sent: turns and errors in the protocol's names. Hears what happens to turns.

A room is one user's conversation: all its tabs, and nobody else's even where ids are guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.chat.identity import Identity
from app.chat.turns import Turn
from app.errors import ChatError
from app.transcripts.past import Past
from app.web.metrics import Metrics
from ws.live import Replay, Snapshot

Emit = Callable[..., None]
"""Flask-SocketIO's `emit(event, payload, to=room)`, bound to the namespace."""


class Emitter:
    """Sends to rooms. It fits `app.chat.interfaces.Listener`."""

    def __init__(self, emit: Emit, replay: Replay, metrics: Metrics) -> None:
        self._emit = emit
        self._replay = replay
        self._metrics = metrics

    def started(self, turn: Turn) -> None:
        payload = {"turn_id": turn.id, "client_id": turn.client_id, "text": turn.text, "at": iso(turn.accepted_at)}
        self._emit("turn_started", payload, to=room_of_turn(turn))

    def status(self, turn: Turn, state: str, detail: str | None = None) -> None:
        payload = {"turn_id": turn.id, "state": state} | ({"detail": detail} if detail else {})
        self._emit("turn_status", payload, to=room_of_turn(turn))

    def reasoning(self, turn: Turn, reasoning: dict[str, Any]) -> None:
        payload = {"turn_id": turn.id, "text": reasoning["text"], "seconds": reasoning["seconds"]}
        self._emit("turn_reasoning", payload, to=room_of_turn(turn))

    def piece(self, turn: Turn, seq: int, text: str) -> None:
        self._replay.append(turn.id, seq, text)
        self._metrics.pieces.inc()
        self._emit("assistant_message", {"text": text, "turn_id": turn.id, "seq": seq}, to=room_of_turn(turn))

    def finished(self, turn: Turn) -> None:
        self._emit("turn_finished", finished_payload(turn), to=room_of_turn(turn))
        if turn.error:
            self._emit("assistant_message", {"text": turn.error.message}, to=older_room(room_of_turn(turn)))
        self._replay.finish(turn.id)
        self._count(turn)

    def _count(self, turn: Turn) -> None:
        self._metrics.turns.labels(turn.state).inc()
        if turn.error:
            self._metrics.failures.labels(turn.error.code).inc()
        if turn.first_piece_at:
            self._metrics.first_piece.observe((turn.first_piece_at - turn.accepted_at) / 1000)
        if turn.finished_at:
            self._metrics.duration.observe((turn.finished_at - turn.accepted_at) / 1000)


def room(identity: Identity) -> str:
    return _room(identity.conversation, identity.user_id, identity.signed_in)


def room_of_turn(turn: Turn) -> str:
    return _room(turn.conversation, turn.user_id, turn.signed_in)


def older_room(name: str) -> str:
    """The room of those in `name` whose clients show nothing but `assistant_message`."""
    return f"older {name}"


def _room(conversation: str, user_id: str, signed_in: bool) -> str:
    return f"{conversation} {'user' if signed_in else 'visitor'} {user_id}"


def turn_payload(turn: Turn) -> dict[str, Any]:
    """A turn as it stands in `session.turns` and in `history`."""
    payload = {
        "turn_id": turn.id,
        "client_id": turn.client_id,
        "at": iso(turn.accepted_at),
        "text": turn.text,
        "answer": turn.answer if turn.state.final else "",
        "state": turn.state,
        "citations": list(turn.citations),
        "feedback": turn.feedback,
        "error": _error_of(turn),
    }
    if turn.reasoning:
        payload["reasoning"] = turn.reasoning
    return payload


def past_payload(past: Past) -> dict[str, str]:
    """A conversation in the list of its user."""
    return {"conversation_uuid": past.conversation, "title": past.title, "at": iso(past.at)}


def finished_payload(turn: Turn) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "turn_id": turn.id,
        "state": turn.state,
        "text": turn.answer,
        "seq": turn.seq,
        "citations": list(turn.citations),
        "usage": turn.usage,
    }
    if turn.reasoning:
        payload["reasoning"] = turn.reasoning
    if turn.corrected:
        payload["corrected"] = True
    if turn.error:
        payload["error"] = _error_of(turn)
    return payload


def resume_payload(turn: Turn, after_seq: int, rest: list[tuple[int, str]] | Snapshot) -> dict[str, Any]:
    """The answer to `resume`. `rest` was read from replay before `turn` was read from the journal."""
    answer: dict[str, Any] = {"ok": True, "state": turn.state}
    if turn.state.final:
        answer["finished"] = finished_payload(turn)
        rest = _rest_of_finished(turn, after_seq, rest)
    if isinstance(rest, Snapshot):
        return answer | {"reset": {"text": rest.text, "seq": rest.seq}}
    return answer | {"pieces": [{"seq": seq, "text": text} for seq, text in rest]}


def _rest_of_finished(
    turn: Turn, after_seq: int, rest: list[tuple[int, str]] | Snapshot
) -> list[tuple[int, str]] | Snapshot:
    """The pieces after `after_seq` if they lead to the answer as it was recorded, otherwise that answer whole."""
    pieces = [] if after_seq == turn.seq or isinstance(rest, Snapshot) else rest
    if turn.corrected or after_seq + len(pieces) != turn.seq:
        return Snapshot(turn.answer, turn.seq)
    return pieces


def error_payload(error: ChatError) -> dict[str, Any]:
    payload: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.retry_after is not None:
        payload["retry_after"] = error.retry_after
    return payload


def iso(milliseconds: int) -> str:
    """A time on the wire: ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error_of(turn: Turn) -> dict[str, str] | None:
    return {"code": turn.error.code, "message": turn.error.message} if turn.error else None
