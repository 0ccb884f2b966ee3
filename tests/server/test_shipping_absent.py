"""A server whose Elasticsearch is not there: it chats, says so once, and ends as fast as ever."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.chat_client import ChatClient
from tests.running_server import PATIENCE, RunningServer, closed_port, wait_until

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
TOKEN = "a token of an operator"


def detail(server: RunningServer) -> dict[str, object]:
    return dict(json.loads(server.get("/readyz")[1])["details"]["elasticsearch"])


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with closed_port() as port:
        yield f"http://127.0.0.1:{port}"


def test_an_absent_elasticsearch_is_a_detail_and_one_line_of_the_log(start_server: Start, nowhere: str) -> None:
    server = start_server(ES_URL=nowhere, ADMIN_TOKEN=TOKEN)
    with ChatClient(server.url) as client:
        turn = client.ask("hello")
        assert turn["state"] == "complete"
        assert client.call("feedback", {"turn_id": turn["turn_id"], "rating": "up"})["ok"]
    wait_until(lambda: detail(server)["waiting"] == 3, "conversation, turn and rating wait")
    wait_until(lambda: detail(server)["state"] == "unavailable", "that it is absent is known")
    assert server.status("/readyz") == 200
    wait_until(lambda: detail(server)["oldest_seconds"] != 0, "some tries were made")
    said = [line for line in server.log.splitlines() if re.search("lasticsearch|elastic_transport", line)]
    # Beside the hint at the start that no credentials are set.
    said = [line for line in said if "app.main" not in line]
    assert len(said) == 1
    assert "cannot be reached: nothing listens there (connection refused)" in said[0]
    text = server.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})[1].decode()
    assert "\nchat_outbox_waiting 3.0\n" in text
    assert "\nchat_shipping_outages_total 1.0\n" in text
    assert '\nchat_shipped_total{kind="turn"} 0.0\n' in text


def test_an_idle_server_waits_for_nothing_at_its_end_when_elasticsearch_is_absent(
    start_server: Start, nowhere: str
) -> None:
    # If it waited for what cannot be shipped it would be killed before that is over.
    application = "tests.server.other_times:app_instance"
    server = start_server(ES_URL=nowhere, application=application, TEST_SHIPPING="600", DRAIN_SECONDS=str(PATIENCE))
    with ChatClient(server.url) as client:
        client.ask("hello")
        wait_until(lambda: detail(server)["state"] == "unavailable", "that it is absent is known")
        assert server.process is not None
        server.process.terminate()
        wait_until(lambda: "Worker exiting" in server.log, "the worker ends")


def test_without_elasticsearch_nothing_of_it_is_shown(start_server: Start) -> None:
    server = start_server(ADMIN_TOKEN=TOKEN)
    assert "details" not in json.loads(server.get("/readyz")[1])
    assert b"chat_outbox" not in server.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})[1]
