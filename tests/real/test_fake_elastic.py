"""The fake Elasticsearch of the tests does what the real one does, as far as the shipper sees it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.chat.identity import new_identity
from app.chat.turns import Turn, TurnState
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic import Elastic
from app.transcripts.records import Document, turn_document
from tests.real.elasticsearch_node import everything, remove
from tests.transcripts.fake_elastic import FakeElastic
from tests.transcripts.talks import SERVICE


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def elastic(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeElastic()
        return
    url = request.getfixturevalue("elasticsearch_settings")["ES_URL"]
    elastic = Elastic(ElasticsearchSettings(es_url=url, es_index=f"shipping-{uuid.uuid4().hex[:12]}"))
    elastic.set_up()
    yield elastic
    remove(url, elastic._index)


def document(answer: str) -> Document:
    identity = new_identity()
    turn = Turn("t", identity.conversation, identity.user_id, 0, "c", "a question", 1, TurnState.COMPLETE, answer)
    return turn_document(turn, SERVICE)


def kept(elastic: FakeElastic | Elastic) -> dict[str, Any]:
    if isinstance(elastic, FakeElastic):
        return elastic.kept
    return {id_: hit["_source"] for id_, hit in everything(elastic._connection.address, elastic._index).items()}


def test_documents_are_stored_and_a_repeat_counts_as_stored_without_changing_them(elastic: Any) -> None:
    elastic.check()
    first, second = document("one"), document("two")
    assert [(o.id, o.state) for o in elastic.create([first])] == [(first.id, "stored")]
    changed = Document(first.id, second.source)
    assert [(o.id, o.state) for o in elastic.create([changed, second])] == [
        (first.id, "stored"), (second.id, "stored")
    ]  # fmt: skip
    assert kept(elastic) == {first.id: first.source, second.id: second.source}


def test_nothing_to_store_is_nothing_to_do(elastic: Any) -> None:
    assert elastic.create([]) == []
