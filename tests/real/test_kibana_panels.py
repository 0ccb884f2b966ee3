"""Every panel's query on the real Elasticsearch, on generated conversations, against numbers computed here.

The queries are made from docker/kibana/objects.ndjson as Kibana makes them (tests/transcripts/lens.py); what they have
to give is computed from the turns, not from the documents.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from app.chat.turns import Turn, TurnState
from app.transcripts.records import mapping, moment_of
from tests.real.conversations import END, START, Told, documents, generated
from tests.transcripts.kibana_objects import CHARTS, SEARCHES, TYPES
from tests.transcripts.kql import Kql
from tests.transcripts.lens import HOURS, LensChart

pytestmark = pytest.mark.real

TOLD = generated(seed=20260301, conversations=120)
TURNS = [told.turn for told in TOLD]
RATINGS = [(rating, at) for told in TOLD for rating, at in told.ratings if rating is not None]
Rows = list[dict[str, Any]]


class Between:
    """A percentile, which Elasticsearch interpolates: between the values on both sides of its rank."""

    def __init__(self, values: list[int], percentile: float) -> None:
        ranked, rank = sorted(values), percentile / 100 * (len(values) - 1)
        self.low = ranked[max(0, math.floor(rank) - 1)]
        self.high = ranked[min(len(ranked) - 1, math.ceil(rank) + 1)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float)) and self.low <= other <= self.high

    def __repr__(self) -> str:
        return f"between {self.low} and {self.high}"


@pytest.fixture(scope="module")
def index(elasticsearch_settings: dict[str, str]) -> Iterator[tuple[Elasticsearch, str]]:
    """The documents of all generated turns, in an index with the mapping of the template."""
    name = f"test-kibana-{uuid4().hex[:12]}"
    with Elasticsearch(elasticsearch_settings["ES_URL"]) as client:
        client.indices.put_index_template(
            name=name, index_patterns=[name], priority=500, template={"mappings": mapping()}
        )
        try:
            actions = (
                {"_op_type": "create", "_index": name, "_id": document.id, "_source": document.source}
                for document in documents(TOLD)
            )
            bulk(client, actions, refresh=True)
            yield client, name
        finally:
            client.indices.delete(index=name, ignore_unavailable=True)
            client.indices.delete_index_template(name=name)


def bucket(moment: int | None) -> int:
    assert moment is not None
    width = HOURS * 3_600_000
    return moment // width * width


def ended(turns: list[Turn]) -> dict[int, list[Turn]]:
    """Turns by the interval in which they ended."""
    found: dict[int, list[Turn]] = {}
    for turn in turns:
        found.setdefault(bucket(turn.finished_at), []).append(turn)
    return found


def in_state(*states: TurnState) -> list[Turn]:
    return [turn for turn in TURNS if turn.state in states]


def failed(turns: list[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn.state in (TurnState.FAILED, TurnState.INTERRUPTED)]


def share(part: int, whole: int) -> Any:
    return pytest.approx(part / whole)


def by_outcome() -> Rows:
    counts = Counter((turn.state.value, bucket(turn.finished_at)) for turn in TURNS)
    return [{"Outcome": state, "@timestamp": at, "Turns": count} for (state, at), count in counts.items()]


def stopped_over_time() -> Rows:
    return [
        {"@timestamp": at, "Stopped": share(sum(turn.state is TurnState.STOPPED for turn in turns), len(turns))}
        for at, turns in ended(TURNS).items()
    ]


def by_reason() -> Rows:
    counts = Counter(turn.error.code if turn.error else turn.state.value for turn in failed(TURNS))
    return [{"Reason": reason, "Failed turns": count} for reason, count in counts.items()]


def percentiles(of: Callable[[Turn], int | None]) -> Rows:
    rows = []
    for at, turns in ended(TURNS).items():
        values = [value for value in map(of, turns) if value is not None]
        p50, p95 = (Between(values, rank) if values else None for rank in (50, 95))
        rows.append({"@timestamp": at, "p50": p50, "p95": p95})
    return rows


def first_token(turn: Turn) -> int | None:
    return None if turn.first_piece_at is None else turn.first_piece_at - turn.accepted_at


def total_time(turn: Turn) -> int:
    assert turn.finished_at is not None
    return (turn.finished_at - turn.accepted_at) * 1_000_000


def tokens(turns: list[Turn], name: str) -> int:
    return sum((turn.usage or {}).get(name, 0) for turn in turns)


def by_model() -> Rows:
    models = {turn.model: [other for other in TURNS if other.model == turn.model] for turn in TURNS if turn.model}
    return [
        {"Model": model, "Read": tokens(turns, "input_tokens"), "Written": tokens(turns, "output_tokens")}
        for model, turns in models.items()
    ]


def feedback() -> Rows:
    counts = Counter((rating, bucket(at)) for rating, at in RATINGS)
    return [{"Rating": rating, "@timestamp": at, "Ratings": count} for (rating, at), count in counts.items()]


def busiest() -> Rows:
    """Of all conversations; which ten of those with as many turns are shown is Elasticsearch's choice."""
    conversations: dict[str, list[Turn]] = {}
    for turn in TURNS:
        conversations.setdefault(turn.conversation, []).append(turn)
    return [
        {
            "Conversation": uuid, "Turns": len(turns), "Failed": len(failed(turns)),
            "Stopped": sum(turn.state is TurnState.STOPPED for turn in turns),
            "Tokens written": tokens(turns, "output_tokens"),
            "Last message": max(turn.finished_at or 0 for turn in turns),
        }
        for uuid, turns in conversations.items()
    ]  # fmt: skip


