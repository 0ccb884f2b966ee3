"""Turns as rows of the journal: what is read of one, and what is written when it begins and when it ends."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, exists, select

from app.chat.turns import Turn, TurnError, TurnState
from app.transcripts.tables import conversations, feedback, turns


def turn_rows() -> Select[Any]:
    """Turns with all that `turn_of` reads."""
    later = feedback.alias()
    is_last = ~exists().where(later.c.turn_id == feedback.c.turn_id, later.c.n > feedback.c.n)
    rating = select(feedback.c.rating).where(feedback.c.turn_id == turns.c.id, is_last).scalar_subquery()
    whose = (conversations.c.user_id, conversations.c.by_user_token)
    return select(turns, *whose, rating.label("rating")).join_from(turns, conversations)


def turn_of(row: Row[Any]) -> Turn:
    """The turn of a row that has the columns of `turn_rows`."""
    error = TurnError(row.error_code, row.error_message or "") if row.error_code else None
    return Turn(
        row.id, row.conversation_uuid, row.user_id, row.turn_index, row.client_id, row.text, row.accepted_at,
        state=TurnState(row.state), answer=row.answer, seq=row.seq, started_at=row.started_at,
        first_piece_at=row.first_piece_at, finished_at=row.finished_at, citations=tuple(row.citations or ()),
        usage=row.usage, model=row.model, response_id=row.response_id, corrected=row.corrected, error=error,
        reasoning=row.reasoning, assistant=row.assistant, thread_id=row.thread_id, run_id=row.run_id,
        request_ids=tuple(row.request_ids or ()), feedback=row.rating, page_url=row.page_url, page_title=row.page_title,
        client_ip=row.client_ip, user_agent=row.user_agent, signed_in=row.by_user_token,
    )  # fmt: skip


def new_row(turn: Turn, owner: str) -> dict[str, Any]:
    """The row of a queued turn. `owner`: the worker that has it."""
    return {
        "id": turn.id, "conversation_uuid": turn.conversation, "turn_index": turn.index, "owner": owner,
        "client_id": turn.client_id, "state": turn.state, "text": turn.text, "answer": "", "seq": -1,
        "accepted_at": turn.accepted_at, "corrected": False,
        "page_url": turn.page_url, "page_title": turn.page_title,
        "client_ip": turn.client_ip, "user_agent": turn.user_agent,
    }  # fmt: skip


def final_values(turn: Turn) -> dict[str, Any]:
    """What is written when a turn ends."""
    return {
        "state": turn.state, "answer": turn.answer, "seq": turn.seq, "first_piece_at": turn.first_piece_at,
        "finished_at": turn.finished_at, "citations": list(turn.citations), "usage": turn.usage, "model": turn.model,
        "response_id": turn.response_id, "corrected": turn.corrected, "assistant": turn.assistant,
        "reasoning": turn.reasoning,
        "request_ids": list(turn.request_ids),
        "error_code": turn.error.code if turn.error else None,
        "error_message": turn.error.message if turn.error else None,
    }  # fmt: skip
