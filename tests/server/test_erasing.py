"""Erasure with the real server: while answers run, in several tabs, by HTTP and by command, over kills."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import PATIENCE, ROOT, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
ADMIN = "an-operator-of-this-server"
SECRET = "something-nobody-may-find-again"
DAY = 86_400_000


def delete(server: RunningServer, path: str, token: str | None = ADMIN) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(server.url + path, method="DELETE", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
        return error.code, json.loads(body) if body.startswith(b"{") else {}


def run_erase(data: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app", "erase", *arguments],
        cwd=ROOT, env={"DATA_DIR": str(data), "PATH": "/usr/bin:/bin", **environment},
        capture_output=True, text=True, timeout=4 * PATIENCE,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def files_with(data: Path, text: str) -> list[str]:
    return [path.name for path in data.rglob("*") if text.encode() in bytes_of(path)]


def bytes_of(path: Path) -> bytes:
    """What is in a file; nothing if a server has just taken it away."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


def wait_for_the_end(client: ChatClient, turn_id: str) -> None:
    """Its answer ends as stopped, it is told why, and its connection ends."""
    assert client.finished(turn_id)["state"] == "stopped"
    wait_until(lambda: client.all("disconnect"), "the client is let go")
    (message,) = client.all("server_message")
    assert message["code"] == "erased"


def assert_forgotten(server: RunningServer, token: str, turn_id: str) -> None:
    """A token of it opens nothing any more, and nothing of it can be had."""
    after = {"turn_id": turn_id, "seq": -1}
    with ChatClient(server.url, auth={"token": token, "after": after}) as again:
        assert again.session["renewed"] == "invalid"
        assert again.session["turns"] == []
        assert again.session["running"] is None
        assert "resumed" not in again.session
        assert again.call("history", {})["turns"] == []
        assert again.call("resume", {"turn_id": turn_id, "after_seq": -1})["error"]["code"] == "unknown_turn"
        assert again.call("feedback", {"turn_id": turn_id, "rating": "up"})["error"]["code"] == "unknown_turn"
        assert again.ask("hello")["state"] == "complete"


@pytest.mark.parametrize("way", ["http", "command"])
@pytest.mark.parametrize("kind", ["conversation", "user"])
def test_a_running_answer_in_two_tabs_is_stopped_and_forgotten(
    start_server: Start, tmp_path: Path, way: str, kind: str
) -> None:
    server = start_server(DEMO_PACE="20", ADMIN_TOKEN=ADMIN)
    bystander = ChatClient(server.url)
    kept = bystander.say("What is this?")
    client = ChatClient(server.url)
    other_tab = ChatClient(server.url, auth={"token": client.token})
    turn_id, waiting = client.say(f"{SECRET} {ENDLESS}"), client.say("and then?")
    client.wait_for_pieces(turn_id, 3)
    subject = client.session["conversation_uuid" if kind == "conversation" else "user_id"]
    if way == "http":
        status, told = delete(server, f"/api/{kind}s/{subject}")
        assert (status, told["done"], told["conversations"], told["turns"]) == (200, True, 1, 2)
        assert told["documents"] is None
    else:
        code, output = run_erase(tmp_path / "data", f"--{kind}", subject)
        assert code == 0, output
        assert "to erase: 1 conversations, 2 turns" in output
        assert "is done" in output
    for tab in (client, other_tab):
        wait_for_the_end(tab, turn_id)
        wait_for_the_end(tab, waiting)
    assert not files_with(tmp_path / "data", SECRET)
    assert bystander.whole(kept)["state"] == "complete"
    assert_forgotten(server, client.token, turn_id)
    with ChatClient(server.url, auth={"token": bystander.token}) as again:
        assert [turn["turn_id"] for turn in again.session["turns"]] == [kept]
    bystander.close()
    assert "Traceback" not in server.log
    assert SECRET not in server.log
    assert subject not in server.log
    wait_until(lambda: f"({kind} {subject[:8]}…): done" in server.log, "its end is logged")


def test_the_call_is_for_operators_and_counts_before_it_is_told_to_erase(start_server: Start, tmp_path: Path) -> None:
    server = start_server(ADMIN_TOKEN=ADMIN)
    with ChatClient(server.url) as client:
        turn_id = client.say(SECRET)
        assert client.whole(turn_id)["state"] == "complete"
        path = f"/api/users/{client.session['user_id']}"
        assert delete(server, path, token=None)[0] == 401
        assert delete(server, path, token="somebody-else-entirely")[0] == 401
        assert delete(server, "/api/conversations/everything")[0] == 400
        assert delete(server, f"/api/users/{'x' * 201}")[0] == 400
        assert delete(server, f"{path}?dry_run=maybe")[0] == 400
        counted = {"dry_run": True, "conversations": 1, "turns": 1, "documents": None}
        assert delete(server, f"{path}?dry_run=true") == (200, counted)
        code, output = run_erase(tmp_path / "data", "--user", client.session["user_id"], "--dry-run")
        assert (code, output) == (0, "would erase: 1 conversations, 1 turns\n")
        assert client.whole(client.say("still here"))["state"] == "complete"
    assert files_with(tmp_path / "data", SECRET)


