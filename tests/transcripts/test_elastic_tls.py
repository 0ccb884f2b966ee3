"""Whom the connection to Elasticsearch trusts: by certificate authority, by fingerprint, and whom never."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic import Elastic, ElasticRefused
from tests.conftest import need
from tests.transcripts.certificates import Authority, authority, fingerprint_of
from tests.transcripts.elastic_stand_in import StandIn, healthy, stored


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need(shutil.which("openssl"), "openssl")
    return authority(tmp_path_factory.mktemp("certificates"), "ours")


@pytest.fixture(scope="module")
def pretender(ours: Authority) -> Authority:
    """An authority that has seen ours and copied all of it but the key."""
    return authority(ours.certificate.parent, "pretender", key_id=ours.key_id)


def check(server: StandIn, **settings: Any) -> None:
    Elastic(ElasticsearchSettings(es_url=server.url, **settings)).check()


def refusal(server: StandIn, **settings: Any) -> str:
    with pytest.raises(ElasticRefused) as refused:
        check(server, **settings)
    assert server.requests == []
    return str(refused.value).replace(server.url, "URL")


NOT_TRUSTED = (
    "ES_CA_CERTS: the certificate of URL is not trusted ({why}); write the path of a PEM file with the certificate "
    "authority that signed it"
)
UNTRUSTED = re.escape(NOT_TRUSTED).replace(re.escape("{why}"), "[a-z -]+")
"""With OpenSSL's own words, which differ between its versions."""
NO_FINGERPRINT = (
    "ES_CA_FINGERPRINT: no certificate of URL has this fingerprint; write the SHA-256 fingerprint of its certificate "
    "authority"
)
OTHER_NAME = "ES_URL: the certificate of URL is one for other host names; write a name that is in it"


def test_the_authority_in_the_file_is_trusted(ours: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("localhost")) as server:
        check(server, es_ca_certs=ours.certificate)


def test_what_nobody_vouches_for_is_not_trusted(ours: Authority, pretender: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("localhost")) as server:
        assert refusal(server) == NOT_TRUSTED.format(why="self-signed certificate in certificate chain")
        assert re.fullmatch(UNTRUSTED, refusal(server, es_ca_certs=pretender.certificate))


def test_with_an_authority_of_ones_own_the_well_known_ones_are_not_trusted(
    ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ours.certificate))
    monkeypatch.setattr("elastic_transport._node._http_urllib3.DEFAULT_CA_CERTS", str(ours.certificate))
    other = authority(ours.certificate.parent, "another")
    with StandIn(healthy(stored), tls=ours.server("localhost")) as server:
        check(server)
        server.requests.clear()
        refusal(server, es_ca_certs=other.certificate)


def test_the_fingerprint_of_the_authority_is_enough_in_either_form(ours: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("localhost")) as server:
        check(server, es_ca_fingerprint=ours.fingerprint)
        pairs = [ours.fingerprint[at : at + 2] for at in range(0, 64, 2)]
        check(server, es_ca_fingerprint=":".join(pairs).upper())


def test_the_fingerprint_may_be_the_servers_own(ours: Authority) -> None:
    tls = ours.server("es.example.com")
    own = fingerprint_of(ours.certificate.parent / "ours-es-example-com-own.pem")
    with StandIn(healthy(stored), tls=tls) as server:
        check(server, es_ca_fingerprint=own)


def test_another_fingerprint_is_refused(ours: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("localhost")) as server:
        assert refusal(server, es_ca_fingerprint="ab" * 32) == NO_FINGERPRINT
        assert refusal(server, es_ca_fingerprint="ab" * 32, es_verify_certs=False) == NO_FINGERPRINT


def test_who_shows_the_authority_without_being_signed_by_it_is_refused(ours: Authority, pretender: Authority) -> None:
    with StandIn(healthy(stored), tls=pretender.server("localhost", shows=ours)) as server:
        assert re.fullmatch(UNTRUSTED, refusal(server, es_ca_fingerprint=ours.fingerprint))
        assert re.fullmatch(UNTRUSTED, refusal(server, es_ca_fingerprint=ours.fingerprint, es_verify_certs=False))


def test_the_host_name_is_compared_unless_that_is_switched_off(ours: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("es.example.com")) as server:
        assert refusal(server, es_ca_certs=ours.certificate) == OTHER_NAME
        assert refusal(server, es_ca_fingerprint=ours.fingerprint) == OTHER_NAME
        check(server, es_ca_fingerprint=ours.fingerprint, es_verify_certs=False)


def test_without_verification_anything_is_trusted(ours: Authority) -> None:
    with StandIn(healthy(stored), tls=ours.server("es.example.com")) as server:
        check(server, es_verify_certs=False)


def test_a_server_without_tls_is_told_apart() -> None:
    with StandIn(healthy(stored)) as server:
        address = server.url.replace("http:", "https:")
        for settings in ({}, {"es_ca_fingerprint": "ab" * 32}):
            with pytest.raises(ElasticRefused) as refused:
                Elastic(ElasticsearchSettings(es_url=address, **settings)).check()
            sentence = f"ES_URL: the server at {address} speaks no TLS; write http instead of https"
            assert str(refused.value) == sentence


def test_certificates_that_are_gone_since_the_start_are_named(tmp_path: Path, ours: Authority) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(ours.certificate.read_bytes())
    elastic = Elastic(ElasticsearchSettings(es_url="https://localhost:1", es_ca_certs=file))
    file.unlink()
    with pytest.raises(ElasticRefused) as refused:
        elastic.check()
    assert str(refused.value) == f"ES_CA_CERTS: {file} cannot be read as certificates; write the path of a PEM file"
