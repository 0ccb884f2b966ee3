"""Which part of a conversation the other side is given."""

from __future__ import annotations

from collections.abc import Sequence

from app.chat.interfaces import Exchange


def newest_half(history: Sequence[Exchange]) -> Sequence[Exchange]:
    """The newest whole exchanges that have at most half of the characters."""
    left = sum(_length(exchange) for exchange in history) // 2
    for count, exchange in enumerate(reversed(history)):
        left -= _length(exchange)
        if left < 0:
            return history[len(history) - count :]
    return history


def lacking(history: Sequence[Exchange], thread_id: str) -> Sequence[Exchange]:
    """The turns after the last one of the thread: before each of its turns, a thread was given all that it lacked."""
    had = [number for number, exchange in enumerate(history, 1) if exchange.thread_id == thread_id]
    return history[had[-1] if had else 0 :]


def _length(exchange: Exchange) -> int:
    return len(exchange.question) + len(exchange.answer)
