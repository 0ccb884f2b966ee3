from __future__ import annotations

import logging

import pytest

from app.assistants.endings import Endings, ending_of
from app.errors import AssistantError


@pytest.mark.parametrize("reason", [None, "", " "])
def test_an_empty_reason_is_none(reason: object) -> None:
    assert ending_of(reason) is None


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", {"type": "stop"}]
)
def test_known_words_are_an_end(reason: object) -> None:
    assert ending_of(reason) == "complete"


@pytest.mark.parametrize(
    "reason", ["length", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens", "token-limit",
               "budget_reached", "model_context_window_exceeded", {"type": "length", "length": 60}],
)  # fmt: skip
def test_words_for_a_limit_are_a_cut(reason: object) -> None:
    assert ending_of(reason) == "truncated"


@pytest.mark.parametrize(
    "reason",
    ["content_filter", "SAFETY", "RECITATION", "guardrail_intervened", "sensitive", "PROHIBITED_CONTENT", "refusal"],
)
def test_words_for_a_filter_are_one(reason: str) -> None:
    with pytest.raises(AssistantError) as failure:
        ending_of(reason)
    assert failure.value.code == "content_filtered"


@pytest.mark.parametrize("reason", ["error", "network_error", "abort", "cancelled", "insufficient_system_resource"])
def test_words_for_a_fault_fail(reason: str) -> None:
    with pytest.raises(AssistantError) as failure:
        ending_of(reason)
    assert failure.value.code == "assistant_unavailable"


def endings(*chunks: tuple[object, bool]) -> Endings:
    """Of chunks: each a reason, and whether it had text."""
    found = Endings()
    for reason, with_text in chunks:
        if with_text:
            found.text_came()
        found.take(reason, with_text=with_text)
    return found


def test_an_unknown_word_after_text_is_an_end_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert endings((None, True), ("ready", False)).last(after_text=True) == "complete"
        assert endings(("", True), ("sk-secret 12", False)).last(after_text=True) == "complete"
    assert "ready" in caplog.text
    assert len(caplog.records) == 2
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("reason", ["ready", 7, ["stop"]])
def test_an_unknown_word_without_text_is_no_answer(reason: object) -> None:
    with pytest.raises(AssistantError):
        endings((reason, False)).last(after_text=False)


def test_a_word_that_is_said_of_every_chunk_is_no_end() -> None:
    assert not endings(("in_progress", True), ("in_progress", True)).ended
    assert not endings(("in_progress", False), ("in_progress", True), ("in_progress", False)).ended
    assert endings(("in_progress", False), (None, True), ("stop", False)).last(after_text=True) == "complete"


def test_a_limit_that_was_told_once_stays_one() -> None:
    assert endings((None, True), ("length", False), ("stop", False)).last(after_text=True) == "truncated"


@pytest.mark.parametrize("reason", ["partial", "unfinished", "cut-off", "out_of_tokens", "token", "pause_turn"])
def test_whatever_sounds_like_a_limit_is_one(reason: str) -> None:
    assert ending_of(reason) == "truncated"


@pytest.mark.parametrize("reason", ["killed", "shutdown", "exception", "internal", "oom", "modelUnloaded"])
def test_whatever_sounds_like_a_fault_is_one(reason: str) -> None:
    with pytest.raises(AssistantError):
        ending_of(reason)
