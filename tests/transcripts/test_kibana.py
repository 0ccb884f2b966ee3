"""Importing into Kibana, against a stand-in over real HTTP; and `python -m app setup-kibana`."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
from pathlib import Path

import pytest

from app.commands import setup_kibana
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.kibana import Kibana, objects_for
from app.transcripts.kibana_access import KibanaError, NotReadyError, address_of
from tests.transcripts.kibana_objects import DASHBOARD as DASHBOARD_OBJECT
from tests.transcripts.kibana_objects import OBJECTS
from tests.transcripts.kibana_server import NOT_YET, KibanaServer

KEY = "bm90LWEtcmVhbC1rZXk="
DASHBOARD = DASHBOARD_OBJECT["id"]
HTML = (200, "text/html", "<!doctype html><title>Another server</title>")


def settings(url: str | None, **values: str) -> ElasticsearchSettings:
    return ElasticsearchSettings(**{"kibana_url": url, **values})


def kibana(server: KibanaServer, told: list[str] | None = None, **values: str) -> Kibana:
    return Kibana(settings(server.url, **values), (told if told is not None else []).append, pause=0)


def set_up(server: KibanaServer, wait: float = 0, **values: str) -> str:
    client = kibana(server, **values)
    client.wait_until_ready(wait)
    return client.load(objects_for("ai-index"))


def fault_of(server: KibanaServer, **values: str) -> str:
    with pytest.raises(KibanaError) as raised:
        set_up(server, **values)
    return str(raised.value)


def test_all_objects_are_imported_and_the_dashboard_has_an_address() -> None:
    with KibanaServer() as server:
        assert set_up(server) == f"{server.url}/app/dashboards#/view/{DASHBOARD}"
        assert server.requests == ["GET /api/status", "POST /api/saved_objects/_import?overwrite=true"]
        assert server.imports == [OBJECTS]


def test_the_data_view_is_over_the_index_of_the_settings_and_nothing_else_differs() -> None:
    objects = [json.loads(line) for line in objects_for("other-index").splitlines()]
    (view,) = [item for item in objects if item["type"] == "index-pattern"]
    assert view["attributes"]["title"] == "other-index"
    view["attributes"]["title"] = "ai-index"
    assert objects == OBJECTS


def test_importing_again_sends_the_same() -> None:
    with KibanaServer() as server:
        assert set_up(server) == set_up(server)
        assert server.imports[0] == server.imports[1]


def test_in_a_second_space_the_address_has_the_id_that_kibana_gave() -> None:
    with KibanaServer(destination={DASHBOARD: "new-id"}) as server:
        assert set_up(server).endswith("/app/dashboards#/view/new-id")


@pytest.mark.parametrize(
    ("values", "header"),
    [
        ({"kibana_api_key": KEY}, f"ApiKey {KEY}"),
        ({"kibana_username": "elastic", "kibana_password": "secret"}, "Basic ZWxhc3RpYzpzZWNyZXQ="),
        ({"kibana_api_key": KEY, "kibana_username": "elastic", "kibana_password": "secret"}, f"ApiKey {KEY}"),
    ],
)
def test_credentials_go_along_and_a_key_comes_first(values: dict[str, str], header: str) -> None:
    with KibanaServer(authorization=header) as server:
        set_up(server, **values)
        assert server.imports


def test_a_kibana_that_starts_is_waited_for_and_told_about_once() -> None:
    told: list[str] = []
    with KibanaServer(answers=[NOT_YET] * 3) as server:
        kibana(server, told).wait_until_ready(30)
        assert len(server.requests) == 4
    assert [line.partition(";")[0] for line in told] == [f"Kibana at {server.url} is not ready yet (503)"]


def test_a_kibana_that_is_not_available_in_its_own_words_is_not_ready() -> None:
    with KibanaServer(level="critical") as server, pytest.raises(NotReadyError, match="is critical"):
        set_up(server)


def test_waiting_ends() -> None:
    with KibanaServer(answers=[NOT_YET] * 3) as server, pytest.raises(NotReadyError, match="not ready yet"):
        set_up(server)


def test_where_nothing_listens_is_said_and_waited_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = Kibana(settings(f"http://127.0.0.1:{free.getsockname()[1]}"), print)
        with pytest.raises(NotReadyError, match="Nothing answers at http://127"):
            client.wait_until_ready(0)


def test_of_objects_that_were_not_taken_each_has_its_line() -> None:
    errors = [
        {"id": "a", "type": "search", "meta": {"title": "Transcripts"}, "error": {"type": "conflict"}},
        {"id": DASHBOARD, "type": "dashboard", "meta": {"title": "Chat"}, "error": {
            "type": "missing_references", "references": [{"type": "index-pattern", "id": "assistant-chat"}]}},
        {"id": "b", "type": "search", "error": {"type": "unknown", "message": "Document is newer", "statusCode": 422}},
        {"id": "x", "type": "search", "error": {"type": "unknown"}},
    ]  # fmt: skip
    with KibanaServer(errors=errors) as server:
        assert fault_of(server).splitlines() == [
            "Kibana did not take all objects:",
            "    search 'Transcripts': something else with this id is there and was not replaced",
            "    dashboard 'Chat': it needs index-pattern assistant-chat, which is not there",
            "    search 'b': Document is newer",
            "    search 'x': unknown",
        ]


def test_no_success_in_the_body_is_a_failure_whatever_the_status() -> None:
    answer = (200, "application/json", "{}")
    with KibanaServer(answers=[answer]) as server, pytest.raises(KibanaError, match="neither success nor why not"):
        kibana(server).load(objects_for("ai-index"))


OTHER_ANSWERS = pytest.mark.parametrize(
    ("answer", "headers", "sentence"),
    [
        ((401, "application/json", '{"message":"x"}'), {}, "does not accept these credentials (401)"),
        ((403, "application/json", '{"message":"Unable to bulk_create dashboard"}'), {},
         "(403: Unable to bulk_create dashboard); their role needs the Kibana privilege Saved Objects Management"),
        (HTML, {}, "does not answer as Kibana does (200)"),
        ((200, "application/json", "[]"), {}, "does not answer as Kibana does (200)"),
        ((404, "text/html", "<title>404</title>"), {}, "does not answer as Kibana does (404)"),
        ((400, "application/json", "{}"), {"X-elastic-product": "Elasticsearch"}, "is Elasticsearch (400)"),
        ((302, "text/plain", ""), {"Location": "/base/login?next=%2F"}, "sends on to /base/login; set KIBANA_URL"),
        ((500, "application/json", '{"message":"An internal server error occurred."}'), {},
         "refused the request (500): An internal server error"),
    ],
)  # fmt: skip


@OTHER_ANSWERS
def test_another_answer_about_the_status_gives_one_sentence_at_once(
    answer: tuple[int, str, str], headers: dict[str, str], sentence: str
) -> None:
    with KibanaServer(answers=[answer], headers=headers) as server:
        with pytest.raises(KibanaError) as raised:
            kibana(server, kibana_api_key=KEY).wait_until_ready(30)
        assert len(server.requests) == 1
    assert sentence in str(raised.value)
    assert KEY not in str(raised.value)


@OTHER_ANSWERS
def test_another_answer_to_the_import_gives_the_same_sentence(
    answer: tuple[int, str, str], headers: dict[str, str], sentence: str
) -> None:
    with KibanaServer(answers=[answer], headers=headers) as server, pytest.raises(KibanaError) as raised:
        kibana(server, kibana_api_key=KEY).load(objects_for("ai-index"))
    assert sentence in str(raised.value)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("status", ['"ok"', "{}", '{"overall": "green"}'])
def test_a_status_that_is_not_kibanas_is_not_taken_for_it(status: str) -> None:
    answer = (200, "application/json", f'{{"status": {status}}}')
    with KibanaServer(answers=[answer]) as server:
        assert "does not answer as Kibana does" in fault_of(server)


def test_a_wrong_key_imports_nothing_and_is_not_shown() -> None:
    with KibanaServer(authorization="ApiKey another") as server:
        assert KEY not in fault_of(server, kibana_api_key=KEY)
        assert not server.imports


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    files = (str(folder / "certificate.pem"), str(folder / "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kibana",
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


def test_a_certificate_that_nobody_knows_is_not_trusted(certificate: tuple[str, str]) -> None:
    with KibanaServer(certificate=certificate) as server:
        assert "is not trusted; name the PEM file" in fault_of(server)
        assert not server.requests


def test_a_certificate_authority_of_ones_own_is_named_in_ssl_cert_file(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    with KibanaServer(certificate=certificate) as server:
        assert set_up(server).startswith("https://127.0.0.1:")


def test_http_and_https_taken_for_each_other_are_said(certificate: tuple[str, str]) -> None:
    with KibanaServer() as server, pytest.raises(KibanaError, match="is it http:// instead"):
        Kibana(settings(server.url.replace("http:", "https:")), print).wait_until_ready(30)
    with KibanaServer(certificate=certificate) as server, pytest.raises(KibanaError, match="is it https:// instead"):
        Kibana(settings(server.url.replace("https:", "http:")), print).wait_until_ready(30)


def test_a_host_that_is_not_known_is_not_waited_for() -> None:
    with pytest.raises(KibanaError, match="is not known; see that KIBANA_URL"):
        Kibana(settings("http://kibana.invalid:5601"), print).wait_until_ready(30)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://localhost:5601", "http://localhost:5601"),
        ("https://kibana.example.com/", "https://kibana.example.com"),
        ("https://example.com/kibana/s/support/", "https://example.com/kibana/s/support"),
        ("http://localhost:5601/app/home#/", "http://localhost:5601"),
        ("https://example.com/s/support/app/dashboards#/view/1?_g=()", "https://example.com/s/support"),
        ("http://[::1]:5601/app", "http://[::1]:5601"),
    ],
)
def test_an_address_copied_from_the_browser_will_do(written: str, address: str) -> None:
    assert address_of(written) == address


def test_without_an_address_it_says_which_setting_is_missing() -> None:
    with pytest.raises(KibanaError, match="KIBANA_URL: set it"):
        Kibana(ElasticsearchSettings(), print)


def test_without_the_file_of_objects_it_says_which_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KibanaError, match="cannot be read"):
        objects_for("ai-index", tmp_path / "objects.ndjson")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The operator's command line, in a folder without a `.env`."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    setup_kibana.add(parser.add_subparsers())
    return parser


def test_the_command_imports_and_prints_the_address(
    command: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with KibanaServer(authorization=f"ApiKey {KEY}") as server:
        for name, value in {"KIBANA_URL": server.url, "KIBANA_API_KEY": KEY, "ES_INDEX": "other-index"}.items():
            monkeypatch.setenv(name, value)
        arguments = command.parse_args(["setup-kibana"])
        assert arguments.run(arguments) == 0
        assert server.imports[0][0]["attributes"]["title"] == "other-index"
    assert capsys.readouterr().out.splitlines() == [
        f"--  {len(OBJECTS)} objects imported",
        f"ok  the data view is over other-index; the dashboard: {server.url}/app/dashboards#/view/{DASHBOARD}",
    ]


def test_the_command_says_what_is_wrong_and_fails(
    command: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KIBANA_URL", raising=False)
    arguments = command.parse_args(["setup-kibana", "--wait", "0"])
    assert arguments.run(arguments) == 1
    assert capsys.readouterr().out == "!!  KIBANA_URL: set it to Kibana's address, such as http://localhost:5601\n"
