"""What is written of turns, and that the list of fields, the mapping and the document say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.turns import Turn, TurnError, TurnState
from app.transcripts.archived import conversation_of
from app.transcripts.fields import LONGEST_KEYWORD, LONGEST_LABEL
from app.transcripts.records import (
    FIELDS,
    SCHEMA_VERSION,
    Document,
    Service,
    feedback_document,
    iso,
    mapping,
    moment_of,
    start_document,
    turn_document,
)
from tests.transcripts.turns import FINAL, MOMENTS, SERVICES, WORDS, turns

DOCUMENT = Path(__file__).parents[2] / "docs" / "transcripts.md"
NAMES = {field.name for field in FIELDS}
SERVICE = Service("assistant-chat-server", "0.1.0", "openai", "asst_1", "gpt-5-mini")
TURN = Turn(
    "turn", "conversation", "user", 3, "client", "Why?", 1_760_000_000_000, state=TurnState.COMPLETE, answer="So.",
    started_at=1_760_000_000_010, first_piece_at=1_760_000_000_250, finished_at=1_760_000_001_500,
    citations=({"n": 1, "title": "Policy", "url": "https://www.example.com/p"},),
    usage={"input_tokens": 12, "output_tokens": 34, "cached_tokens": 5}, assistant="responses", model="gpt-5-mini-2026",
    response_id="resp_1", thread_id="conv_1", run_id="run_1", request_ids=("req_1", "req_2"), corrected=True,
    page_url="https://www.example.com/help", page_title="Help", client_ip="192.0.2.0", user_agent="Firefox",
)  # fmt: skip
RATINGS = st.tuples(turns(), st.integers(0, 9), st.sampled_from(["up", "down", None]), WORDS | st.none(), MOMENTS)

DOCUMENTS = (
    st.builds(start_document, turns(), MOMENTS, SERVICES)
    | st.builds(turn_document, turns(), SERVICES, st.none() | MOMENTS)
    | st.builds(lambda rating, service: feedback_document(*rating, service), RATINGS, SERVICES)
)


def leaves(source: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a document as Elasticsearch sees them: names with dots, lists flattened, labels as one."""
    for name, value in source.items():
        full = f"{prefix}{name}"
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and full != "labels":
                yield from leaves(one, f"{full}.")
            else:
                yield full, one


