"""Documents, template, mapping, reading back and erasing, on a real Elasticsearch without security."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.chat.turns import TurnError, TurnState
from app.transcripts import elastic_erasure
from app.transcripts.archived import conversation_of, value
from app.transcripts.elastic import Elastic, ElasticNotSetUp, ElasticRefused, Outcome
from app.transcripts.elastic_setup import template_name
from app.transcripts.records import FIELDS, Document, feedback_document, mapping, start_document, turn_document
from tests.real.elastic_parts import (
    HOUR,
    SERVICE,
    START,
    a_turn,
    admin_of,
    many_turns,
    own_index,
    refresh,
    settings_of,
)

pytestmark = pytest.mark.real

FULL = a_turn(
    "full", 0, state=TurnState.FAILED, error=TurnError("internal", "Something went wrong."), started_at=START + 10,
    first_piece_at=START + 250, usage={"input_tokens": 12, "output_tokens": 34}, assistant="responses",
    model="gpt-5-mini-2026", response_id="resp_1", run_id="run_1", request_ids=("req_1", "req_2"), corrected=True,
    page_url="https://www.example.com/help", page_title="Help", client_ip="192.0.2.0", user_agent="Firefox",
    citations=({"n": 1, "title": "Policy", "url": "https://a.example", "file_id": "file_1", "filename": "a.pdf"},),
)  # fmt: skip


@pytest.fixture(scope="module")
def admin(elasticsearch_settings: dict[str, str]) -> Elasticsearch:
    return admin_of(elasticsearch_settings)


@pytest.fixture
def index(admin: Elasticsearch) -> Iterator[str]:
    with own_index(admin) as name:
        yield name


@pytest.fixture
def elastic(elasticsearch_settings: dict[str, str], index: str) -> Elastic:
    """Set up."""
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index))
    elastic.set_up()
    return elastic


def written(elastic: Elastic, documents: list[Document]) -> None:
    for at in range(0, len(documents), 200):
        assert {outcome.state for outcome in elastic.create(documents[at : at + 200])} == {"stored"}


def ids_in(admin: Elasticsearch, index: str) -> set[str]:
    refresh(admin, index)
    return {hit["_id"] for hit in admin.search(index=index, size=1000, source=False).body["hits"]["hits"]}


def test_nothing_is_written_without_index_and_template(elasticsearch_settings: dict[str, str], index: str) -> None:
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index))
    with pytest.raises(ElasticNotSetUp) as refused:
        elastic.update_document("c", "Why?", "So.", turn_id="t")
    sentence = f"ES_INDEX: there is no index {index} and no template for it; run python -m app setup-elasticsearch"
    assert str(refused.value) == sentence
    assert not admin_of(elasticsearch_settings).indices.exists(index=index)


def test_setting_up_can_be_repeated(elasticsearch_settings: dict[str, str], index: str, admin: Elasticsearch) -> None:
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index))
    template = template_name(index)
    assert elastic.set_up() == [f"template {template}: installed", f"index {index}: made"]
    again = [f"template {template}: it is there already", f"index {index}: it is there already"]
    assert elastic.set_up() == again
    elastic.check()
    installed = admin.indices.get_index_template(name=template).body["index_templates"][0]["index_template"]
    assert (installed["index_patterns"], installed["template"]["mappings"]) == ([index], mapping())
    found = admin.indices.get_mapping(index=index).body[index]["mappings"]
    assert found == {**mapping(), "dynamic": "false"}


def test_an_index_that_elasticsearch_makes_itself_has_the_templates_mapping(
    elastic: Elastic, index: str, admin: Elasticsearch
) -> None:
    admin.indices.delete(index=index)
    elastic.check()
    written(elastic, [turn_document(FULL, SERVICE)])
    assert admin.indices.get_mapping(index=index).body[index]["mappings"]["properties"] == mapping()["properties"]


def test_fields_that_came_later_are_added_to_an_index_that_is_there(
    elastic: Elastic, index: str, admin: Elasticsearch
) -> None:
    admin.indices.delete(index=index)
    older = mapping()
    del older["properties"]["labels"]
    admin.indices.put_index_template(name=template_name(index), index_patterns=[index], template={"mappings": older})
    admin.indices.create(index=index)
    assert elastic.set_up() == [
        f"template {template_name(index)}: brought up to date",
        f"index {index}: it is there already, brought up to date",
    ]
    assert admin.indices.get_mapping(index=index).body[index]["mappings"]["properties"] == mapping()["properties"]


@pytest.mark.parametrize(
    ("mappings", "which"),
    [
        ({}, "was made by something else, without the fields of this server"),
        ({"_meta": {"schema_version": 7}}, "has documents of schema version 7, and this server writes version 1"),
    ],
)
def test_somebody_elses_index_is_neither_written_to_nor_changed(
    elasticsearch_settings: dict[str, str], index: str, admin: Elasticsearch, mappings: dict, which: str
) -> None:
    admin.indices.create(index=index, mappings=mappings)
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index))
    for call in (elastic.check, elastic.set_up, lambda: elastic.create([turn_document(FULL, SERVICE)])):
        with pytest.raises(ElasticRefused) as refused:
            call()
        assert str(refused.value) == f"ES_INDEX: the index {index} {which}; name another index"
    assert not admin.indices.exists_index_template(name=template_name(index))
    assert ids_in(admin, index) == set()


def test_a_document_is_created_once_and_never_changed(elastic: Elastic, index: str, admin: Elasticsearch) -> None:
    first, second = (turn_document(a_turn("c", number), SERVICE) for number in range(2))
    assert elastic.create([first]) == [Outcome("c:c-t0", "stored")]
    changed = Document(first.id, {**first.source, "chat": {"user": {"message": "something else"}}})
    assert elastic.create([second, changed]) == [Outcome("c:c-t1", "stored"), Outcome("c:c-t0", "stored")]
    assert ids_in(admin, index) == {"c:c-t0", "c:c-t1"}
    assert admin.get(index=index, id="c:c-t0").body["_source"] == first.source


def test_a_document_that_is_refused_holds_its_neighbours_up_in_nothing(
    elastic: Elastic, index: str, admin: Elasticsearch
) -> None:
    good = [turn_document(a_turn("c", number), SERVICE) for number in range(2)]
    bad = turn_document(replace(FULL, client_ip="my secret"), SERVICE)
    worse = Document("worse", {"chat": {"turn": {"index": "my secret"}}})
    outcomes = elastic.create([good[0], bad, worse, good[1]])
    assert outcomes == [
        Outcome("c:c-t0", "stored"),
        Outcome("full:full-t0", "refused", "document_parsing_exception on field client.ip"),
        Outcome("worse", "refused", "document_parsing_exception on field chat.turn.index"),
        Outcome("c:c-t1", "stored"),
    ]
    assert ids_in(admin, index) == {"c:c-t0", "c:c-t1"}


def test_what_the_mapping_does_not_have_is_kept(elastic: Elastic, index: str, admin: Elasticsearch) -> None:
    source = {**turn_document(FULL, SERVICE).source, "later": {"field": [1, {"two": None}]}}
    assert elastic.create([Document("one", source)]) == [Outcome("one", "stored")]
    assert admin.get(index=index, id="one").body["_source"] == source
    assert "later" not in admin.indices.get_mapping(index=index).body[index]["mappings"]["properties"]


def test_very_long_texts_and_words_are_kept(elastic: Elastic, index: str, admin: Elasticsearch) -> None:
    word = "\U0001f642" * 40_000
    turn = replace(
        FULL, text=word, answer="x" * 200_000, page_title=word, page_url=word, user_agent=word, run_id=word,
        request_ids=(word,), model=word, response_id=word, thread_id=word, error=TurnError(word, word),
    )  # fmt: skip
    document = turn_document(turn, SERVICE)
    written(elastic, [document, feedback_document(turn, 0, "up", word, START, SERVICE)])
    assert admin.get(index=index, id=document.id).body["_source"] == document.source


def query_of(field: str, type_: str, found: Any) -> dict[str, Any]:
    if type_ == "text":
        return {"match_phrase": {field: found}}
    if type_ == "flattened":
        return {"term": {f"{field}.request_ids": "req_2"}}
    if type_ == "ip":
        return {"term": {field: "192.0.2.0/24"}}
    if type_ == "date":
        return {"range": {field: {"gte": found, "lte": found}}}
    return {"range": {field: {"gte": found - 1, "lt": found + 1}}} if type_ == "long" else {"term": {field: found}}


def some_value(documents: list[Document], name: str) -> Any:
    found = next(found for document in documents if (found := leaf(document.source, name)) is not None)
    return found[0] if isinstance(found, list) else found


def leaf(source: dict[str, Any], name: str) -> Any:
    if name.startswith("chat.citations."):
        citations = value(source, "chat.citations")
        return citations and citations[0][name.rpartition(".")[2]]
    return value(source, name)


def test_every_field_is_found_and_aggregated_by_its_type(elastic: Elastic, index: str, admin: Elasticsearch) -> None:
    whole = replace(FULL, state=TurnState.COMPLETE, error=None, id="whole")
    documents = [
        start_document(FULL, START, SERVICE), turn_document(FULL, SERVICE, START - 100), turn_document(whole, SERVICE),
        feedback_document(FULL, 0, "down", "Quite wrong.", START, SERVICE),
    ]  # fmt: skip
    written(elastic, documents)
    refresh(admin, index)
    for name, type_, _ in FIELDS:
        query = query_of(name, type_, some_value(documents, name))
        assert admin.count(index=index, query=query).body["count"] >= 1, name
        if type_ == "text":
            continue
        field = f"{name}.run_id" if type_ == "flattened" else name
        buckets = admin.search(index=index, size=0, aggs={"a": {"terms": {"field": field}}}).body["aggregations"]["a"]
        assert buckets["buckets"], name
        kind = {"long": "stats", "date": "date_histogram"}.get(type_)
        if kind:
            more = {"calendar_interval": "day"} if kind == "date_histogram" else {}
            admin.search(index=index, size=0, aggs={"a": {kind: {"field": name, **more}}})


def test_aggregations_such_as_kibanas_give_the_numbers_of_the_turns(
    elastic: Elastic, index: str, admin: Elasticsearch
) -> None:
    turns = many_turns(500)
    written(elastic, [turn_document(turn, SERVICE) for turn in turns])
    refresh(admin, index)
    firsts = [turn.first_piece_at - turn.accepted_at for turn in turns if turn.first_piece_at]
    wanted = {
        "days": {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}},
        "states": {"terms": {"field": "chat.turn.state"}},
        "outcomes": {"terms": {"field": "event.outcome"}},
        "reasons": {"terms": {"field": "event.reason"}},
        "first": {"percentiles": {"field": "chat.turn.time_to_first_token_ms", "percents": [50, 95]}},
        "duration": {"avg": {"field": "event.duration"}},
        "users": {"cardinality": {"field": "user.id"}},
        "models": {
            "terms": {"field": "gen_ai.response.model"},
            "aggs": {"tokens": {"sum": {"field": "gen_ai.usage.output_tokens"}}},
        },
    }
    found = admin.search(index=index, size=0, aggs=wanted, track_total_hits=True).body
    assert found["hits"]["total"]["value"] == 500
    counts = {
        name: {bucket["key"]: bucket["doc_count"] for bucket in found["aggregations"][name]["buckets"]}
        for name in ("days", "states", "outcomes", "reasons")
    }
    day = 24 * HOUR
    assert counts["days"] == Counter(turn.finished_at // day * day for turn in turns)
    assert counts["states"] == Counter(turn.state for turn in turns)
    outcomes = {"complete": "success", "truncated": "success", "stopped": "unknown"}
    assert counts["outcomes"] == Counter(outcomes.get(turn.state, "failure") for turn in turns)
    reasons = [turn.error.code if turn.error else turn.state for turn in turns if turn.state != "complete"]
    assert counts["reasons"] == Counter(reasons)
    tokens = {b["key"]: b["tokens"]["value"] for b in found["aggregations"]["models"]["buckets"]}
    assert tokens == {
        model: sum(turn.usage["output_tokens"] for turn in turns if turn.model == model)
        for model in {turn.model for turn in turns}
    }
    cuts = statistics.quantiles(firsts, n=20, method="inclusive")
    percentiles = found["aggregations"]["first"]["values"]
    assert percentiles["50.0"] == pytest.approx(cuts[9], rel=0.02)
    assert percentiles["95.0"] == pytest.approx(cuts[18], rel=0.05)
    mean = statistics.mean(turn.finished_at - turn.accepted_at for turn in turns) * 1_000_000
    assert found["aggregations"]["duration"]["value"] == pytest.approx(mean)
    assert found["aggregations"]["users"]["value"] == 17


def test_a_conversation_is_read_back_whole(elastic: Elastic, index: str, admin: Elasticsearch) -> None:
    turns = [a_turn("c", number) for number in range(50)]
    documents = [start_document(turns[0], START, SERVICE), *(turn_document(turn, SERVICE) for turn in turns)]
    documents += [
        feedback_document(turns[7], 0, "down", "Wrong.", START, SERVICE),
        feedback_document(turns[7], 1, "up", None, START + 1, SERVICE),
    ]
    written(elastic, [*documents, turn_document(a_turn("another", 0), SERVICE)])
    refresh(admin, index)
    read = elastic.conversation("c")
    assert read == conversation_of(document.source for document in documents)
    assert read is not None
    assert read["conversation_uuid"] == "c"
    assert (read["user_id"], read["thread_id"], read["assistant_id"]) == ("u-1", "conv_1", "asst_1")
    assert [turn["user_query"] for turn in read["conversations"]] == [turn.text for turn in turns]
    assert [turn["index"] for turn in read["conversations"] if turn["feedback"]] == [7]
    assert elastic.conversation("none") is None
    json.dumps(read)


def test_a_conversation_of_an_index_that_is_not_there_is_none(
    elasticsearch_settings: dict[str, str], index: str
) -> None:
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index), "erase")
    assert elastic.conversation("c") is None
    assert (elastic.erase("user.id", "u"), elastic.erase_before(START)) == (0, 0)
    elastic.may_erase()


def test_what_was_written_a_moment_ago_is_erased_too(
    elastic: Elastic, index: str, admin: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastic_erasure, "AT_ONCE", 7)
    theirs = [turn_document(a_turn(f"c{number % 3}", number), SERVICE) for number in range(30)]
    others = [turn_document(a_turn("d", number, user_id="u-2"), SERVICE) for number in range(3)]
    written(elastic, [*theirs, *others])
    elastic.may_erase()
    assert elastic.erase("gen_ai.conversation.id", "c1") == 10
    assert elastic.erase("user.id", "u-1") == 20
    assert ids_in(admin, index) == {document.id for document in others}
    assert elastic.erase("user.id", "u-1") == 0


def test_erasing_stops_at_an_index_whose_types_were_guessed(
    elasticsearch_settings: dict[str, str], index: str, admin: Elasticsearch
) -> None:
    admin.index(index=index, document=turn_document(FULL, SERVICE).source, refresh=True)
    elastic = Elastic(settings_of(elasticsearch_settings, es_index=index), "erase")
    with pytest.raises(ElasticRefused):
        elastic.erase("user.id", "u-1")


def test_conversations_go_by_age_when_all_of_them_is_old(
    elastic: Elastic, index: str, admin: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastic_erasure, "PAGE", 4)
    old = [turn_document(a_turn(f"old{number}", number), SERVICE) for number in range(11)]
    limit = START + 100 * HOUR
    edge = a_turn("edge", 0, finished_at=limit)
    alive = [turn_document(a_turn("alive", number), SERVICE) for number in (1, 200)]
    rated = a_turn("rated", 2)
    kept = [
        turn_document(edge, SERVICE), *alive, turn_document(rated, SERVICE),
        feedback_document(rated, 0, "up", None, limit + 1, SERVICE),
    ]  # fmt: skip
    written(elastic, [*old, *kept])
    assert elastic.erase_before(limit) == 11
    assert ids_in(admin, index) == {document.id for document in kept}
    assert elastic.erase_before(limit) == 0
