"""Socket.IO clients of another make, the JavaScript ones in their newest and their oldest version of protocol 5."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chat_client import assert_whole
from tests.conftest import need
from tests.running_server import PATIENCE, RunningServer

pytestmark = [pytest.mark.server, pytest.mark.node]

CLIENTS = Path(__file__).resolve().parent.parent / "js_clients"
PACKAGES = ("socket.io-client-4.8", "socket.io-client-4.0")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of node, with the clients installed beside it."""
    path = need(shutil.which("node"), "node")
    npm = need(shutil.which("npm"), "npm")
    if not all((CLIENTS / "node_modules" / package).is_dir() for package in PACKAGES):
        need(_installed(npm), "what tests/js_clients needs from the npm registry")
    return path


def _installed(npm: str) -> str | None:
    try:
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=CLIENTS, check=True, capture_output=True, timeout=4 * PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return str(CLIENTS)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("package", PACKAGES)
def test_three_turns_arrive_without_a_hole_and_whole(
    shared_server: RunningServer, node: str, package: str, transport: str
) -> None:
    command = [node, "three_turns.mjs", package, shared_server.url, transport]
    run = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert run.returncode == 0, run.stderr
    turns = json.loads(run.stdout)
    assert len(turns) == 3
    for turn in turns:
        assert turn["state"] == "complete"
        assert len(turn["pieces"]) > 3
        assert_whole(turn["pieces"], turn)


def test_the_versions_are_the_ones_that_are_promised_and_the_lock_names_no_registry() -> None:
    lock = json.loads((CLIENTS / "package-lock.json").read_text())
    versions = [lock["packages"][f"node_modules/{package}"]["version"] for package in PACKAGES]
    assert versions[0].startswith("4.8.")
    assert versions[1] == "4.0.0"
    hosts = [part["resolved"] for part in lock["packages"].values() if "resolved" in part]
    assert not hosts, "`npm ci` takes the packages from whatever registry the machine is set up with"
