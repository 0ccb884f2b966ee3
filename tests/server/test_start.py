"""The start by the real command: wrong settings, addresses, and ports, of which some are taken."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.running_server import COMMAND, RunningServer, free_port, wait_until
from tests.server.raw_client import opens

pytestmark = pytest.mark.server

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
