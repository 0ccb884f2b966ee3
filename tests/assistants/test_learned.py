"""What is learned about a model, and for how long it is believed."""

from __future__ import annotations

from typing import Any

import pytest

from app.assistants import learned as module
from app.assistants.learned import Learned
from app.errors import JournalError


class Store:
    """A store in memory; `broken` makes it fail."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.broken = False

    def read(self) -> dict[str, Any]:
        self._check()
        return self.facts

    def write(self, facts: dict[str, Any]) -> None:
        self._check()
        self.facts = facts

    def _check(self) -> None:
        if self.broken:
            raise JournalError("The journal is in trouble.", transient=True)


def test_a_restart_remembers_everything() -> None:
    store = Store()
    first = Learned(store)
    first.learn_no_responses("status 404")
    first.learn_replaced("chat", {"stream_options": None})
    first.learn_replaced("chat", {"max_tokens": "max_completion_tokens"})
    first.learn_overflow(fails=4000, fits=2000)
    again = Learned(store)
    assert again.no_responses
    assert again.replaced("chat") == {"stream_options": None, "max_tokens": "max_completion_tokens"}
    assert again.window == first.window == 3000
    assert len(again.sentences()) == 4


def test_the_window_is_found_by_halving_what_is_not_known() -> None:
    learned, real = Learned(), 3333
    learned.learn_overflow(fails=48_000, fits=400)
    overflows = 0
    for _ in range(20):
        window = learned.window
        assert window is not None
        if window > real:
            overflows += 1
            learned.learn_overflow(fails=window, fits=min(window, real) // 2)
        else:
            learned.learn_fit(window)
    assert overflows <= 8
    assert learned.window is not None
    assert 0.8 * real < learned.window <= real


def test_a_text_that_takes_more_tokens_makes_the_window_smaller() -> None:
    learned = Learned()
    learned.learn_overflow(fails=4000, fits=3900)
    learned.learn_overflow(fails=2000, fits=1000)
    assert learned.window == 1500


def test_everything_is_tried_again_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = Learned()
    learned.learn_overflow(fails=4000, fits=2000)
    learned.learn_no_responses("status 404")
    learned.learn_replaced("chat", {"stream_options": None})
    now = module.time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + module.HOLDS + 1)
    assert learned.window is None
    assert not learned.no_responses
    assert learned.replaced("chat") == {}
    assert learned.sentences() == []


def test_a_store_in_trouble_stops_no_answer() -> None:
    store = Store()
    store.broken = True
    learned = Learned(store)
    learned.learn_no_responses("status 404")
    assert learned.no_responses
