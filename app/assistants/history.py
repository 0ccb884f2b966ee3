"""Which part of a conversation the other side is given."""

from __future__ import annotations

from collections.abc import Sequence

from app.chat.interfaces import Exchange, Question


def fitting(question: Question, window: int | None) -> Sequence[Exchange]:
    """The newest whole exchanges that fit into a window of so many bytes together with the question."""
    history = question.history
    while window is not None and history and size_of(question, history) > window:
        history = history[1:]
    return history


def size_of(question: Question, history: Sequence[Exchange]) -> int:
    """Bytes of UTF-8, which are closer to a model's tokens than characters are."""
    texts = [question.text, *(text for exchange in history for text in (exchange.question, exchange.answer))]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


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
