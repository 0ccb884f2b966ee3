"""Socket.IO clients of another make, the JavaScript ones in their newest and their oldest version of protocol 5."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chat_client import assert_whole
from tests.conftest import need
from tests.running_server import PATIENCE, RunningServer
from tests.wire.openai_server import OpenAIServer

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


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningServer]]:
    """A server for each assistant that answers here."""
    with OpenAIServer(delay=0.05) as upstream:
        model = {"CHAT_MODEL": "m", "OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": upstream.base_url}
        settings = {"demo": {"DEMO_PACE": "200"}, "responses": model}
        started = {
            name: RunningServer({"DATA_DIR": str(tmp_path_factory.mktemp(name)), **more})
            for name, more in settings.items()
        }
        for server in started.values():
            server.start()
        yield started
        for server in started.values():
            server.stop()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("assistant", ["demo", "responses"])
def test_three_turns_arrive_without_a_hole_and_whole(
    servers: dict[str, RunningServer], node: str, assistant: str, package: str, transport: str
) -> None:
    command = [node, "three_turns.mjs", package, servers[assistant].url, transport]
    run = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert run.returncode == 0, run.stderr
    turns = json.loads(run.stdout)
    assert len(turns) == 3
    for turn in turns:
        assert turn["state"] == "complete"
        # More, unless the machine stood still and they were joined.
        assert len(turn["pieces"]) > 1
        assert_whole(turn["pieces"], turn)
    if assistant == "responses":
        assert "What is this? | How do I embed it?" in turns[-1]["text"], "the model was given the history"


def test_the_versions_are_the_ones_that_are_promised_and_the_lock_names_no_registry() -> None:
    lock = json.loads((CLIENTS / "package-lock.json").read_text())
    versions = [lock["packages"][f"node_modules/{package}"]["version"] for package in PACKAGES]
    assert versions[0].startswith("4.8.")
    assert versions[1] == "4.0.0"
    hosts = [part["resolved"] for part in lock["packages"].values() if "resolved" in part]
    assert not hosts, "`npm ci` takes the packages from whatever registry the machine is set up with"
