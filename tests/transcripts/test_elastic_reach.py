"""Whether Elasticsearch is there and can be asked: what answers instead, and what a call waits for."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

import pytest

from app import logs
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts import elastic_client
from app.transcripts.elastic import Elastic, ElasticError, ElasticNotAllowed, ElasticRefused, ElasticUnavailable
from tests.running_server import PATIENCE, closed_port, wait_until
from tests.transcripts.elastic_calls import QUOTING, elastic_at, fault
from tests.transcripts.elastic_stand_in import Answer, Request, StandIn, error, healthy, info, stored

HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        pytest.param(
            error(400, "media_type_header_exception", "Invalid media-type value on headers [Accept]"),
            ElasticRefused,
            "ES_URL: the server at URL is an older Elasticsearch; this chat server needs Elasticsearch 9",
            id="8.x, as it answers a client of 9.x",
        ),
        pytest.param(
            info("8.19.3"),
            ElasticRefused,
            "ES_URL: the server at URL is Elasticsearch 8.19.3; this chat server needs Elasticsearch 9",
            id="8.x that answers all the same",
        ),
        pytest.param(
            Answer(200, "<h1>Welcome to nginx!</h1>", HTML),
            ElasticRefused,
            "ES_URL: what answers at URL is not Elasticsearch; write the address of one",
            id="a web server",
        ),
        pytest.param(
            Answer(200, {"status": "green", "version": {"number": "9.0"}}, {"Content-Type": "application/json"}),
            ElasticRefused,
            "ES_URL: what answers at URL is not Elasticsearch; write the address of one",
            id="another JSON API",
        ),
        pytest.param(
            Answer(302, "", {"Location": "/login", "kbn-name": "kibana"}),
            ElasticRefused,
            "ES_URL: what answers at URL is not Elasticsearch; write the address of one",
            id="Kibana",
        ),
        pytest.param(
            Answer(404, "not found", HTML),
            ElasticRefused,
            "ES_URL: what answers at URL is not Elasticsearch; write the address of one",
            id="a web server without this page",
        ),
        pytest.param(
            Answer(200, "no JSON", {"Content-Type": "application/json"}),
            ElasticRefused,
            "ES_URL: what answers at URL is not Elasticsearch; write the address of one",
            id="something that says JSON and sends none",
        ),
        pytest.param(
            Answer(502, "<h1>Bad Gateway</h1>", HTML),
            ElasticUnavailable,
            "Elasticsearch at URL cannot take it at the moment (502)",
            id="a proxy before an Elasticsearch that is down",
        ),
        pytest.param(
            error(429, "es_rejected_execution_exception", Retry_After="7"),
            ElasticUnavailable,
            "Elasticsearch at URL cannot take it at the moment (429)",
            id="overloaded",
        ),
        pytest.param(
            error(401, "security_exception"),
            ElasticNotAllowed,
            "ES_API_KEY: Elasticsearch at URL wants to know who asks; set ES_API_KEY, or ES_USERNAME and ES_PASSWORD",
            id="signing in needed",
        ),
        pytest.param(
            error(403, "security_exception", "action is unauthorized"),
            ElasticNotAllowed,
            "ES_API_KEY: nobody who is not signed in may ask for the version; see the keys in docs/transcripts.md",
            id="anonymous",
        ),
        pytest.param(
            error(400, "illegal_argument_exception", QUOTING),
            ElasticRefused,
            "Elasticsearch at URL refuses the request (400, illegal_argument_exception)",
            id="anything else",
        ),
    ],
)
def test_what_answers_instead_is_told_in_one_sentence(answer: Answer, kind: type[ElasticError], sentence: str) -> None:
    with StandIn(lambda _: answer) as server:
        raised = fault(elastic_at(server).check)
        assert (type(raised), str(raised)) == (kind, sentence.replace("at URL", f"at {server.url}"))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None), ("", None)]
)
def test_how_long_to_wait_is_taken_over(given: str, seconds: float | None) -> None:
    with StandIn(lambda _: error(429, "es_rejected_execution_exception", Retry_After=given)) as server:
        raised = fault(elastic_at(server).check)
        assert isinstance(raised, ElasticUnavailable)
        assert raised.retry_after == seconds


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://localhost:{closed}", "nothing listens there (connection refused)"),
        ("http://nowhere.invalid:9200", "its host name is not known"),
        ("http://localhost:{mute}", "no answer within 1.5 seconds"),
        (
            "http://localhost:{hung_up}",
            "it closed the connection without an answer; if it speaks TLS, write https into ES_URL",
        ),
    ],
)
def test_why_it_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch, url: str, why: str) -> None:
    monkeypatch.setattr(elastic_client, "SECONDS", 1.5 if "mute" in url else PATIENCE)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute, socket.create_server(("127.0.0.1", 0)) as hung_up,
        closed_port() as closed,
    ):  # fmt: skip
        threading.Thread(target=hang_up, args=(hung_up,), daemon=True).start()
        ports = {"mute": mute.getsockname()[1], "hung_up": hung_up.getsockname()[1], "closed": closed}
        address = url.format(**ports)
        raised = fault(Elastic(ElasticsearchSettings(es_url=address)).check)
    assert (type(raised), str(raised)) == (ElasticUnavailable, f"Elasticsearch at {address} cannot be reached: {why}")


def hang_up(server: socket.socket) -> None:
    """Listen, and close without a word: Elasticsearch with TLS does that to plain HTTP."""
    connection = server.accept()[0]
    connection.recv(65536)
    connection.close()


def test_a_port_that_speaks_something_else_is_not_elasticsearch() -> None:
    def speak(server: socket.socket) -> None:
        connection = server.accept()[0]
        connection.recv(1)
        connection.sendall(b"220 mail.example.com ESMTP\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak, args=(server,), daemon=True).start()
        address = f"http://localhost:{server.getsockname()[1]}"
        raised = fault(Elastic(ElasticsearchSettings(es_url=address)).check)
    assert str(raised) == f"ES_URL: what answers at {address} is not Elasticsearch; write the address of one"


def test_nothing_is_connected_before_the_first_call(tmp_path: Path) -> None:
    with StandIn(healthy(stored)) as server:
        elastic_at(server, es_username="u", es_password_file=tmp_path / "late")
        assert server.requests == []


def test_a_call_does_not_wait_for_a_connection_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_client, "PATIENCE", 0.2)
    monkeypatch.setattr(elastic_client, "SECONDS", 2 * PATIENCE)
    go_on = threading.Event()

    def slow(request: Request) -> Answer:
        go_on.wait(PATIENCE)
        return healthy(stored)(request)

    with StandIn(slow) as server:
        elastic = elastic_at(server)
        waiting = [threading.Thread(target=elastic.check) for _ in range(elastic_client.CONNECTIONS)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: len(server.requests) == elastic_client.CONNECTIONS, "all connections are busy")
        raised = fault(elastic.check)
        go_on.set()
        for thread in waiting:
            thread.join()
        assert str(raised) == f"Elasticsearch at {server.url} cannot be reached: all 4 connections are busy"


def test_the_librarys_loggers_tell_no_bodies() -> None:
    logs.configure("debug")
    for name in ("elastic_transport.transport", "elastic_transport.node", "elasticsearch", "urllib3"):
        assert logging.getLogger(name).getEffectiveLevel() == logging.WARNING
    # It would tell of every failed call.
    assert logging.getLogger("elastic_transport.node_pool").getEffectiveLevel() == logging.ERROR
