"""What becomes of documents in Elasticsearch: an outcome for each, the index that they need, and their erasure."""

from __future__ import annotations

import json

import pytest

from app.transcripts.elastic import (
    ElasticError,
    ElasticNotAllowed,
    ElasticNotSetUp,
    ElasticRefused,
    ElasticUnavailable,
    Outcome,
)
from tests.transcripts.elastic_calls import QUOTING, SECRET, document, elastic_at, fault
from tests.transcripts.elastic_stand_in import (
    Answer,
    Request,
    Script,
    StandIn,
    error,
    healthy,
    index_is_there,
    info,
    items,
    stored,
)


def test_every_document_has_its_outcome() -> None:
    verdicts = {
        "c:t0": {"status": 201},
        "c:t1": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": SECRET}},
        "c:t2": {"status": 400, "error": {"type": "document_parsing_exception", "reason": QUOTING}},
        "c:t3": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": SECRET}},
        "c:t4": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": SECRET}},
        "c:t5": {"status": 400, "error": {"type": f"[{SECRET}]", "reason": f"[{SECRET}]"}},
        "c:t6": {"status": 413},
    }
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **verdicts[id_]}))) as server:
        outcomes = elastic_at(server).create([document(number) for number in range(7)])
    assert outcomes == [
        Outcome("c:t0", "stored"),
        Outcome("c:t1", "stored"),
        Outcome("c:t2", "refused", "document_parsing_exception on field chat.turn.index"),
        Outcome("c:t3", "again", "es_rejected_execution_exception"),
        Outcome("c:t4", "again", "unavailable_shards_exception"),
        Outcome("c:t5", "refused", "unknown error"),
        Outcome("c:t6", "refused", "unknown error"),
    ]


@pytest.mark.parametrize(
    ("item", "kind", "sentence"),
    [
        (
            {"status": 403, "error": {"type": "security_exception"}},
            ElasticNotAllowed,
            "ES_API_KEY: this key may not write to ai-index; see the keys in docs/transcripts.md",
        ),
        (
            {"status": 403, "error": {"type": "cluster_block_exception"}},
            ElasticRefused,
            "ES_INDEX: the index ai-index is blocked (cluster_block_exception); remove the block in Elasticsearch",
        ),
        (
            {"status": 404, "error": {"type": "index_not_found_exception"}},
            ElasticNotSetUp,
            "ES_INDEX: there is no index ai-index and no template for it; run python -m app setup-elasticsearch",
        ),
    ],
)
def test_what_fails_for_every_document_fails_as_a_whole(item: dict, kind: type[ElasticError], sentence: str) -> None:
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **item}))) as server:
        raised = fault(lambda: elastic_at(server, es_api_key="k").create([document()]))
    assert (type(raised), str(raised)) == (kind, sentence)


def test_an_answer_about_other_documents_confirms_nothing() -> None:
    with StandIn(healthy(lambda request: items(request, lambda _: {"_id": "other", "status": 201}))) as server:
        raised = fault(lambda: elastic_at(server).create([document()]))
        assert str(raised) == f"Elasticsearch at {server.url} cannot be reached: its answer is about other documents"


def test_the_mapping_is_looked_at_before_the_first_write_and_again_after_an_error() -> None:
    bulks: list[Script] = [stored, stored, lambda _: error(503, "unavailable"), stored]
    with StandIn(healthy(lambda request: bulks.pop(0)(request))) as server:
        elastic = elastic_at(server)
        elastic.create([document()])
        elastic.create([document()])
        fault(lambda: elastic.create([document()]))
        elastic.create([document()])
        asked = [request.path.partition("?")[0] for request in server.requests]
    look, write = ["/", "/ai-index/_mapping"], ["/ai-index/_bulk"]
    assert asked == [*look, *write, *write, *write, *look, *write]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            {"_meta": {"schema_version": 2}},
            "ES_INDEX: the index ai-index has documents of schema version 2, and this server writes version 1; name "
            "another index",
        ),
        (
            {"properties": {"client": {"properties": {"ip": {"type": "text"}}}}},
            "ES_INDEX: the index ai-index was made by something else, without the fields of this server; name another "
            "index",
        ),
    ],
)
def test_an_index_with_another_mapping_is_not_written_to(found: dict, sentence: str) -> None:
    def script(request: Request) -> Answer:
        return info("9.4.3") if request.path == "/" else Answer(body={"ai-index": {"mappings": found}})

    with StandIn(script) as server:
        raised = fault(lambda: elastic_at(server).create([document()]))
        assert (type(raised), str(raised)) == (ElasticRefused, sentence)
        assert "_bulk" not in str(server.requests)


def test_nothing_is_sent_twice_by_the_library_itself() -> None:
    with StandIn(healthy(lambda _: error(503, "unavailable"))) as server:
        elastic = elastic_at(server)
        fault(lambda: elastic.create([document()]))
        assert len([request for request in server.requests if "_bulk" in request.path]) == 1


