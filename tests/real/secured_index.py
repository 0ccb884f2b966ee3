"""An index of a test's own on an Elasticsearch with security, a key for each role, and the fault of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from elasticsearch import Elasticsearch

from app.transcripts.elastic import Elastic, ElasticError
from app.transcripts.elastic_login import PREFIXES
from app.transcripts.elastic_setup import key_request
from app.transcripts.records import turn_document
from tests.real.elastic_parts import SERVICE, a_turn, admin_of, own_index, settings_of

DOCUMENT = turn_document(a_turn("c", 0), SERVICE)


class Key(NamedTuple):
    id: str
    encoded: str


class Node(NamedTuple):
    """The Elasticsearch, an index in it, and a key for each role."""

    environment: dict[str, str]
    admin: Elasticsearch
    index: str
    keys: dict[str, Key]

    def elastic(self, role: Any, **settings: Any) -> Elastic:
        """With no account but the one that `settings` give."""
        nobody = {"es_username": None, "es_password": None, "es_index": self.index}
        return Elastic(settings_of(self.environment, **(nobody | settings)), role)

    def of(self, role: Any) -> Elastic:
        """With the three keys as an operator would set them."""
        keys = {f"{prefix}_API_KEY".lower(): self.keys[name].encoded for name, prefix in PREFIXES.items()}
        return self.elastic(role, **keys)

    def client(self, role: str) -> Elasticsearch:
        """The library's own client with a role's key: what it may beside what our code asks for."""
        environment = self.environment
        return Elasticsearch(
            environment["ES_URL"], api_key=self.keys[role].encoded, ca_certs=environment["ES_CA_CERTS"]
        )


@pytest.fixture
def node(secure_elasticsearch_settings: dict[str, str]) -> Iterator[Node]:
    admin = admin_of(secure_elasticsearch_settings)
    with own_index(admin) as index:
        made = {role: admin.security.create_api_key(**key_request(role, index)).body for role in PREFIXES}
        keys = {role: Key(key["id"], key["encoded"]) for role, key in made.items()}
        try:
            yield Node(secure_elasticsearch_settings, admin, index, keys)
        finally:
            admin.security.invalidate_api_key(ids=[key.id for key in keys.values()])


def fault(call: Callable[[], object]) -> tuple[type[ElasticError], str]:
    with pytest.raises(ElasticError) as raised:
        call()
    return type(raised.value), str(raised.value)
