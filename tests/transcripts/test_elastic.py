"""What becomes of Elasticsearch's answers: one sentence for the operator, an outcome for each document."""

from __future__ import annotations

import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import logs
from app.chat.turns import Turn, TurnState
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts import elastic_client
from app.transcripts.elastic import (
    Elastic,
    ElasticError,
    ElasticNotAllowed,
    ElasticNotSetUp,
    ElasticRefused,
    ElasticUnavailable,
    Outcome,
)
from app.transcripts.records import Document, Service, turn_document
from tests.running_server import PATIENCE, closed_port, wait_until
from tests.transcripts.elastic_stand_in import (
    Answer,
    Request,
    Script,
    StandIn,
    error,
    healthy,
    index_is_there,
    info,
    items,
    stored,
)

SECRET = "the visitor's own words"
SERVICE = Service("assistant-chat-server", "0.1.0", "openai")


def document(number: int = 0) -> Document:
    turn = Turn(f"t{number}", "c", "u", number, "m", SECRET, 0, state=TurnState.COMPLETE, finished_at=1)
    return turn_document(turn, SERVICE)


def elastic_at(server: StandIn, **settings: Any) -> Elastic:
    return Elastic(ElasticsearchSettings(es_url=server.url, **settings))


def fault(call: Callable[[], object]) -> ElasticError:
    """The error of a call, which shows nothing of what visitors wrote, and no secret, in a traceback either."""
    with pytest.raises(ElasticError) as raised:
        call()
    shown = "".join(traceback.format_exception(raised.value))
    assert SECRET not in shown
    assert "geheim" not in shown
    return raised.value


HTML = {"Content-Type": "text/html"}
QUOTING = f"[1:9] failed to parse field [chat.turn.index] of type [long]. Preview of field's value: '{SECRET}'"


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


def test_every_document_has_its_outcome() -> None:
    verdicts = {
        "c:t0": {"status": 201},
        "c:t1": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": SECRET}},
        "c:t2": {"status": 400, "error": {"type": "document_parsing_exception", "reason": QUOTING}},
        "c:t3": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": SECRET}},
        "c:t4": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": SECRET}},
        "c:t5": {"status": 400, "error": {"type": f"[{SECRET}]", "reason": f"[{SECRET}]"}},
        "c:t6": {"status": 413},
    }
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **verdicts[id_]}))) as server:
        outcomes = elastic_at(server).create([document(number) for number in range(7)])
    assert outcomes == [
        Outcome("c:t0", "stored"),
        Outcome("c:t1", "stored"),
        Outcome("c:t2", "refused", "document_parsing_exception on field chat.turn.index"),
        Outcome("c:t3", "again", "es_rejected_execution_exception"),
        Outcome("c:t4", "again", "unavailable_shards_exception"),
        Outcome("c:t5", "refused", "unknown error"),
        Outcome("c:t6", "refused", "unknown error"),
    ]


@pytest.mark.parametrize(
    ("item", "kind", "sentence"),
    [
        (
            {"status": 403, "error": {"type": "security_exception"}},
            ElasticNotAllowed,
            "ES_API_KEY: this key may not write to ai-index; see the keys in docs/transcripts.md",
        ),
        (
            {"status": 403, "error": {"type": "cluster_block_exception"}},
            ElasticRefused,
            "ES_INDEX: the index ai-index is blocked (cluster_block_exception); remove the block in Elasticsearch",
        ),
        (
            {"status": 404, "error": {"type": "index_not_found_exception"}},
            ElasticNotSetUp,
            "ES_INDEX: there is no index ai-index and no template for it; run python -m app setup-elasticsearch",
        ),
    ],
)
def test_what_fails_for_every_document_fails_as_a_whole(item: dict, kind: type[ElasticError], sentence: str) -> None:
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **item}))) as server:
        raised = fault(lambda: elastic_at(server, es_api_key="k").create([document()]))
    assert (type(raised), str(raised)) == (kind, sentence)


