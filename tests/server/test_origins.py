"""Which pages may come in, by their origin, and which routes are opened to other origins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.running_server import ROOT, RunningServer, free_port
from tests.server.raw_client import opens, request

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
