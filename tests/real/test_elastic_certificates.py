"""Certificates, ports and schemes, on a real Elasticsearch with security: what is trusted, how each failure reads."""

from __future__ import annotations

import hashlib
import ssl

import pytest

from app.transcripts.elastic import ElasticRefused, ElasticUnavailable
from tests.real import secured_index
from tests.real.secured_index import Node, fault

pytestmark = pytest.mark.real

node = secured_index.node


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