def test_an_answer_about_other_documents_confirms_nothing() -> None:
    with StandIn(healthy(lambda request: items(request, lambda _: {"_id": "other", "status": 201}))) as server:
        raised = fault(lambda: elastic_at(server).create([document()]))
        assert str(raised) == f"Elasticsearch at {server.url} cannot be reached: its answer is about other documents"


def test_the_mapping_is_looked_at_before_the_first_write_and_again_after_an_error() -> None:
    bulks: list[Script] = [stored, stored, lambda _: error(503, "unavailable"), stored]
    with StandIn(healthy(lambda request: bulks.pop(0)(request))) as server:
        elastic = elastic_at(server)
        elastic.create([document()])
        elastic.create([document()])
        fault(lambda: elastic.create([document()]))
        elastic.create([document()])
        asked = [request.path.partition("?")[0] for request in server.requests]
    look, write = ["/", "/ai-index/_mapping"], ["/ai-index/_bulk"]
    assert asked == [*look, *write, *write, *write, *look, *write]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            {"_meta": {"schema_version": 2}},
            "ES_INDEX: the index ai-index has documents of schema version 2, and this server writes version 1; name "
            "another index",
        ),
        (
            {"properties": {"client": {"properties": {"ip": {"type": "text"}}}}},
            "ES_INDEX: the index ai-index was made by something else, without the fields of this server; name another "
            "index",
        ),
    ],
)
def test_an_index_with_another_mapping_is_not_written_to(found: dict, sentence: str) -> None:
    def script(request: Request) -> Answer:
        return info("9.4.3") if request.path == "/" else Answer(body={"ai-index": {"mappings": found}})

    with StandIn(script) as server:
        raised = fault(lambda: elastic_at(server).create([document()]))
        assert (type(raised), str(raised)) == (ElasticRefused, sentence)
        assert "_bulk" not in str(server.requests)


def test_nothing_is_sent_twice_by_the_library_itself() -> None:
    with StandIn(healthy(lambda _: error(503, "unavailable"))) as server:
        elastic = elastic_at(server)
        fault(lambda: elastic.create([document()]))
        assert len([request for request in server.requests if "_bulk" in request.path]) == 1


def signed_in_with(accepted: Callable[[], str]) -> Script:
    """Elasticsearch that takes one `Authorization`, which may change."""

    def script(request: Request) -> Answer:
        if request.authorization != accepted():
            return error(401, "security_exception", "unable to authenticate")
        return healthy(stored)(request)

    return script


BASIC_U_GEHEIM = "Basic dTpnZWhlaW0="


@pytest.mark.parametrize(
    ("settings", "authorization"),
    [
        ({"es_api_key": "ZW5jb2RlZA=="}, "ApiKey ZW5jb2RlZA=="),
        ({"es_api_key": "id:secret"}, "ApiKey aWQ6c2VjcmV0"),
        ({"es_api_key": "k", "es_username": "u", "es_password": "geheim"}, "ApiKey k"),
        ({"es_username": "u", "es_password": "geheim"}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password": "geheim", "es_api_key": ""}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password_file": "geheim"}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password_file": "geheim\n"}, BASIC_U_GEHEIM),
        (
            {
                "es_username": "u",
                "es_password_file": "Password for the [u] user successfully reset.\nNew value: geheim\n",
            },
            BASIC_U_GEHEIM,
        ),
        ({"es_api_key_file": " k\n"}, "ApiKey k"),
        ({"es_api_key_file": "k", "es_username": "u", "es_password": "geheim"}, "ApiKey k"),
        ({}, None),
    ],
)
def test_it_signs_in_as_the_settings_say(tmp_path: Path, settings: dict, authorization: str | None) -> None:
    for name in settings:
        if name.endswith("_file"):
            (tmp_path / name).write_text(settings[name])
    settings = {name: tmp_path / name if name.endswith("_file") else value for name, value in settings.items()}
    with StandIn(healthy(stored)) as server:
        elastic_at(server, **settings).check()
        assert {request.authorization for request in server.requests} == {authorization}


