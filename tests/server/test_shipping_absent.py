"""A server whose Elasticsearch is not there: it chats, says so once, and ends as fast as ever."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient
from tests.running_server import RunningServer, free_port, wait_until

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
TOKEN = "a token of an operator"


def detail(server: RunningServer) -> dict[str, object]:
    return dict(json.loads(server.get("/readyz")[1])["details"]["elasticsearch"])


def test_an_absent_elasticsearch_is_a_detail_and_one_line_of_the_log(start_server: Start) -> None:
    server = start_server(ES_URL=f"http://127.0.0.1:{free_port()}", ADMIN_TOKEN=TOKEN)
    with ChatClient(server.url) as client:
        turn = client.ask("hello")
        assert turn["state"] == "complete"
        assert client.call("feedback", {"turn_id": turn["turn_id"], "rating": "up"})["ok"]
    wait_until(lambda: detail(server)["waiting"] == 3, "conversation, turn and rating wait")
    assert detail(server)["state"] == "unavailable"
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


def test_an_idle_server_ends_as_fast_as_ever_when_elasticsearch_is_absent(start_server: Start) -> None:
    server = start_server(ES_URL=f"http://127.0.0.1:{free_port()}")
    with ChatClient(server.url) as client:
        client.ask("hello")
        wait_until(lambda: detail(server)["state"] == "unavailable", "that it is absent is known")
        assert server.process is not None
        begun = time.monotonic()
        server.process.terminate()
        wait_until(lambda: "Worker exiting" in server.log, "the worker ends")
        # A second more if it waited for what cannot be shipped.
        assert time.monotonic() - begun < 1


def test_without_elasticsearch_nothing_of_it_is_shown(start_server: Start) -> None:
    server = start_server(ADMIN_TOKEN=TOKEN)
    assert "details" not in json.loads(server.get("/readyz")[1])
    assert b"chat_outbox" not in server.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})[1]