def test_without_an_admin_token_there_is_no_such_call(start_server: Start) -> None:
    server = start_server()
    assert delete(server, f"/api/users/{uuid.uuid4()}")[0] == 404
    assert delete(server, f"/api/conversations/{uuid.uuid4()}")[0] == 404


def test_without_a_server_the_command_does_everything_itself(start_server: Start, tmp_path: Path) -> None:
    server = start_server(DEMO_PACE="20")
    client = ChatClient(server.url)
    turn_id = client.say(f"{SECRET} {ENDLESS}")
    client.wait_for_pieces(turn_id, 2)
    conversation, token = client.session["conversation_uuid"], client.token
    server.kill()
    code, output = run_erase(tmp_path / "data", "--conversation", conversation)
    assert code == 0, output
    assert not files_with(tmp_path / "data", SECRET)
    assert_forgotten(start_server(), token, turn_id)


def test_a_command_in_the_wrong_folder_touches_nothing_and_makes_nothing(tmp_path: Path) -> None:
    code, output = run_erase(tmp_path / "nowhere", "--user", str(uuid.uuid4()))
    assert code == 1
    assert "nothing was touched: there is no journal in" in output
    assert not (tmp_path / "nowhere").exists()


def test_a_command_that_is_wrong_touches_nothing(tmp_path: Path) -> None:
    code, output = run_erase(tmp_path / "data", "--conversation", "everything")
    assert code == 1
    assert "nothing was touched: everything is not the id of a conversation" in output


@pytest.mark.parametrize("api", ["threads", "conversation"])
@pytest.mark.parametrize("victim", ["worker", "server"])
def test_what_the_assistants_side_has_is_deleted_when_it_can_be_reached_also_after_a_kill(
    start_server: Start, tmp_path: Path, upstream: OpenAIServer, api: str, victim: str
) -> None:
    which = {"threads": {"ASSISTANT": "threads", "ASSISTANT_ID": "asst_1"}}.get(api) or {
        "CHAT_MODEL": "gpt-wire", "ASSISTANT": "responses", "CHAT_STATE": "conversation",
    }  # fmt: skip
    environment = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": upstream.base_url, "ADMIN_TOKEN": ADMIN, **which}
    server = start_server(**environment)
    there = upstream.threads.threads if api == "threads" else upstream.responses.conversations
    with ChatClient(server.url) as client:
        first = client.say(f"alpha {SECRET}")
        assert client.whole(first)["state"] == "complete"
        assert client.whole(client.say("beta"))["state"] == "complete"
        (ident,) = there
        upstream.next(Scenario(status=503), times=50, path=ident)
        code, output = run_erase(
            tmp_path / "data", "--conversation", client.session["conversation_uuid"], "--wait", "8", **environment
        )
        assert code == 1
        assert "waits for the assistant's side" in output
        assert not files_with(tmp_path / "data", SECRET)
        assert_forgotten(server, client.token, first)
        if victim == "worker":
            dead = server.kill_worker()
            wait_until(lambda: server.worker_pid() != dead and server.status("/readyz") == 200, "a new worker serves")
        else:
            server.kill()
            server = start_server(**environment)
        assert ident in there
        # The scenarios that are left are for nobody else.
        upstream._queue.clear()
    wait_until(lambda: ident not in there, "it is deleted on the other side")
    wait_until(lambda: "(conversation " in server.log and ": done" in server.log, "the erasure is done")
    everything = json.dumps([list(upstream.responses.histories.values()), upstream.responses.left_behind])
    assert SECRET not in everything
    assert "Traceback" not in server.log


def test_conversations_that_were_quiet_for_too_long_go_at_the_start(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    with ChatClient(server.url) as old, ChatClient(server.url) as young:
        old_turn, young_turn = old.say(SECRET), young.say("hello")
        assert old.whole(old_turn)["state"] == young.whole(young_turn)["state"] == "complete"
        old_token, young_token = old.token, young.token
    server.stop()
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite3") as journal:
        then = int(time.time() * 1000) - 31 * DAY
        journal.execute("UPDATE turns SET accepted_at = ?, finished_at = ? WHERE id = ?", (then, then, old_turn))
        journal.execute("UPDATE conversations SET created_at = ?", (then,))
    server = start_server(RETENTION_DAYS="30")
    wait_until(lambda: not files_with(tmp_path / "data", SECRET), "the old conversation is forgotten")
    assert_forgotten(server, old_token, old_turn)
    with ChatClient(server.url, auth={"token": young_token}) as again:
        assert [turn["turn_id"] for turn in again.session["turns"]] == [young_turn]


def test_an_older_client_that_names_erased_ids_begins_anew(start_server: Start) -> None:
    server = start_server(TRUST_CLIENT_IDS="true", ADMIN_TOKEN=ADMIN)
    conversation, user = str(uuid.uuid4()), str(uuid.uuid4())
    query = f"?conversationId={conversation}&userId={user}"
    with ChatClient(server.url, older=True, query=query) as client:
        client.ask("hello")
        assert client.session["conversation_uuid"] == conversation
    assert delete(server, f"/api/users/{user}")[1]["done"] is True
    with ChatClient(server.url, older=True, query=query) as client:
        assert client.session["conversation_uuid"] != conversation
        assert client.session["user_id"] != user
        assert client.session["turns"] == []
        assert client.ask("hello")["state"] == "complete"
