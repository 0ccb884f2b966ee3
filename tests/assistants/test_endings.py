from __future__ import annotations

import logging

import pytest

from app.assistants.endings import ending_of
from app.errors import AssistantError


@pytest.mark.parametrize("reason", [None, "", " "])
def test_an_empty_reason_is_none(reason: object) -> None:
    assert ending_of(reason, after_text=True) is None


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", {"type": "stop"}]
)
def test_known_words_are_an_end(reason: object) -> None:
    assert ending_of(reason, after_text=False) == "complete"


@pytest.mark.parametrize(
    "reason", ["length", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens", "token-limit",
               "budget_reached", "model_context_window_exceeded", {"type": "length", "length": 60}],
)  # fmt: skip
def test_words_for_a_limit_are_a_cut(reason: object) -> None:
    assert ending_of(reason, after_text=True) == "truncated"


@pytest.mark.parametrize(
    "reason",
    ["content_filter", "SAFETY", "RECITATION", "guardrail_intervened", "sensitive", "PROHIBITED_CONTENT", "refusal"],
)
def test_words_for_a_filter_are_one(reason: str) -> None:
    with pytest.raises(AssistantError) as failure:
        ending_of(reason, after_text=True)
    assert failure.value.code == "content_filtered"


@pytest.mark.parametrize("reason", ["error", "network_error", "abort", "cancelled", "insufficient_system_resource"])
def test_words_for_a_fault_fail(reason: str) -> None:
    with pytest.raises(AssistantError) as failure:
        ending_of(reason, after_text=True)
    assert failure.value.code == "assistant_unavailable"


def test_an_unknown_word_after_text_is_an_end_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert ending_of("ready", after_text=True) == "complete"
        assert ending_of("sk-secret 12", after_text=True) == "complete"
    assert "ready" in caplog.text
    assert len(caplog.records) == 2
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("reason", ["ready", 7, ["stop"]])
def test_an_unknown_word_without_text_is_no_answer(reason: object) -> None:
    with pytest.raises(AssistantError):
        ending_of(reason, after_text=False)
