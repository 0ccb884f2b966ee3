"""`python -m app check`, as an operator runs it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running_server import ROOT
from tests.transcripts.elastic_stand_in import StandIn, healthy, stored
from tests.wire.openai_server import OpenAIServer, Scenario

Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(**environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "app", "check"],
            cwd=ROOT, env={"DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", **environment},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    return run


@pytest.fixture
def upstream() -> Iterator[OpenAIServer]:
    with OpenAIServer(api_key="sk-right", models=["a-model"]) as server:
        yield server


def right(upstream: OpenAIServer) -> dict[str, str]:
    """Settings with which the model answers."""
    return {"CHAT_MODEL": "a-model", "OPENAI_API_KEY": "sk-right", "OPENAI_BASE_URL": upstream.base_url}


def test_with_nothing_set_the_demo_works(check: Check) -> None:
    code, output = check()
    assert code == 0
    assert "ok  settings: demo answers" in output
    assert "!!" not in output


def test_a_wrong_setting_is_named(check: Check) -> None:
    code, output = check(TURN_QUEUE="many")
    assert code == 1
    assert "!!  settings: TURN_QUEUE: write a whole number" in output


def test_a_folder_that_cannot_be_written_to_is_named(check: Check, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = check(DATA_DIR=str(tmp_path / "file" / "data"))
    assert code == 1
    assert "DATA_DIR" in output


@pytest.mark.parametrize("assistant", ["responses", "chat"])
def test_a_model_that_answers_is_ok(check: Check, upstream: OpenAIServer, assistant: str) -> None:
    code, output = check(ASSISTANT=assistant, **right(upstream))
    assert (code, f"ok  assistant: {assistant} answered" in output) == (0, True), output


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"OPENAI_API_KEY": "sk-wrong"}, "OPENAI_API_KEY is valid"),
        ({"CHAT_MODEL": "unknown"}, "CHAT_MODEL"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "OPENAI_BASE_URL is right"),
        ({"OPENAI_BASE_URL": "without /v1"}, "OPENAI_BASE_URL is right"),
    ],
)
def test_each_fault_comes_with_what_to_do(
    check: Check, upstream: OpenAIServer, environment: dict[str, str], advice: str
) -> None:
    if environment.get("OPENAI_BASE_URL") == "without /v1":
        environment = {"OPENAI_BASE_URL": upstream.base_url.removesuffix("/v1")}
    code, output = check(**right(upstream) | environment)
    assert code == 1
    assert advice in output
    assert "sk-" not in output


def test_quota_and_trouble_are_told_apart(check: Check, upstream: OpenAIServer) -> None:
    settings = right(upstream)
    upstream.scenario = Scenario(status=429, code="insufficient_quota")
    assert "assistant_quota" in check(**settings)[1]
    upstream.scenario = Scenario(body="html")
    assert "in place of a stream" in check(**settings)[1]


def test_elasticsearch_is_looked_at_when_it_is_set(check: Check) -> None:
    with StandIn(healthy(stored)) as server:
        code, output = check(ES_URL=server.url)
        assert code == 0
        assert f"ok  Elasticsearch: {server.url} has, or will make, the index ai-index" in output
        assert (
            "--  ES_API_KEY: it is missing, and so is ES_USERNAME; Elasticsearch is used without signing in" in output
        )
    code, output = check(ES_URL=server.url)
    assert code == 1
    assert f"!!  Elasticsearch: Elasticsearch at {server.url} cannot be reached: nothing listens there" in output


def test_a_model_is_asked_what_visitors_ask_and_what_it_can_do_is_told(check: Check, upstream: OpenAIServer) -> None:
    code, output = check(**right(upstream))
    assert code == 0, output
    for line in (
        "ok  assistant: responses answered two questions of one conversation",
        "ok  a long conversation: 48000 characters of earlier turns fit (CHAT_HISTORY_CHARS)",
        "ok  a stop: the answer",
        "--  the answers came by Responses",
        "--  tokens are counted (usage)",
        "--  functions (tools): accepted",
    ):
        assert line in output, output


def test_a_server_that_answers_only_the_first_question_does_not_pass(check: Check, upstream: OpenAIServer) -> None:
    upstream.next(Scenario())
    upstream.scenario = Scenario(status=400, code=400, message="Cannot determine type of 'item'")
    code, output = check(ASSISTANT="responses", **right(upstream))
    assert code == 1
    assert "!!  assistant: assistant_refused" in output


def test_what_was_found_out_is_told_and_kept_for_the_server(
    check: Check, upstream: OpenAIServer, tmp_path: Path
) -> None:
    upstream.absent = {"/responses": 404}
    upstream.scenario = Scenario(context_limit=9000, refuse_parameter="stream_options", no_usage=True)
    code, output = check(**right(upstream))
    assert code == 0, output
    for line in (
        "--  the answers came by Chat Completions",
        "--  it takes no stream_options",
        "--  tokens are not counted: it reports no usage",
        "ok  what was learned about the model: kept for the next start",
    ):
        assert line in output, output
    assert "older turns are left out" in output
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite3") as journal:
        (facts,) = journal.execute("SELECT facts FROM model_facts").fetchone()
    assert {"no_responses", "replaced", "window"} <= json.loads(facts).keys()


def test_a_server_without_functions_is_told(check: Check, upstream: OpenAIServer) -> None:
    upstream.scenario = Scenario(refuse_parameter="tools")
    assert "functions (tools): refused" in check(**right(upstream))[1]


def test_a_missing_model_is_told_with_the_models_that_there_are(check: Check, upstream: OpenAIServer) -> None:
    code, output = check(**right(upstream) | {"CHAT_MODEL": "a-modle"})
    assert code == 1
    assert "CHAT_MODEL is none of them: a-model" in output


def test_a_model_without_text_does_not_pass(check: Check, upstream: OpenAIServer) -> None:
    upstream.scenario = Scenario(thoughts="Let me think.", only_thoughts=True)
    code, output = check(ASSISTANT="chat", **right(upstream))
    assert code == 1
    assert "assistant_empty (it only thought)" in output
