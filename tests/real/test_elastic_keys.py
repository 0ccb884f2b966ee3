"""Keys and passwords, on a real Elasticsearch with security: what each may, and how each failure reads."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elasticsearch import AuthorizationException

from app.transcripts.elastic import ElasticNotAllowed, Outcome
from app.transcripts.elastic_setup import key_request, template_name
from tests.real import secured_index
from tests.real.elastic_parts import START, refresh
from tests.real.secured_index import DOCUMENT, Node, fault

pytestmark = pytest.mark.real

node = secured_index.node


@pytest.fixture
def user(node: Node) -> Iterator[str]:
    """A user with the writer's privileges and the password `first-password`."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    (descriptor,) = key_request("writer", node.index)["role_descriptors"].values()
    node.admin.security.put_role(name=name, **descriptor)
    node.admin.security.put_user(username=name, password="first-password", roles=[name])
    yield name
    node.admin.security.delete_user(username=name)
    node.admin.security.delete_role(name=name)


def test_the_three_keys_do_their_work(node: Node) -> None:
    node.of("setup").set_up()
    assert node.of("setup").set_up()[0] == f"template {template_name(node.index)}: it is there already"
    writer = node.of("writer")
    writer.check()
    assert writer.create([DOCUMENT]) == writer.create([DOCUMENT]) == [Outcome(DOCUMENT.id, "stored")]
    refresh(node.admin, node.index)
    read = writer.conversation("c")
    assert read is not None
    assert read["conversations"][0]["user_query"] == "Question 0?"
    eraser = node.of("erase")
    eraser.may_erase()
    assert (eraser.erase("user.id", "u-1"), eraser.erase_before(START)) == (1, 0)
    assert node.admin.count(index=node.index).body["count"] == 0


def test_the_writers_key_makes_a_missing_index_from_the_template(node: Node) -> None:
    node.of("setup").set_up()
    node.admin.indices.delete(index=node.index)
    assert node.of("writer").create([DOCUMENT]) == [Outcome(DOCUMENT.id, "stored")]
    assert node.admin.indices.get_mapping(index=node.index).body[node.index]["mappings"]["dynamic"] == "false"


def test_the_writers_key_cannot_change_overwrite_or_delete(node: Node) -> None:
    node.of("setup").set_up()
    node.of("writer").create([DOCUMENT])
    client, index, id_ = node.client("writer"), node.index, DOCUMENT.id
    attempts: list[Callable[[], object]] = [
        lambda: client.index(index=index, id=id_, document={}),
        lambda: client.update(index=index, id=id_, doc={"a": 1}),
        lambda: client.delete(index=index, id=id_),
        lambda: client.delete_by_query(index=index, query={"match_all": {}}),
        lambda: client.update_by_query(index=index, query={"match_all": {}}),
        lambda: client.indices.delete(index=index),
        lambda: client.indices.put_index_template(name=template_name(index), index_patterns=[index]),
        lambda: client.indices.delete_index_template(name=template_name(index)),
        lambda: client.create(index=f"{index}-other", id=id_, document={}),
        lambda: client.search(index=f"{index}-other"),
        lambda: client.security.create_api_key(name="more"),
    ]
    for attempt in attempts:
        with pytest.raises(AuthorizationException):
            attempt()
    bulk = client.bulk(index=index, operations=[{"index": {"_id": id_}}, {}, {"delete": {"_id": id_}}]).body["items"]
    assert [item[action]["status"] for item, action in zip(bulk, ("index", "delete"), strict=True)] == [403, 403]
    assert node.admin.get(index=index, id=id_).body["_source"] == DOCUMENT.source


def test_a_key_for_something_else_is_told_so_before_anything_happens(node: Node) -> None:
    document = "see the keys in docs/transcripts.md"
    writer = {"es_api_key": node.keys["writer"].encoded}
    eraser = {"es_api_key": node.keys["erase"].encoded}
    node.of("setup").set_up()
    node.of("writer").create([DOCUMENT])
    assert fault(node.elastic("erase", **writer).may_erase) == (
        ElasticNotAllowed,
        f"ES_API_KEY: this key may not delete from {node.index}; {document}",
    )
    assert fault(lambda: node.elastic("erase", **writer).erase("user.id", "u-1"))[0] is ElasticNotAllowed
    assert fault(node.elastic("setup", **eraser).set_up) == (
        ElasticNotAllowed,
        f"ES_API_KEY: this key may not read the mapping of {node.index}; {document}",
    )
    assert fault(node.elastic("writer", **eraser).check) == (
        ElasticNotAllowed,
        f"ES_API_KEY: this key may not ask for the version; {document}",
    )
    setup = node.elastic("erase", es_erase_api_key=node.keys["setup"].encoded)
    assert fault(setup.may_erase) == (
        ElasticNotAllowed,
        f"ES_ERASE_API_KEY: this key may not delete from {node.index}; {document}",
    )
    assert node.admin.exists(index=node.index, id=DOCUMENT.id)