def asked_again() -> list[Told]:
    return [told for told in TOLD if told.pause is not None and told.pause < 30_000]


def signs() -> Rows:
    counts = {
        "Failed": len(failed(TURNS)),
        "Stopped": len(in_state(TurnState.STOPPED)),
        "Thumbs down": sum(rating == "down" for rating, _ in RATINGS),
        "Asked again right after": len(asked_again()),
    }
    return [{"Sign": sign, "Times": count} for sign, count in counts.items()]


EXPECTED: dict[str, Callable[[], Rows]] = {
    "turns": lambda: [{"Turns": len(TURNS)}],
    "conversations": lambda: [{"Conversations": 120}],
    "visitors": lambda: [{"Visitors": len({turn.user_id for turn in TURNS})}],
    "answered-share": lambda: [{"Answered": share(len(in_state(TurnState.COMPLETE)), len(TURNS))}],
    "stopped-share": lambda: [{"Stopped": share(len(in_state(TurnState.STOPPED)), len(TURNS))}],
    "liked-share": lambda: [{"Thumbs up": share(sum(rating == "up" for rating, _ in RATINGS), len(RATINGS))}],
    "turns-by-outcome": by_outcome,
    "stopped-over-time": stopped_over_time,
    "failures-by-reason": by_reason,
    "first-token": lambda: percentiles(first_token),
    "total-time": lambda: percentiles(total_time),
    "tokens-by-model": by_model,
    "feedback": feedback,
    "busiest-conversations": busiest,
    "unanswered-by-sign": signs,
}


LARGEST_FIRST = {
    "failures-by-reason": "Failed turns",
    "tokens-by-model": "Written",
    "busiest-conversations": "Turns",
}
"""The charts whose rows are a ranking, and by what."""


def by_key(rows: Rows) -> dict[str, dict[str, Any]]:
    """By what divides the documents; the numbers of a row have no part in it."""
    keys = ("Outcome", "Reason", "Model", "Rating", "Conversation", "Sign", "@timestamp")
    return {"/".join(str(row[key]) for key in keys if key in row): row for row in rows}


def rows_of(panel: dict[str, Any], index: tuple[Elasticsearch, str]) -> Rows:
    client, name = index
    chart = LensChart(panel["embeddableConfig"]["attributes"], TYPES)
    return chart.rows(client.search(index=name, **chart.search(str(START), str(END))).body)


