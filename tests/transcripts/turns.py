"""Turns as hypothesis strategies: every state, with and without each thing that a turn may have."""

from __future__ import annotations

import uuid

from hypothesis import strategies as st

from app.chat.turns import Turn, TurnError, TurnState
from app.errors import Code
from app.transcripts.records import Service

FINAL = [state for state in TurnState if state.final]
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
IDS = st.uuids().map(str)
MOMENTS = st.integers(1_500_000_000_000, 2_000_000_000_000)


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


CITATIONS = st.fixed_dictionaries(
    {"n": st.integers(1, 9)},
    optional={name: WORDS.filter(bool) for name in ("title", "url", "file_id", "filename")},
)

SERVICES = st.builds(
    Service, st.just("assistant-chat-server"), st.just("0.1.0"), st.sampled_from(["openai", "demo"]),
    maybe(st.just("asst_1")), maybe(st.just("gpt-5-mini")),
)  # fmt: skip


@st.composite
def turns(draw: st.DrawFn, states: list[TurnState] = FINAL) -> Turn:
    accepted = draw(MOMENTS)
    state = draw(st.sampled_from(states))
    error = st.builds(TurnError, st.sampled_from([code.value for code in Code]), WORDS)
    return Turn(
        draw(IDS), draw(IDS), draw(IDS), draw(st.integers(0, 2000)), str(uuid.uuid4()), draw(WORDS), accepted,
        state=state,
        answer=draw(WORDS),
        started_at=draw(maybe(st.just(accepted + 1))),
        first_piece_at=draw(maybe(st.integers(-5, 5000).map(lambda after: accepted + after))),
        finished_at=accepted + draw(st.integers(-1000, 300_000)),
        citations=tuple(draw(st.lists(CITATIONS, max_size=3))),
        usage=draw(maybe(st.just({"input_tokens": 7, "output_tokens": 0}))),
        assistant=draw(maybe(st.sampled_from(["responses", "demo"]))),
        model=draw(maybe(st.just("gpt-5-mini-2026"))),
        response_id=draw(maybe(st.just("resp_1"))),
        thread_id=draw(maybe(st.just("conv_1"))),
        run_id=draw(maybe(st.just("run_1"))),
        request_ids=tuple(draw(st.lists(st.just("req_1"), max_size=2))),
        corrected=draw(st.booleans()),
        error=draw(error) if state is TurnState.FAILED else None,
        page_url=draw(maybe(st.just("https://www.example.com/help"))),
        page_title=draw(maybe(WORDS)),
        client_ip=draw(maybe(st.sampled_from(["192.0.2.0", "2001:db8::"]))),
        user_agent=draw(maybe(WORDS)),
    )  # fmt: skip