def test_the_writers_key_cannot_set_up(node: Node) -> None:
    writer = node.elastic("setup", es_api_key=node.keys["writer"].encoded)
    assert fault(writer.set_up) == (
        ElasticNotAllowed,
        f"ES_API_KEY: this key may not install the template of {node.index}; see the keys in docs/transcripts.md",
    )
    assert not node.admin.indices.exists(index=node.index)


def test_a_key_that_may_not_write_is_told_so_by_the_bulk(node: Node) -> None:
    node.of("setup").set_up()
    privileges = {"cluster": ["monitor"], "indices": [{"names": [node.index], "privileges": ["read", "monitor"]}]}
    privileges["indices"][0]["privileges"].append("view_index_metadata")
    key = node.admin.security.create_api_key(name=f"{node.index}-reader", role_descriptors={"reader": privileges}).body
    try:
        reader = node.elastic("writer", es_api_key=key["encoded"])
        assert fault(lambda: reader.create([DOCUMENT])) == (
            ElasticNotAllowed,
            f"ES_API_KEY: this key may not write to {node.index}; see the keys in docs/transcripts.md",
        )
    finally:
        node.admin.security.invalidate_api_key(ids=[key["id"]])


def test_a_wrong_and_an_invalidated_key_are_named(node: Node) -> None:
    sentence = (
        f"ES_API_KEY: Elasticsearch at {node.environment['ES_URL']} does not accept this API key; write one that is "
        "valid, in its encoded form"
    )
    wrong = node.elastic("writer", es_api_key="bm90OnJlYWw=")
    assert fault(wrong.check) == (ElasticNotAllowed, sentence)
    node.of("setup").set_up()
    writer = node.of("writer")
    writer.create([DOCUMENT])
    node.admin.security.invalidate_api_key(ids=[node.keys["writer"].id])
    assert fault(lambda: writer.create([DOCUMENT])) == (ElasticNotAllowed, sentence)


def test_nobody_is_asked_to_sign_in(node: Node) -> None:
    assert fault(node.elastic("writer").check) == (
        ElasticNotAllowed,
        f"ES_API_KEY: Elasticsearch at {node.environment['ES_URL']} wants to know who asks; set ES_API_KEY, or "
        "ES_USERNAME and ES_PASSWORD",
    )


def test_a_key_file_may_have_both_forms_and_be_replaced(node: Node, tmp_path: Path) -> None:
    node.of("setup").set_up()
    file = tmp_path / "key"
    file.write_text("bm90OnJlYWw=\n")
    writer = node.elastic("writer", es_api_key_file=file)
    assert fault(writer.check)[1].startswith("ES_API_KEY_FILE: Elasticsearch at ")
    made = node.admin.security.create_api_key(**key_request("writer", node.index)).body
    file.write_text(f"{made['id']}:{made['api_key']}\n")
    writer.check()
    file.write_text(node.keys["writer"].encoded)
    node.admin.security.invalidate_api_key(ids=[made["id"]])
    writer.check()


def test_a_changed_password_is_read_again_from_its_file(node: Node, user: str, tmp_path: Path) -> None:
    node.of("setup").set_up()
    file = tmp_path / "password"
    writer = node.elastic("writer", es_username=user, es_password_file=file)
    assert fault(writer.check) == (ElasticNotAllowed, f"ES_PASSWORD_FILE: the file {file} is not there yet")
    file.write_text("first-password\n")
    writer.create([DOCUMENT])
    node.admin.security.change_password(username=user, password="second-password")
    assert fault(lambda: writer.create([DOCUMENT])) == (
        ElasticNotAllowed,
        f"ES_PASSWORD_FILE: Elasticsearch at {node.environment['ES_URL']} does not accept this password of "
        "ES_USERNAME; write the right one",
    )
    file.write_text(f"Password for the [{user}] user successfully reset.\nNew value: second-password\n")
    writer.create([DOCUMENT])
