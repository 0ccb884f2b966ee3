"""Erasing from Elasticsearch: refresh, delete, refresh, count, until nothing is left. Raises if anything stays.

Elasticsearch deletes only what a search finds, and a search does not find what was written in the last moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.transcripts import elastic_errors as errors
from app.transcripts.elastic_client import Connection
from app.transcripts.elastic_errors import ElasticNotSetUp

ERASABLE = ("user.id", "gen_ai.conversation.id")
AT_ONCE = 5000
"""Documents that one call deletes, so that a call has an end."""
PAGE = 1000
"""Conversations that are looked at in one call."""
ROUNDS = 5
"""Rounds in a row that delete nothing, before it is given up."""
SECONDS = 60.0
OLD = {"user.id": "keyword", "gen_ai.conversation.id": "keyword", "@timestamp": "date"}

Query = dict[str, Any]


def erase(connection: Connection, field: str, value: str) -> int:
    """Everything of a user or a conversation. The number of documents that were deleted."""
    if field not in ERASABLE or not value:
        raise ValueError(f"nothing is erased by {field} = {value!r}")
    return _erase(connection, {"term": {field: value}})


def erase_before(connection: Connection, moment: int) -> int:
    """Conversations of which every document is older than `moment` (milliseconds). The number of documents."""
    older = {"range": {"@timestamp": {"lt": moment, "format": "epoch_millis"}}}
    try:
        _refresh(connection)
        return sum(
            _erase(connection, {"bool": {"filter": [{"terms": {"gen_ai.conversation.id": ids}}, older]}})
            for ids in _conversations_before(connection, older)
            if ids
        )
    except ElasticNotSetUp:
        return 0


def count(connection: Connection, field: str, value: str) -> int:
    """How many documents there are of a user or a conversation, as far as searches see them already."""
    try:
        return _count(connection, {"term": {field: value}})
    except ElasticNotSetUp:
        return 0


def count_before(connection: Connection, moment: int) -> int:
    """How many documents there are of conversations of which every document is older than `moment`."""
    older = {"range": {"@timestamp": {"lt": moment, "format": "epoch_millis"}}}
    try:
        return sum(
            _count(connection, {"terms": {"gen_ai.conversation.id": ids}})
            for ids in _conversations_before(connection, older)
            if ids
        )
    except ElasticNotSetUp:
        return 0


def may_erase(connection: Connection) -> None:
    """Raise `ElasticNotAllowed` unless the key may; deletes nothing."""
    try:
        _delete(connection, {"match_none": {}})
        _refresh(connection)
    except ElasticNotSetUp:
        # There is no index yet, and the key may.
        return


def _erase(connection: Connection, query: Query) -> int:
    deleted, rounds = 0, 0
    try:
        _check_types(connection)
        while rounds < ROUNDS:
            _refresh(connection)
            now = _delete(connection, query)
            _refresh(connection)
            left = _count(connection, query)
            if not left:
                return deleted + now
            deleted, rounds = deleted + now, 0 if now else rounds + 1
    except ElasticNotSetUp:
        return deleted
    raise errors.no_answer(
        connection.address, f"{left} documents are still there after {ROUNDS} attempts to erase them"
    )


def _check_types(connection: Connection) -> None:
    """In an index that was made by guessing, no document would be found, and all would seem to be gone."""
    found = connection.call(
        lambda client: client.field_caps(index=connection.index, fields=list(OLD)), "read {index}", seconds=SECONDS
    ).body["fields"]
    if any(set(found.get(name, {})) != {type_} for name, type_ in OLD.items()):
        raise errors.wrong_mapping(connection.index, None)


def _delete(connection: Connection, query: Query) -> int:
    answer = connection.call(
        lambda client: client.delete_by_query(
            index=connection.index, query=query, conflicts="proceed", max_docs=AT_ONCE, wait_for_completion=True
        ),
        "delete from {index}",
        seconds=SECONDS,
    )
    return int(answer.body.get("deleted", 0))


def _refresh(connection: Connection) -> None:
    answer = connection.call(
        lambda client: client.indices.refresh(index=connection.index), "refresh {index}", seconds=SECONDS
    )
    _check_shards(connection, answer.body)


def _count(connection: Connection, query: Query) -> int:
    answer = connection.call(
        lambda client: client.count(index=connection.index, query=query), "read {index}", seconds=SECONDS
    )
    _check_shards(connection, answer.body)
    return int(answer.body["count"])


def _check_shards(connection: Connection, answer: dict[str, Any]) -> None:
    """A part of the index that does not answer may have what is to be gone."""
    if answer.get("_shards", {}).get("failed", 0):
        raise errors.no_answer(connection.address, "a part of the index does not answer")


def _conversations_before(connection: Connection, older: Query) -> Iterator[list[str]]:
    """Ids of conversations that have old documents and no newer ones, a page at a time."""
    after: dict[str, Any] | None = None
    while True:
        source: dict[str, Any] = {"id": {"terms": {"field": "gen_ai.conversation.id"}}}
        pages: dict[str, Any] = {"composite": {"size": PAGE, "sources": [source]}}
        if after:
            pages["composite"]["after"] = after
        found = _aggregate(connection, older, pages)
        ids = [bucket["key"]["id"] for bucket in found["buckets"]]
        if not ids:
            return
        newer = {"bool": {"filter": [{"terms": {"gen_ai.conversation.id": ids}}], "must_not": [older]}}
        alive = _aggregate(connection, newer, {"terms": {"field": "gen_ai.conversation.id", "size": PAGE}})
        kept = {bucket["key"] for bucket in alive["buckets"]}
        yield [id_ for id_ in ids if id_ not in kept]
        after = found.get("after_key")
        if after is None:
            return


def _aggregate(connection: Connection, query: Query, wanted: dict[str, Any]) -> dict[str, Any]:
    answer = connection.call(
        lambda client: client.search(
            index=connection.index, query=query, size=0, aggs={"found": wanted}, allow_partial_search_results=False
        ),
        "read {index}",
        seconds=SECONDS,
    )
    found: dict[str, Any] = answer.body["aggregations"]["found"]
    return found
