"""Elasticsearch for the rest of the house: documents in, a conversation back, set up, erase. Synchronous.

Every method raises `ElasticError`, whose kinds say what helps: waiting, or an operator. Documents are only ever
created: a repeat of one is recognised by its id and counts as stored.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from app import __version__
from app.chat.clock import utc
from app.chat.turns import Turn, TurnState
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts import elastic_erasure, elastic_setup
from app.transcripts import elastic_errors as errors
from app.transcripts.archived import conversation_of
from app.transcripts.elastic_client import Connection
from app.transcripts.elastic_errors import (
    ElasticError,
    ElasticNotAllowed,
    ElasticNotSetUp,
    ElasticRefused,
    ElasticUnavailable,
)
from app.transcripts.elastic_login import Role
from app.transcripts.records import Document, Service, start_document, turn_document

__all__ = [
    "Elastic", "ElasticError", "ElasticNotAllowed", "ElasticNotSetUp", "ElasticRefused", "ElasticUnavailable",
    "Outcome",
]  # fmt: skip

WRITE_SECONDS = 30.0
CHECK_EVERY = 5.0
"""Seconds for which the index is taken to be as it was: somebody may remove it, and the next write would make one
with guessed types."""
PAGE = 20
"""Documents that are read in one call; a turn may have 200,000 characters."""
THIS_SERVER = Service("assistant-chat-server", __version__, "")


class Outcome(NamedTuple):
    """What became of a document. `again`: not now, but later. `refused`: never, and why (no text of the document)."""

    id: str
    state: Literal["stored", "again", "refused"]
    reason: str | None = None


class Elastic:
    """Elasticsearch as the settings name it, with the key of a role. Connects at the first call."""

    def __init__(self, settings: ElasticsearchSettings, role: Role = "writer") -> None:
        self._connection = Connection(settings, role)
        self._index = settings.es_index
        self._checked = False
        self._checked_at = float("-inf")

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """Write documents in one call; an outcome for each, in their order. Raises when none could be looked at.

        The first call, the first one after an error, and every few seconds one looks at the index's mapping before.
        """
        if not documents:
            return []
        if not self._checked or time.monotonic() - self._checked_at > CHECK_EVERY:
            self.check()
        self._checked = False
        outcomes = [self._outcome(document, item) for document, item in self._bulk(documents)]
        self._checked = True
        return outcomes

    def check(self) -> None:
        """See that it is Elasticsearch 9 and that the index has, or will get, our mapping. Raises `ElasticError`."""
        elastic_setup.check(self._connection)
        self._checked, self._checked_at = True, time.monotonic()

    def set_up(self) -> list[str]:
        """Install template and index. What was done, a line each; safe to repeat."""
        return elastic_setup.set_up(self._connection)

    def push_to_index(
        self,
        conversation_uuid: str,
        user_id: str,
        thread_id: str | None,
        assistant_id: str | None,
        *,
        service: Service = THIS_SERVER,
        created_at: int | None = None,
        **more: Any,
    ) -> None:
        """Record that a conversation began. `more`: fields of `Turn`, such as `page_url`."""
        moment = utc() if created_at is None else created_at
        turn = Turn("", conversation_uuid, user_id, 0, "", "", moment, thread_id=thread_id, **more)
        self._create_one(start_document(turn, moment, replace(service, agent_id=assistant_id)))

    def update_document(
        self,
        conversation_uuid: str,
        user_query: str,
        assistant_response: str,
        *,
        turn_id: str,
        service: Service = THIS_SERVER,
        **more: Any,
    ) -> None:
        """Record a turn. `more`: fields of `Turn`; unless given, it is complete, was just now, and has no index."""
        known: dict[str, Any] = {
            "user_id": "",
            "index": -1,
            "client_id": "",
            "accepted_at": utc(),
            "state": TurnState.COMPLETE,
        }
        turn = Turn(turn_id, conversation_uuid, text=user_query, answer=assistant_response, **(known | more))
        self._create_one(turn_document(turn, service))

    def conversation(self, conversation_uuid: str) -> dict[str, Any] | None:
        """A conversation as one object; None if nothing of it is there. What is younger than a second may lack."""
        sources: list[dict[str, Any]] = []
        after: list[Any] | None = None
        try:
            while hits := self._page(conversation_uuid, after):
                sources += [hit["_source"] for hit in hits]
                after = hits[-1]["sort"]
        except ElasticNotSetUp:
            return None
        return conversation_of(sources)

    def may_erase(self) -> None:
        """Raise `ElasticNotAllowed` if the key may not; deletes nothing."""
        elastic_erasure.may_erase(self._connection)

    def count(self, field: str, value: str) -> int:
        """How many documents `erase` would delete."""
        return elastic_erasure.count(self._connection, field, value)

    def count_before(self, moment: int) -> int:
        """How many documents `erase_before` would delete."""
        return elastic_erasure.count_before(self._connection, moment)

    def erase(self, field: str, value: str) -> int:
        """Delete by `user.id` or `gen_ai.conversation.id`; the number of documents. Raises if any is left."""
        return elastic_erasure.erase(self._connection, field, value)

    def erase_before(self, moment: int) -> int:
        """Delete conversations whose last event is older than `moment` (milliseconds); the number of documents."""
        return elastic_erasure.erase_before(self._connection, moment)

    def _bulk(self, documents: Sequence[Document]) -> list[tuple[Document, dict[str, Any]]]:
        lines: list[dict[str, Any]] = []
        for document in documents:
            lines += [{"create": {"_id": document.id}}, document.source]
        answer = self._connection.call(
            lambda client: client.bulk(
                index=self._index, operations=lines, filter_path="items.*._id,items.*.status,items.*.error"
            ),
            "write to {index}",
            seconds=WRITE_SECONDS,
        )
        items = [item.get("create", {}) for item in answer.body.get("items", [])]
        if [item.get("_id") for item in items] != [document.id for document in documents]:
            raise errors.no_answer(self._connection.address, "its answer is about other documents")
        return list(zip(documents, items, strict=True))

    def _outcome(self, document: Document, item: dict[str, Any]) -> Outcome:
        status, error = int(item.get("status", 500)), item.get("error")
        kind = errors.kind_of(error)
        if status in (200, 201, 409):
            return Outcome(document.id, "stored")
        if kind == "cluster_block_exception" and status != 429:
            raise errors.not_writable(self._index, kind)
        if status in (401, 403):
            raise self._connection.not_permitted("write to {index}")
        if status == 404:
            raise errors.not_set_up(self._index)
        if status in (408, 429) or status >= 500:
            return Outcome(document.id, "again", kind)
        return Outcome(document.id, "refused", errors.reason_of(error))

    def _create_one(self, document: Document) -> None:
        (outcome,) = self.create([document])
        if outcome.state == "again":
            raise errors.no_answer(self._connection.address, f"it does not take documents now ({outcome.reason})")
        if outcome.state == "refused":
            raise ElasticRefused(f"Elasticsearch refuses the document {document.id}: {outcome.reason}")

    def _page(self, conversation_uuid: str, after: list[Any] | None) -> list[dict[str, Any]]:
        answer = self._connection.call(
            lambda client: client.search(
                index=self._index,
                query={"term": {"gen_ai.conversation.id": conversation_uuid}},
                sort=[{"@timestamp": "asc"}, {"event.id": "asc"}],
                search_after=after,
                size=PAGE,
                allow_partial_search_results=False,
            ),
            "read {index}",
        )
        hits: list[dict[str, Any]] = answer.body["hits"]["hits"]
        return hits