def test_the_generated_conversations_have_something_of_everything() -> None:
    assert len(TURNS) > 400
    assert {turn.state for turn in TURNS} == {state for state in TurnState if state.final}
    assert {rating for told in TOLD for rating, _ in told.ratings} == {"up", "down", None}
    assert all(len(asked_again()) > 20 and row["Times"] > 10 for row in signs())
    assert {29_999, 30_000} <= {told.pause for told in TOLD}
    assert any(told.pause is None and told.turn.index for told in TOLD), "nobody wrote before an answer's end"


@pytest.mark.parametrize("panel", CHARTS, ids=[panel["panelIndex"] for panel in CHARTS])
def test_a_chart_shows_the_numbers_of_the_conversations(
    panel: dict[str, Any], index: tuple[Elasticsearch, str]
) -> None:
    rows, expected = rows_of(panel, index), by_key(EXPECTED[panel["panelIndex"]]())
    assert len(by_key(rows)) == len(rows)
    if panel["panelIndex"] == "busiest-conversations":
        assert [row["Turns"] for row in rows] == sorted((row["Turns"] for row in expected.values()), reverse=True)[:10]
        expected = {key: row for key, row in expected.items() if key in by_key(rows)}
    assert by_key(rows) == expected
    if ranked := LARGEST_FIRST.get(panel["panelIndex"]):
        values = [row[ranked] for row in rows]
        assert values == sorted(values, reverse=True)


def found(search_id: str, index: tuple[Elasticsearch, str], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents of a saved search, in its order; `more`: filters that somebody added."""
    client, name = index
    (search,) = [item["attributes"] for item in SEARCHES if item["id"] == search_id]
    source = json.loads(search["kibanaSavedObjectMeta"]["searchSourceJSON"])
    query = {"bool": {"filter": [Kql(source["query"]["query"], TYPES).query, *more]}}
    sort = [{field: {"order": order, "unmapped_type": "boolean"}} for field, order in search["sort"]]
    answer = client.search(index=name, query=query, sort=sort, size=5000)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def test_one_conversation_is_read_in_order_each_rating_behind_its_turn(index: tuple[Elasticsearch, str]) -> None:
    longest = max(TOLD, key=lambda told: told.turn.index).turn.conversation
    told = [told for told in TOLD if told.turn.conversation == longest]
    expected = []
    for each in told:
        expected.append((each.turn.index, each.turn.text, None))
        expected += [(each.turn.index, None, rating) for rating, _ in each.ratings]
    documents = found("assistant-chat-transcripts", index, {"term": {"gen_ai.conversation.id": longest}})
    assert [
        (each["chat"]["turn"]["index"], each["chat"].get("user", {}).get("message"),
         each["chat"].get("feedback", {}).get("rating"))
        for each in documents
    ] == expected  # fmt: skip


def test_the_transcripts_are_all_turns_and_ratings_one_conversation_after_the_other(
    index: tuple[Elasticsearch, str],
) -> None:
    documents = found("assistant-chat-transcripts", index)
    assert len(documents) == len(TURNS) + sum(len(told.ratings) for told in TOLD)
    uuids = [each["gen_ai"]["conversation"]["id"] for each in documents]
    assert uuids == sorted(uuids)


def test_what_it_could_not_answer_is_found_newest_first(index: tuple[Elasticsearch, str]) -> None:
    bad = {turn.id for turn in [*failed(TURNS), *in_state(TurnState.STOPPED)]}
    bad |= {told.turn.id for told in asked_again()}
    documents = found("assistant-chat-unanswered", index)
    turns = [each for each in documents if each["event"]["action"] == "turn-ended"]
    ratings = [each for each in documents if each["event"]["action"] == "feedback-given"]
    assert {each["chat"]["turn"]["id"] for each in turns} == bad
    assert len(turns) == len(bad)
    assert sorted(moment_of(each["@timestamp"]) for each in ratings) == sorted(at for r, at in RATINGS if r == "down")
    moments = [each["@timestamp"] for each in documents]
    assert moments == sorted(moments, reverse=True)


def test_every_panel_is_among_these() -> None:
    assert {panel["panelIndex"] for panel in CHARTS} == set(EXPECTED)