@pytest.mark.parametrize(("role", "key"), [("writer", "k"), ("setup", "s"), ("erase", "e")])
def test_each_role_has_its_own_key(role: Any, key: str) -> None:
    keys = {"es_api_key": "k", "es_setup_api_key": "s", "es_erase_username": "e", "es_erase_password": "p"}
    with StandIn(healthy(stored)) as server:
        Elastic(ElasticsearchSettings(es_url=server.url, **keys), role).check()
        expected = "Basic ZTpw" if role == "erase" else f"ApiKey {key}"
        assert {request.authorization for request in server.requests} == {expected}


def test_a_role_without_a_key_of_its_own_has_the_writers() -> None:
    with StandIn(healthy(stored)) as server:
        Elastic(ElasticsearchSettings(es_url=server.url, es_api_key="k"), "erase").check()
        assert server.requests[0].authorization == "ApiKey k"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"es_api_key": "geheim"},
            "ES_API_KEY: Elasticsearch at URL does not accept this API key; write one that is valid, in its encoded "
            "form",
        ),
        (
            {"es_username": "u", "es_password": "geheim"},
            "ES_PASSWORD: Elasticsearch at URL does not accept this password of ES_USERNAME; write the right one",
        ),
        (
            {"es_setup_api_key": "geheim"},
            "ES_SETUP_API_KEY: Elasticsearch at URL does not accept this API key; write one that is valid, in its "
            "encoded form",
        ),
    ],
)
def test_a_wrong_key_or_password_is_named_by_its_setting(settings: dict, sentence: str) -> None:
    with StandIn(signed_in_with(lambda: "another")) as server:
        raised = fault(Elastic(ElasticsearchSettings(es_url=server.url, **settings), "setup").set_up)
        assert (type(raised), str(raised)) == (ElasticNotAllowed, sentence.replace("URL", server.url))


def test_a_password_file_may_appear_late_and_change(tmp_path: Path) -> None:
    file = tmp_path / "password"
    accepted = BASIC_U_GEHEIM
    with StandIn(signed_in_with(lambda: accepted)) as server:
        elastic = elastic_at(server, es_username="u", es_password_file=file)
        assert str(fault(elastic.check)) == f"ES_PASSWORD_FILE: the file {file} is not there yet"
        file.write_text("")
        assert str(fault(elastic.check)) == f"ES_PASSWORD_FILE: the file {file} is empty"
        assert server.requests == []
        file.write_text("geheim\n")
        elastic.check()
        accepted = "Basic dTpuZXc="
        raised = fault(elastic.check)
        assert str(raised) == (
            f"ES_PASSWORD_FILE: Elasticsearch at {server.url} does not accept this password of ES_USERNAME; write the "
            "right one"
        )
        file.write_text("New value: new\n")
        elastic.check()
        file.unlink()
        elastic.check()


def test_a_key_file_that_has_something_else_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("two words")
    elastic = Elastic(ElasticsearchSettings(es_url="http://localhost:1", es_api_key_file=file))
    assert str(fault(elastic.check)) == (
        "ES_API_KEY_FILE: what it has is not an API key; write one in its encoded form"
    )


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


def test_the_two_verbs_write_what_they_are_given() -> None:
    with StandIn(healthy(stored)) as server:
        elastic = elastic_at(server)
        elastic.push_to_index("c", "u", "thread_1", "asst_1", created_at=0, page_url="https://a.example")
        elastic.update_document("c", "Why?", "So.", turn_id="t", user_id="u", index=0, accepted_at=0, finished_at=1500)
        elastic.update_document("c", "Why?", "So.", turn_id="t2")
        written = [
            [json.loads(line) for line in request.body.splitlines()]
            for request in server.requests
            if "_bulk" in request.path
        ]
    (start, start_source), (turn, turn_source), (_, short_source) = written
    assert [start, turn] == [{"create": {"_id": "c"}}, {"create": {"_id": "c:t"}}]
    assert start_source["chat"] == {"thread": {"id": "thread_1"}, "page": {"url": "https://a.example"}}
    assert start_source["gen_ai"] == {"agent": {"id": "asst_1"}, "conversation": {"id": "c"}}
    assert turn_source["event"]["duration"] == 1_500_000_000
    assert turn_source["chat"] == {
        "turn": {"id": "t", "index": 0, "state": "complete"}, "user": {"message": "Why?"},
        "assistant": {"message": "So."},
    }  # fmt: skip
    assert "user" not in short_source
    assert "index" not in short_source["chat"]["turn"]


