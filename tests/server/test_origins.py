"""Who may come in, and how the server starts: origins, ids of older pages, operators, settings, ports."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websocket import WebSocketBadStatusException

from tests.chat_client import ChatClient
from tests.running_server import COMMAND, ROOT, RunningServer, free_port, wait_until
from tests.server.raw_client import RawWebsocket, request

pytestmark = pytest.mark.server

STATIC = "/static/" + next(path.name for path in sorted((ROOT / "static").iterdir()) if path.is_file())
ADMIN = "the-operators-own-token"
LISTED = "https://www.example.com"
ALLOWED = [LISTED, "https://a.example.org", "https://a.b.example.org", "https://WWW.example.com"]
FOREIGN = [
    "https://evil.example",
    "http://www.example.com",
    "https://www.example.com:8443",
    "https://www.example.com.evil.org",
    "https://wwwXexample.com",
    "https://example.org",
    "https://evilexample.org",
    "https://a.example.org.evil.org",
    "https://a.example.org:8443",
    "https://example.org.evil.org",
    "https://.example.org",
    "https://evil.org/https://a.example.org",
    "https://evil.org#.example.org",
    "null",
]
MALFORMED = ["http://[", "http://[::1", "http://localhost:x", "http://localhost:99999999", "://", "http://", "é"]


def opens(url: str, origin: str | None, host: str | None = None) -> tuple[bool, bool]:
    """Whether a page of `origin` can connect (by websocket, by polling)."""
    headers = {name: value for name, value in (("Origin", origin), ("Host", host)) if value is not None}
    polling = request(url, "GET", "/socket.io/?EIO=4&transport=polling", headers=headers)
    assert polling.status in (200, 400), polling
    assert polling.status == 400 or polling.headers.get("access-control-allow-origin") == origin
    try:
        RawWebsocket(url, headers=headers).close()
        websocket = True
    except WebSocketBadStatusException:
        websocket = False
    return websocket, polling.status == 200


@pytest.fixture(scope="module")
def fe_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fe_port: int) -> Iterator[RunningServer]:
    server = RunningServer(
        {
            "DATA_DIR": str(tmp_path_factory.mktemp("data")), "FE_PORT": str(fe_port), "ADMIN_TOKEN": ADMIN,
            "CORS_ALLOWED_ORIGINS": f"{LISTED}, https://*.example.org", "DEMO_PACE": "0",
        }
    )  # fmt: skip
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("origin", ALLOWED)
def test_a_listed_origin_may_come_in(server: RunningServer, origin: str) -> None:
    assert opens(server.url, origin) == (True, True)


@pytest.mark.parametrize("origin", FOREIGN)
def test_any_other_origin_may_not(server: RunningServer, origin: str) -> None:
    assert opens(server.url, origin) == (False, False)


def test_a_client_that_is_no_page_may_come_in(server: RunningServer) -> None:
    assert opens(server.url, None) == (True, True)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_servers_own_pages_may_come_in_on_each_of_its_ports(server: RunningServer, fe_port: int, name: str) -> None:
    for port in (server.port, fe_port):
        for page_port in (server.port, fe_port):
            opened = opens(f"http://127.0.0.1:{port}", f"http://{name}:{page_port}", f"{name}:{port}")
            assert opened == (True, True), (port, page_port)


def test_another_port_or_another_host_is_not_the_servers_own(server: RunningServer) -> None:
    assert opens(server.url, f"http://localhost:{free_port()}", f"localhost:{server.port}") == (False, False)
    assert opens(server.url, f"http://evil.example:{server.port}") == (False, False)


@pytest.mark.parametrize("origin", [LISTED, "https://evil.example", "null"])
def test_what_a_widget_loads_is_public_and_every_other_route_closed_to_other_origins(
    server: RunningServer, origin: str
) -> None:
    headers = {"Origin": origin, "Authorization": f"Bearer {ADMIN}"}
    opened = {
        path: request(server.url, "GET", path, headers=headers).headers.get("access-control-allow-origin")
        for path in (STATIC, "/", "/healthz", "/readyz", "/metrics")
    }
    assert opened == {STATIC: "*", "/": None, "/healthz": None, "/readyz": None, "/metrics": None}


def test_the_second_port_serves_the_page_with_an_address_given_on_the_command_line(
    server: RunningServer, fe_port: int
) -> None:
    assert request(f"http://127.0.0.1:{fe_port}", "GET", "/").status == 200
    assert f"Chat page: http://localhost:{fe_port}" in server.log


@pytest.mark.parametrize("origin", MALFORMED)
def test_an_origin_that_is_none_is_refused_without_a_traceback(server: RunningServer, origin: str) -> None:
    logged = len(server.log)
    raw = origin.encode().decode("latin-1")
    replies = [request(server.url, "GET", path, headers={"Origin": raw}) for path in ("/socket.io/?EIO=4", STATIC)]
    assert "Traceback" not in server.log[logged:]
    assert [reply.status for reply in replies] == [400, 200]


@pytest.mark.parametrize("host", ["[", "[::1", "x:y", "é"])
def test_a_host_that_is_none_leaves_no_traceback(server: RunningServer, host: str) -> None:
    logged = len(server.log)
    headers = {"Origin": "https://evil.example", "Host": host.encode().decode("latin-1")}
    reply = request(server.url, "GET", "/socket.io/?EIO=4&transport=polling", headers=headers)
    assert "Traceback" not in server.log[logged:]
    assert reply.status == 400


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/healthz"])
@pytest.mark.parametrize("origin", [LISTED, "https://evil.example"])
def test_nothing_but_static_files_is_opened_to_other_origins(server: RunningServer, path: str, origin: str) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": origin, "Authorization": f"Bearer {ADMIN}", "Access-Control-Request-Method": "GET"}
        reply = request(server.url, method, path, headers=headers)
        assert reply.status == 200
        assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_a_refused_origin_is_logged_once_with_the_line_to_add(server: RunningServer) -> None:
    for _ in range(3):
        opens(server.url, "https://new.example")
    line = f"set CORS_ALLOWED_ORIGINS={LISTED},https://*.example.org,https://new.example"
    lines = [logged for logged in server.log.splitlines() if "CORS_ALLOWED_ORIGINS=" in logged]
    assert len([logged for logged in lines if logged.endswith(line)]) == 1


def test_no_line_that_opens_more_than_one_origin_is_ever_proposed(server: RunningServer) -> None:
    opens(server.url, "https://x.example,*")
    assert ",*" not in "".join(line for line in server.log.splitlines() if "CORS_ALLOWED_ORIGINS=" in line)


def test_the_operators_door_opens_with_the_token_alone(server: RunningServer) -> None:
    def status(authorization: str | None) -> int:
        return server.get("/metrics", {"Authorization": authorization} if authorization else {})[0]

    assert status(f"Bearer {ADMIN}") == 200
    for wrong in (None, "Bearer", "Bearer ", "Bearer wrong", f"Bearer {ADMIN}x", f"Basic {ADMIN}", "Bearer é", ADMIN):
        assert status(wrong) == 401, wrong
    assert ADMIN not in server.log


def test_by_default_only_the_servers_own_pages_come_in_and_operators_find_nothing(
    start_server: Callable[..., RunningServer],
) -> None:
    server = start_server()
    assert opens(server.url, server.url) == (True, True)
    assert opens(server.url, "https://www.example.com") == (False, False)
    assert server.get("/metrics", {"Authorization": "Bearer anything"})[0] == 404
    assert "set CORS_ALLOWED_ORIGINS=https://www.example.com\n" in server.log


def test_a_star_lets_every_page_in(start_server: Callable[..., RunningServer]) -> None:
    server = start_server(CORS_ALLOWED_ORIGINS="*", ADMIN_TOKEN=ADMIN)
    for origin in ("https://any.example", "http://localhost:1", "null"):
        assert opens(server.url, origin) == (True, True)
    headers = {"Origin": "https://any.example", "Authorization": f"Bearer {ADMIN}"}
    assert "access-control-allow-origin" not in request(server.url, "GET", "/metrics", headers=headers).headers


# Ids that older pages choose themselves.


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    server = RunningServer({"DATA_DIR": data, "TRUST_CLIENT_IDS": "true", "DEMO_PACE": "50"})
    server.start()
    yield server
    server.stop()


def older(server: RunningServer, user: str, conversation: str) -> ChatClient:
    return ChatClient(server.url, older=True, query=f"?userId={user}&conversationId={conversation}")


def ids() -> tuple[str, str]:
    return str(uuid.uuid4()), str(uuid.uuid4())


def test_an_older_page_finds_its_conversation_by_its_own_ids(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        finished = client.ask("hello")
    with older(trusting, user, conversation) as client:
        assert client.session["conversation_uuid"] == conversation
        assert [turn["answer"] for turn in client.session["turns"]] == [finished["text"]]


@pytest.mark.parametrize(
    ("user", "conversation"), [("u1", "c1"), ("", ""), ("5a0d3c1e-6f5b-4f0e-9d0a-2f1f6f1b8c11", "x"), ("%00", "%ff")]
)
def test_ids_that_are_no_uuids_are_not_used(trusting: RunningServer, user: str, conversation: str) -> None:
    with older(trusting, user, conversation) as client:
        assert client.session["conversation_uuid"] != conversation
        assert client.session["user_id"] != user


def test_the_first_user_owns_the_conversation(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        client.ask("hello")
    with pytest.raises(Exception, match=r"namespaces failed|belongs to somebody else"):
        older(trusting, str(uuid.uuid4()), conversation)


def test_a_conversation_begun_with_a_token_is_not_opened_by_its_ids(trusting: RunningServer) -> None:
    with ChatClient(trusting.url) as client:
        client.ask("hello")
        session = client.session
    with pytest.raises(Exception, match=r"namespaces failed|belongs to somebody else"):
        older(trusting, session["user_id"], session["conversation_uuid"])


def test_a_second_user_in_the_same_conversation_hears_and_reads_nothing(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as owner, older(trusting, str(uuid.uuid4()), conversation) as second:
        turn = owner.say("hello")
        owner.wait_for_pieces(turn)
        assert second.call("history", {})["turns"] == []
        for event, payload in (
            ("resume", {"turn_id": turn, "after_seq": -1}),
            ("stop", {"turn_id": turn}),
            ("stop", {}),
            ("feedback", {"turn_id": turn, "rating": "up"}),
        ):
            assert second.call(event, payload)["error"]["code"] == "unknown_turn", event
        assert second.call("user_message", {"text": "me too"})["error"]["code"] == "not_yours"
        assert owner.whole(turn)["state"] == "complete"
        assert not [heard for heard in second.heard if turn in str(heard.payload)]
        # The refusals' sentences are all that an older page was shown.
        assert all("seq" not in shown for shown in second.all("assistant_message"))


def test_ids_in_a_payload_are_those_of_the_connection(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        own = {"text": "hello", "userId": user, "conversationId": conversation}
        for wrong in ({"userId": ids()[0]}, {"conversationId": ids()[0]}, {"userId": 5}, {"conversationId": []}):
            assert client.call("user_message", own | wrong)["error"]["code"] == "not_yours", wrong
        assert client.call("user_message", own)["ok"]
        wait_until(lambda: client.all("turn_finished"), "the answer ends")


def test_ids_in_capitals_are_the_same_ids(trusting: RunningServer) -> None:
    user, conversation = (part.upper() for part in ids())
    with older(trusting, user, conversation) as client:
        answer = client.call("user_message", {"text": "hello", "userId": user, "conversationId": conversation})
        assert answer["ok"], answer
        wait_until(lambda: client.all("turn_finished"), "the answer ends")


def test_a_client_that_speaks_the_protocol_gets_ids_of_the_server_all_the_same(trusting: RunningServer) -> None:
    user, conversation = ids()
    with ChatClient(trusting.url, query=f"?userId={user}&conversationId={conversation}") as client:
        assert client.session["conversation_uuid"] != conversation


# The start, by the real command.

WRONG = {
    "PORT": "eighty",
    "FE_PORT": "70000",
    "CORS_ALLOWED_ORIGINS": "https://www.example.com/",
    "SECRET_KEY": "kurz7",
    "ADMIN_TOKEN": "kurz7",
    "DATA_DIR": "/dev/null/data",
    "ASSISTANT": "nobody",
    "OPENAI_BASE_URL": "no address",
    "OPENAI_API_KEY": "kurz7",
    "ASSISTANT_ID": "asst_1",
    "CHAT_INSTRUCTIONS_FILE": "/nowhere/at/all",
    "CHAT_MAX_OUTPUT_TOKENS": "few",
    "DEMO_PACE": "-1",
    "DEMO_ANSWER": "surprise",
    "MAX_TEXT": "0",
    "MAX_RUNNING_TURNS": "0",
    "TURN_QUEUE": "-1",
    "TURN_DEADLINE": "0",
    "TOKEN_DAYS": "nan",
    "TRUST_CLIENT_IDS": "perhaps",
    "ASYNC_MODE": "threading",
    "LOG_LEVEL": "loud",
}


def refused_start(server: RunningServer) -> str:
    """Start a server that must not start. What it says."""
    process = server.launch()
    try:
        wait_until(lambda: process.poll() is not None, "the start is refused")
        assert process.returncode != 0
        assert "Traceback" not in server.log
        return server.log
    finally:
        if process.poll() is None:
            server.stop()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path: Path, name: str) -> None:
    log = refused_start(RunningServer({"DATA_DIR": str(tmp_path), name: WRONG[name]}))
    assert "The chat server cannot start:" in log
    assert re.search(rf"^({name}|CHAT_MODEL): ", log, re.M) if name.startswith("OPENAI_A") else f"{name}: " in log
    assert "kurz7" not in log


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    log = refused_start(RunningServer({"DATA_DIR": str(tmp_path), "FE_PORT": "x", "TURN_QUEUE": "x"}))
    assert "FE_PORT: " in log
    assert "TURN_QUEUE: " in log


@pytest.mark.parametrize(("arguments", "reason"), [(("-w", "2"), "-w 2"), (("--worker-class", "sync"), "ASYNC_MODE")])
def test_a_command_that_cannot_work_is_refused_and_says_why(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    command = (*COMMAND, *arguments, "-b", f"127.0.0.1:{free_port()}")
    assert reason in refused_start(RunningServer({"DATA_DIR": str(tmp_path)}, command))


def test_without_an_address_on_the_command_line_the_settings_ports_are_served(tmp_path: Path) -> None:
    port, second = free_port(), free_port()
    server = RunningServer({"DATA_DIR": str(tmp_path), "PORT": str(port), "FE_PORT": str(second)}, COMMAND)
    server.port, server.url = port, f"http://127.0.0.1:{port}"
    try:
        server.start()
        assert opens(f"http://127.0.0.1:{second}", server.url) == (True, True)
    finally:
        server.stop()


def test_the_second_port_is_served_too_when_the_address_is_a_port_alone(tmp_path: Path) -> None:
    second = free_port()
    server = RunningServer({"DATA_DIR": str(tmp_path), "FE_PORT": str(second)}, ())
    server._arguments = (*COMMAND, "-b", f":{server.port}")
    try:
        server.start()
        server.url = f"http://127.0.0.1:{second}"
        assert server.status("/healthz") == 200
    finally:
        server.stop()


def test_a_port_that_is_taken_is_said_with_the_way_out_and_is_had_when_it_is_free(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = RunningServer({"DATA_DIR": str(tmp_path)}, port=port)
        server.launch()
        wait_until(lambda: f"port {port} is taken by another program" in server.log, "it says so")
        assert "make run PORT=9000" in server.log
    try:
        wait_until(lambda: server.status("/healthz") == 200, "it has the port")
    finally:
        server.stop()
