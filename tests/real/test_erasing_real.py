"""Erasure with the real server and a real Elasticsearch: while answers run and batches are under way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.real import elastic_parts
from tests.running_server import PATIENCE, ROOT, RunningServer, wait_until
from tests.server.test_erasing import ADMIN, SECRET, assert_forgotten, delete, files_with, wait_for_the_end
from tests.user_tokens import SECRET as SITES_SECRET
from tests.user_tokens import user_token_of

pytestmark = [pytest.mark.real, pytest.mark.server]

Start = Callable[..., RunningServer]


class Index:
    """An index of this test's own, looked at from outside."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.name = f"erasing-{uuid.uuid4().hex[:12]}"
        self.settings = {**settings, "ES_INDEX": self.name}

    def count(self, field: str, value: str) -> int:
        self._call("POST", "_refresh")
        try:
            found = self._call("GET", "_count", {"query": {"term": {field: value}}})
        except urllib.error.HTTPError as error:
            # Not there yet, or just being made.
            if error.code not in (404, 503):
                raise
            return 0
        return int(found["count"])

    def remove(self) -> None:
        """To be called when no server writes to it any more: it would be made again."""
        self._call("DELETE", "")
        url = f"{self.settings['ES_URL']}/_index_template/{self.name}*"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=PATIENCE).close()

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.settings['ES_URL']}/{self.name}/{path}?ignore_unavailable=true"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)


@pytest.fixture
def index(elasticsearch_settings: dict[str, str]) -> Iterator[Index]:
    index = Index(elasticsearch_settings)
    yield index
    index.remove()


def test_a_user_is_erased_while_an_answer_runs_and_others_are_shipped(
    index: Index, start_server: Start, tmp_path: Path
) -> None:
    server = start_server(**index.settings, ADMIN_TOKEN=ADMIN, DEMO_PACE="40")
    with ChatClient(server.url) as client, ChatClient(server.url) as bystander:
        user, other = client.session["user_id"], bystander.session["user_id"]
        assert client.whole(client.say(SECRET))["state"] == "complete"
        wait_until(lambda: index.count("user.id", user) >= 2, "the first turn is in Elasticsearch")
        turn_id = client.say(f"{SECRET} {ENDLESS}")
        client.wait_for_pieces(turn_id, 2)
        kept = [bystander.say(f"question {number}") for number in range(3)]
        counted = delete(server, f"/api/users/{user}?dry_run=true")[1]
        assert (counted["turns"], counted["documents"]) == (2, 2)
        status, told = delete(server, f"/api/users/{user}")
        assert (status, told["done"]) == (200, True), told
        wait_for_the_end(client, turn_id)
        assert index.count("user.id", user) == 0
        for one in kept:
            assert bystander.whole(one)["state"] == "complete"
    wait_until(lambda: index.count("user.id", other) == 1 + len(kept), "the bystander is in Elasticsearch")
    assert index.count("user.id", user) == 0
    assert not files_with(tmp_path / "data", SECRET)
    assert_forgotten(server, client.token, turn_id)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", ["ada+news@example.com", "日" * 200, 'a/b "c" \\ *?'])
def test_a_signed_in_user_is_counted_and_erased_there_whatever_the_id_looks_like(
    index: Index, start_server: Start, name: str
) -> None:
    server = start_server(**index.settings, ADMIN_TOKEN=ADMIN, USER_TOKEN_SECRET=SITES_SECRET)
    auth = {"user_token": user_token_of(name)}
    with ChatClient(server.url, auth=auth) as client:
        client.ask(SECRET)
        wait_until(lambda: index.count("user.id", name) == 2, "the conversation is in Elasticsearch")
        path = f"/api/users/{quote(name, safe='')}"
        counted = {"dry_run": True, "conversations": 1, "turns": 1, "documents": 2}
        assert delete(server, f"{path}?dry_run=true") == (200, counted)
        status, told = delete(server, path)
        assert (status, told["done"]) == (200, True), told
    assert index.count("user.id", name) == 0
    with ChatClient(server.url, auth=auth) as again:
        assert again.call("conversations", {})["conversations"] == []
        assert again.ask("a new beginning")["state"] == "complete"
        assert len(again.call("conversations", {})["conversations"]) == 1
    assert name not in server.log
    assert "Traceback" not in server.log


def test_a_command_erases_what_a_killed_server_had_sent_and_not_sent(
    index: Index, start_server: Start, tmp_path: Path
) -> None:
    server = start_server(**index.settings)
    with ChatClient(server.url) as client:
        conversation, token = client.session["conversation_uuid"], client.token
        for number in range(5):
            turn_id = client.say(f"{SECRET} {number}")
            client.finished(turn_id)
        wait_until(lambda: index.count("gen_ai.conversation.id", conversation) >= 1, "something is in Elasticsearch")
        server.kill()
    done = subprocess.run(
        [sys.executable, "-m", "app", "erase", "--conversation", conversation],
        cwd=ROOT, env={"DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"], **index.settings},
        capture_output=True, text=True, timeout=5 * PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert index.count("gen_ai.conversation.id", conversation) == 0
    assert not files_with(tmp_path / "data", SECRET)
    server = start_server(**index.settings)
    assert_forgotten(server, token, turn_id)
    assert index.count("gen_ai.conversation.id", conversation) == 0


def test_old_conversations_leave_elasticsearch_too_and_young_ones_stay(index: Index, start_server: Start) -> None:
    server = start_server(**index.settings, ADMIN_TOKEN=ADMIN)
    with ChatClient(server.url) as old:
        assert old.whole(old.say(SECRET))["state"] == "complete"
        gone = old.session["user_id"]
    wait_until(lambda: index.count("user.id", gone) == 2, "the old conversation is in Elasticsearch")
    server.stop()
    ended = time.monotonic()
    wait_until(lambda: time.monotonic() - ended > 2, "the conversation is old enough")
    server = start_server(**index.settings, RETENTION_DAYS=str(1.5 / 86_400))
    with ChatClient(server.url) as young:
        wait_until(lambda: index.count("user.id", gone) == 0, "the old conversation is gone")
        assert young.whole(young.say("hello"))["state"] == "complete"
        wait_until(lambda: index.count("user.id", young.session["user_id"]) == 2, "the young one is there")


@pytest.fixture
def secure_settings(secure_elasticsearch_settings: dict[str, str]) -> Iterator[dict[str, str]]:
    with elastic_parts.own_index(elastic_parts.admin_of(secure_elasticsearch_settings)) as name:
        yield {**secure_elasticsearch_settings, "ES_INDEX": name}


def test_a_key_that_may_not_delete_is_refused_before_anything_is_touched(
    secure_settings: dict[str, str], start_server: Start, tmp_path: Path
) -> None:
    wrong = {"ES_ERASE_USERNAME": "nobody", "ES_ERASE_PASSWORD": "nothing-at-all"}
    server = start_server(**secure_settings, **wrong, ADMIN_TOKEN=ADMIN)
    with ChatClient(server.url) as client:
        assert client.whole(client.say(SECRET))["state"] == "complete"
        status, told = delete(server, f"/api/users/{client.session['user_id']}")
        assert status == 503
        assert "Nothing was touched" in told["error"]["message"]
        assert client.whole(client.say("still here"))["state"] == "complete"
    assert files_with(tmp_path / "data", SECRET)