def test_the_two_verbs_write_what_they_are_given() -> None:
    with StandIn(healthy(stored)) as server:
        elastic = elastic_at(server)
        elastic.push_to_index("c", "u", "thread_1", "asst_1", created_at=0, page_url="https://a.example")
        elastic.update_document("c", "Why?", "So.", turn_id="t", user_id="u", index=0, accepted_at=0, finished_at=1500)
        elastic.update_document("c", "Why?", "So.", turn_id="t2")
        written = [
            [json.loads(line) for line in request.body.splitlines()]
            for request in server.requests
            if "_bulk" in request.path
        ]
    (start, start_source), (turn, turn_source), (_, short_source) = written
    assert [start, turn] == [{"create": {"_id": "c"}}, {"create": {"_id": "c:t"}}]
    assert start_source["chat"] == {"thread": {"id": "thread_1"}, "page": {"url": "https://a.example"}}
    assert start_source["gen_ai"] == {"agent": {"id": "asst_1"}, "conversation": {"id": "c"}}
    assert turn_source["event"]["duration"] == 1_500_000_000
    assert turn_source["chat"] == {
        "turn": {"id": "t", "index": 0, "state": "complete"}, "user": {"message": "Why?"},
        "assistant": {"message": "So."},
    }  # fmt: skip
    assert "user" not in short_source
    assert "index" not in short_source["chat"]["turn"]


@pytest.mark.parametrize(
    ("item", "kind", "sentence"),
    [
        (
            {"status": 429, "error": {"type": "es_rejected_execution_exception"}},
            ElasticUnavailable,
            "Elasticsearch at URL cannot be reached: it does not take documents now (es_rejected_execution_exception)",
        ),
        (
            {"status": 400, "error": {"type": "document_parsing_exception", "reason": QUOTING}},
            ElasticRefused,
            "Elasticsearch refuses the document c:t: document_parsing_exception on field chat.turn.index",
        ),
    ],
)
def test_the_verbs_raise_what_becomes_of_their_document(item: dict, kind: type[ElasticError], sentence: str) -> None:
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **item}))) as server:
        raised = fault(lambda: elastic_at(server).update_document("c", SECRET, SECRET, turn_id="t"))
        assert (type(raised), str(raised)) == (kind, sentence.replace("URL", server.url))


def test_nothing_is_taken_for_erased_that_is_still_there_or_cannot_be_seen() -> None:
    left, failing = 3, ""
    types = {"user.id": {"keyword": {}}, "gen_ai.conversation.id": {"keyword": {}}, "@timestamp": {"date": {}}}

    def script(request: Request) -> Answer:
        shards = {"_shards": {"failed": int(bool(failing) and failing in request.path)}}
        answers = {"_field_caps": {"fields": types}, "_delete": {"deleted": 0}, "_count": {"count": left, **shards}}
        return Answer(body=next((body for name, body in answers.items() if name in request.path), shards))

    with StandIn(script) as server:
        elastic = elastic_at(server)
        why = f"Elasticsearch at {server.url} cannot be reached:"
        erase = lambda: elastic.erase("user.id", "u")  # noqa: E731
        assert str(fault(erase)) == f"{why} 3 documents are still there after 5 attempts to erase them"
        failing = "_refresh"
        assert str(fault(erase)) == f"{why} a part of the index does not answer"
        failing = "_count"
        assert str(fault(erase)) == f"{why} a part of the index does not answer"
        left, failing = 0, ""
        assert elastic.erase("user.id", "u") == 0
        types["user.id"] = {"text": {}}
        assert str(fault(erase)) == (
            "ES_INDEX: the index ai-index was made by something else, without the fields of this server; name another "
            "index"
        )


@pytest.mark.parametrize(("field", "value"), [("user.id", ""), ("chat.user.message", "a"), ("*", "a")])
def test_only_a_user_or_a_conversation_is_erased(field: str, value: str) -> None:
    with StandIn(healthy(stored)) as server:
        with pytest.raises(ValueError, match="nothing is erased"):
            elastic_at(server).erase(field, value)
        assert server.requests == []


def test_without_the_index_a_template_of_ours_is_enough() -> None:
    templates: list[dict] = []

    def script(request: Request) -> Answer:
        if "_index_template" in request.path:
            return Answer(body={"index_templates": templates})
        return info("9.4.3") if request.path == "/" else error(404, "index_not_found_exception")

    with StandIn(script) as server:
        elastic = elastic_at(server)
        assert isinstance(fault(elastic.check), ElasticNotSetUp)
        mappings = index_is_there().body["ai-index"]["mappings"]
        templates.append({"index_template": {"template": {"mappings": mappings}}})
        elastic.check()