def mapped(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in properties.items():
        if "properties" in value:
            yield from mapped(value["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def without_empty(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message} if message else {"code": code}


def is_of(type_: str, value: Any) -> bool:
    if type_ == "date":
        return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value))
    if type_ == "long":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if type_ == "flattened":
        return isinstance(value, dict) and all(isinstance(one, (str, list)) for one in value.values())
    return isinstance(value, str)


@given(DOCUMENTS)
def test_every_field_of_a_document_is_in_the_list_with_a_fitting_type(document: Document) -> None:
    types = {field.name: field.type for field in FIELDS}
    for name, value in leaves(document.source):
        assert is_of(types[name], value), f"{name} has {value!r}"


@given(DOCUMENTS)
def test_nothing_unknown_is_written(document: Document) -> None:
    assert not [name for name, value in leaves(document.source) if value is None or value in ("", {}, [])]
    assert "null" not in json.dumps([value for _, value in leaves(document.source) if not isinstance(value, str)])


def test_every_field_of_the_list_is_written_by_some_document() -> None:
    citation = {"n": 1, "title": "Policy", "url": "https://a.example", "file_id": "file_1", "filename": "a.pdf"}
    failed = replace(TURN, state=TurnState.FAILED, error=TurnError("internal", "A sentence."), citations=(citation,))
    documents = [
        start_document(TURN, 0, SERVICE), turn_document(TURN, SERVICE, 0), turn_document(failed, SERVICE),
        feedback_document(TURN, 0, "down", "Wrong.", 0, SERVICE),
    ]  # fmt: skip
    assert {name for document in documents for name, _ in leaves(document.source)} == NAMES


def test_the_mapping_has_the_fields_of_the_list_and_nothing_else() -> None:
    types = {name: field["type"] for name, field in mapped(mapping()["properties"])}
    assert types == {field.name: field.type for field in FIELDS}
    assert mapping()["dynamic"] is False
    assert mapping()["_meta"] == {"schema_version": SCHEMA_VERSION}


def test_no_value_can_be_too_long_for_a_keyword() -> None:
    limits = {name: field.get("ignore_above") for name, field in mapped(mapping()["properties"])}
    for field in FIELDS:
        wanted = {"keyword": LONGEST_KEYWORD, "flattened": LONGEST_LABEL}.get(field.type)
        assert limits[field.name] == wanted
    assert LONGEST_KEYWORD * 4 < 32766
    assert LONGEST_LABEL * 4 + 1000 < 32766


def test_the_table_in_the_document_is_the_list() -> None:
    rows = re.findall(r"^\| `([\w.@]+)` \| (\w+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)
    assert [row for row in rows if row[0] in NAMES] == [tuple(field) for field in FIELDS]


def test_a_turn_is_written_with_all_that_is_known() -> None:
    assert turn_document(TURN, SERVICE, TURN.accepted_at - 9_000) == Document(
        "conversation:turn",
        {
            "@timestamp": "2025-10-09T08:53:21.500Z",
            "event": {
                "id": "conversation:turn", "kind": "event", "action": "turn-ended", "outcome": "success",
                "duration": 1_500_000_000, "start": "2025-10-09T08:53:20.000Z", "end": "2025-10-09T08:53:21.500Z",
            },
            "user": {"id": "user"},
            "client": {"ip": "192.0.2.0"},
            "user_agent": {"original": "Firefox"},
            "service": {"name": "assistant-chat-server", "version": "0.1.0"},
            "gen_ai": {
                "provider": {"name": "openai"}, "agent": {"id": "asst_1"}, "conversation": {"id": "conversation"},
                "request": {"model": "gpt-5-mini"},
                "response": {"model": "gpt-5-mini-2026", "id": "resp_1", "finish_reasons": ["stop"]},
                "usage": {"input_tokens": 12, "output_tokens": 34},
            },
            "chat": {
                "thread": {"id": "conv_1"},
                "page": {"url": "https://www.example.com/help", "title": "Help"},
                "turn": {
                    "id": "turn", "index": 3, "state": "complete",
                    "time_to_first_token_ms": 250, "time_since_previous_ms": 9000,
                },
                "user": {"message": "Why?"},
                "assistant": {"message": "So."},
                "citations": [{"n": 1, "title": "Policy", "url": "https://www.example.com/p"}],
            },
            "labels": {
                "assistant": "responses", "run_id": "run_1", "request_ids": ["req_1", "req_2"], "corrected": "true",
            },
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "error", "outcome", "reason", "finish"),
    [
        (TurnState.COMPLETE, None, "success", None, ["stop"]),
        (TurnState.TRUNCATED, None, "success", "truncated", ["length"]),
        (TurnState.STOPPED, None, "unknown", "stopped", None),
        (TurnState.INTERRUPTED, None, "failure", "interrupted", None),
        (TurnState.FAILED, "deadline_exceeded", "failure", "deadline_exceeded", None),
        (TurnState.FAILED, "content_filtered", "failure", "content_filtered", ["content_filter"]),
    ],
)
def test_the_state_tells_outcome_and_reason(
    state: TurnState, error: str | None, outcome: str, reason: str | None, finish: list[str] | None
) -> None:
    turn = replace(TURN, state=state, error=TurnError(error, "A sentence.") if error else None)
    source = turn_document(turn, SERVICE).source
    assert source["chat"]["turn"]["state"] == state
    assert (source["event"]["outcome"], source["event"].get("reason")) == (outcome, reason)
    assert source["gen_ai"]["response"].get("finish_reasons") == finish
    assert source.get("error") == ({"code": error, "message": "A sentence."} if error else None)


def test_every_final_state_has_an_outcome_and_no_other_state_is_written() -> None:
    for state in TurnState:
        if state in FINAL:
            turn_document(replace(TURN, state=state), SERVICE)
        else:
            with pytest.raises(ValueError, match="is not written yet"):
                turn_document(replace(TURN, state=state), SERVICE)


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    turn = replace(TURN, first_piece_at=TURN.accepted_at - 5, finished_at=TURN.accepted_at - 4)
    source = turn_document(turn, SERVICE).source
    assert (source["event"]["duration"], source["chat"]["turn"]["time_to_first_token_ms"]) == (0, 0)


def test_the_conversations_document_has_thread_and_user() -> None:
    document = start_document(TURN, 1_759_999_999_999, SERVICE)
    assert document.id == "conversation"
    assert document.source["@timestamp"] == "2025-10-09T08:53:19.999Z"
    assert document.source["event"] == {"id": "conversation", "kind": "event", "action": "conversation-started"}
    assert document.source["chat"]["thread"] == {"id": "conv_1"}
    assert document.source["user"] == {"id": "user"}
    assert "message" not in json.dumps(document.source)


def test_a_rating_names_its_turn_and_one_that_is_taken_back_has_no_value() -> None:
    given_up = feedback_document(TURN, 0, "down", "Wrong.", 1_760_000_002_000, SERVICE)
    taken_back = feedback_document(TURN, 1, None, None, 1_760_000_003_000, SERVICE)
    assert [given_up.id, taken_back.id] == ["conversation:turn:feedback:0", "conversation:turn:feedback:1"]
    assert given_up.source["chat"]["feedback"] == {"rating": "down", "comment": "Wrong."}
    assert given_up.source["chat"]["turn"] == {"id": "turn", "index": 3}
    assert "feedback" not in taken_back.source["chat"]


@given(turns(), MOMENTS, SERVICES)
def test_documents_are_the_same_each_time_and_read_back(turn: Turn, created: int, service: Service) -> None:
    documents = [
        feedback_document(turn, 10, "up", "better", created, service),
        turn_document(turn, service),
        feedback_document(turn, 9, "down", None, created, service),
        start_document(turn, created, service),
    ]
    assert turn_document(turn, service) == documents[1]
    read = conversation_of(document.source for document in documents)
    assert read is not None
    (back,) = read.pop("conversations")
    assert read == {
        "conversation_uuid": turn.conversation, "user_id": turn.user_id, "thread_id": turn.thread_id,
        "assistant_id": service.agent_id, "created_at": iso(created),
    }  # fmt: skip
    assert (back["turn_id"], back["index"], back["state"]) == (turn.id, turn.index, turn.state)
    assert (back["user_query"], back["assistant_response"]) == (turn.text, turn.answer)
    assert turn.finished_at is not None
    assert (back["accepted_at"], back["finished_at"]) == (iso(turn.accepted_at), iso(turn.finished_at))
    assert back["citations"] == list(turn.citations)
    assert back["error"] == (turn.error and without_empty(turn.error.code, turn.error.message))
    assert back["feedback"] == {"rating": "up", "comment": "better"}


def test_of_several_turns_the_order_is_theirs_and_of_ratings_the_last_counts() -> None:
    later = replace(TURN, id="later", index=11, accepted_at=TURN.accepted_at - 9, finished_at=TURN.accepted_at - 1)
    read = conversation_of(
        [
            turn_document(later, SERVICE).source,
            turn_document(TURN, SERVICE).source,
            feedback_document(TURN, 1, None, None, 1_760_000_003_000, SERVICE).source,
            feedback_document(TURN, 0, "up", None, 1_760_000_002_000, SERVICE).source,
        ]
    )
    assert read is not None
    assert [turn["turn_id"] for turn in read["conversations"]] == ["turn", "later"]
    assert read["conversations"][0]["feedback"] is None
    assert conversation_of([]) is None


@given(MOMENTS)
def test_a_moment_is_kept_to_the_millisecond(moment: int) -> None:
    source = start_document(TURN, moment, SERVICE).source
    assert moment_of(source["@timestamp"]) == moment