@pytest.mark.parametrize(
    ("item", "kind", "sentence"),
    [
        (
            {"status": 429, "error": {"type": "es_rejected_execution_exception"}},
            ElasticUnavailable,
            "Elasticsearch at URL cannot be reached: it does not take documents now (es_rejected_execution_exception)",
        ),
        (
            {"status": 400, "error": {"type": "document_parsing_exception", "reason": QUOTING}},
            ElasticRefused,
            "Elasticsearch refuses the document c:t: document_parsing_exception on field chat.turn.index",
        ),
    ],
)
def test_the_verbs_raise_what_becomes_of_their_document(item: dict, kind: type[ElasticError], sentence: str) -> None:
    with StandIn(healthy(lambda request: items(request, lambda id_: {"_id": id_, **item}))) as server:
        raised = fault(lambda: elastic_at(server).update_document("c", SECRET, SECRET, turn_id="t"))
        assert (type(raised), str(raised)) == (kind, sentence.replace("URL", server.url))


def test_nothing_is_taken_for_erased_that_is_still_there_or_cannot_be_seen() -> None:
    left, failing = 3, ""
    types = {"user.id": {"keyword": {}}, "gen_ai.conversation.id": {"keyword": {}}, "@timestamp": {"date": {}}}

    def script(request: Request) -> Answer:
        shards = {"_shards": {"failed": int(bool(failing) and failing in request.path)}}
        answers = {"_field_caps": {"fields": types}, "_delete": {"deleted": 0}, "_count": {"count": left, **shards}}
        return Answer(body=next((body for name, body in answers.items() if name in request.path), shards))

    with StandIn(script) as server:
        elastic = elastic_at(server)
        why = f"Elasticsearch at {server.url} cannot be reached:"
        erase = lambda: elastic.erase("user.id", "u")  # noqa: E731
        assert str(fault(erase)) == f"{why} 3 documents are still there after 5 attempts to erase them"
        failing = "_refresh"
        assert str(fault(erase)) == f"{why} a part of the index does not answer"
        failing = "_count"
        assert str(fault(erase)) == f"{why} a part of the index does not answer"
        left, failing = 0, ""
        assert elastic.erase("user.id", "u") == 0
        types["user.id"] = {"text": {}}
        assert str(fault(erase)) == (
            "ES_INDEX: the index ai-index was made by something else, without the fields of this server; name another "
            "index"
        )


@pytest.mark.parametrize(("field", "value"), [("user.id", ""), ("chat.user.message", "a"), ("*", "a")])
def test_only_a_user_or_a_conversation_is_erased(field: str, value: str) -> None:
    with StandIn(healthy(stored)) as server:
        with pytest.raises(ValueError, match="nothing is erased"):
            elastic_at(server).erase(field, value)
        assert server.requests == []


def test_without_the_index_a_template_of_ours_is_enough() -> None:
    templates: list[dict] = []

    def script(request: Request) -> Answer:
        if "_index_template" in request.path:
            return Answer(body={"index_templates": templates})
        return info("9.4.3") if request.path == "/" else error(404, "index_not_found_exception")

    with StandIn(script) as server:
        elastic = elastic_at(server)
        assert isinstance(fault(elastic.check), ElasticNotSetUp)
        mappings = index_is_there().body["ai-index"]["mappings"]
        templates.append({"index_template": {"template": {"mappings": mappings}}})
        elastic.check()
