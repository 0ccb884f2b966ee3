"""Keys, passwords, certificates, on a real Elasticsearch with security: what each may, how each failure reads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from elasticsearch import AuthorizationException, Elasticsearch

from app.transcripts.elastic import (
    Elastic,
    ElasticError,
    ElasticNotAllowed,
    ElasticRefused,
    ElasticUnavailable,
    Outcome,
)
from app.transcripts.elastic_login import PREFIXES
from app.transcripts.elastic_setup import key_request, template_name
from app.transcripts.records import turn_document
from tests.real.elastic_parts import SERVICE, START, a_turn, admin_of, own_index, refresh, settings_of

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
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


def fault(call: Callable[[], object]) -> tuple[type[ElasticError], str]:
    with pytest.raises(ElasticError) as raised:
        call()
    return type(raised.value), str(raised.value)


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


def test_certificates_that_are_not_trusted_are_told_apart(node: Node) -> None:
    address = node.environment["ES_URL"]
    key = {"es_api_key": node.keys["writer"].encoded}
    assert fault(node.elastic("writer", es_ca_certs=None, **key).check) == (
        ElasticRefused,
        f"ES_CA_CERTS: the certificate of {address} is not trusted (unable to get local issuer certificate); write the "
        "path of a PEM file with the certificate authority that signed it",
    )
    assert fault(node.elastic("writer", es_ca_certs=None, es_ca_fingerprint="ab" * 32, **key).check) == (
        ElasticRefused,
        f"ES_CA_FINGERPRINT: no certificate of {address} has this fingerprint; write the SHA-256 fingerprint of its "
        "certificate authority",
    )


def test_a_fingerprint_or_no_verification_does_without_the_file(node: Node) -> None:
    node.of("setup").set_up()
    key = {"es_api_key": node.keys["writer"].encoded, "es_ca_certs": None}
    host, _, port = node.environment["ES_URL"].removeprefix("https://").partition(":")
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
    node.elastic("writer", es_ca_fingerprint=hashlib.sha256(shown).hexdigest(), **key).check()
    node.elastic("writer", es_verify_certs=False, **key).check()
    node.elastic("writer", es_url=None, es_host=host, es_port=int(port), es_verify_certs=False, **key).check()


def test_wrong_ports_and_schemes_are_told_apart(node: Node, elasticsearch_settings: dict[str, str]) -> None:
    secure = node.environment["ES_URL"]
    plain = elasticsearch_settings["ES_URL"]
    without_tls = secure.replace("https:", "http:")
    with_tls = plain.replace("http:", "https:")
    host, _, port = plain.rpartition(":")
    transport = f"{host}:{int(port) + 100}"
    expected = {
        f"{host}:1": (
            ElasticUnavailable,
            f"Elasticsearch at {host}:1 cannot be reached: nothing listens there (connection refused)",
        ),
        without_tls: (
            ElasticUnavailable,
            f"Elasticsearch at {without_tls} cannot be reached: it closed the connection without an answer; if it "
            "speaks TLS, write https into ES_URL",
        ),
        with_tls: (ElasticRefused, f"ES_URL: the server at {with_tls} speaks no TLS; write http instead of https"),
        transport: (
            ElasticRefused,
            f"ES_URL: what answers at {transport} is not Elasticsearch; write the address of one",
        ),
    }
    for address, answer in expected.items():
        assert fault(node.elastic("writer", es_url=address, es_ca_certs=None).check) == answer


def command(node: Node, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("ES_", "KIBANA_"))}
    environment |= {"ES_URL": node.environment["ES_URL"], "ES_CA_CERTS": node.environment["ES_CA_CERTS"]}
    environment |= {"ES_INDEX": node.index, **settings}
    call = [sys.executable, "-m", "app", "setup-elasticsearch", *arguments]
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_sets_up_and_can_be_repeated(node: Node) -> None:
    keys = {"ES_API_KEY": node.keys["writer"].encoded, "ES_SETUP_API_KEY": node.keys["setup"].encoded}
    first, second = command(node, **keys), command(node, **keys)
    template = template_name(node.index)
    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        f"--  Elasticsearch at {node.environment['ES_URL']}",
        f"ok  template {template}: installed",
        f"ok  index {node.index}: made",
    ]
    assert second.stdout.splitlines()[1:] == [
        f"ok  template {template}: it is there already",
        f"ok  index {node.index}: it is there already",
    ]
    node.of("writer").check()


def test_the_command_says_what_is_wrong(node: Node) -> None:
    refused = command(node, ES_API_KEY=node.keys["writer"].encoded)
    sentence = (
        f"!!  ES_API_KEY: this key may not install the template of {node.index}; see the keys in docs/transcripts"
    )
    assert (refused.returncode, refused.stderr) == (1, f"{sentence}.md\n")
    nowhere = command(node, ES_URL="", ES_CA_CERTS="")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr == "!!  ES_URL: it is not set; set it to the address of Elasticsearch\n"
    half = command(node, ES_USERNAME="u")
    assert half.returncode == 1
    assert half.stderr.startswith("!!  ES_PASSWORD: ES_USERNAME is set without it; ")


def test_the_command_shows_requests_that_make_the_keys(node: Node) -> None:
    shown = command(node, "--show-keys", ES_URL="", ES_CA_CERTS="")
    assert shown.returncode == 0
    parts = re.findall(r"^# (\w+): [^\n]*\nPOST /_security/api_key\n(\{\n.*?\n\})\n", shown.stdout, re.M | re.S)
    assert [name for name, _ in parts] == ["ES_API_KEY", "ES_SETUP_API_KEY", "ES_ERASE_API_KEY"]
    made = [node.admin.security.create_api_key(**json.loads(body)).body for _, body in parts]
    try:
        keys = {name.lower(): key["encoded"] for (name, _), key in zip(parts, made, strict=True)}
        node.elastic("setup", **keys).set_up()
        node.elastic("writer", **keys).create([DOCUMENT])
        assert node.elastic("erase", **keys).erase("gen_ai.conversation.id", "c") == 1
    finally:
        node.admin.security.invalidate_api_key(ids=[key["id"] for key in made])
