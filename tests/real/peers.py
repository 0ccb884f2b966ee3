"""Servers of other makes, as real processes: llama.cpp, and what is put in front of it. Started here, ended by pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.running_server import PATIENCE, free_port, wait_until

CONTEXT = 1024
"""Tokens that a conversation may have with the model, its next answer included."""
LONG = 4 * PATIENCE
"""Seconds for what a model does. On a machine that is busy with other tests it says 5 tokens a second, not 50."""

NO_SPINNING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
"""Threads of llama.cpp that sleep while they wait for each other. Spinning, they take the cores from all others."""


@dataclass(frozen=True)
class Peer:
    """A server that speaks OpenAI's API: `url` ends in /v1."""

    url: str
    model: str
    key: str | None = None

    def settings(self, assistant: str, tokens: int = 16) -> dict[str, str]:
        """What an operator writes to have answers of at most `tokens` from it."""
        named = {"OPENAI_BASE_URL": self.url, "CHAT_MODEL": self.model, "OPENAI_API_KEY": self.key}
        limit = {"ASSISTANT": assistant, "CHAT_MAX_OUTPUT_TOKENS": str(tokens)}
        return {name: value for name, value in named.items() if value} | limit

    def get(self, path: str) -> Any:
        """The JSON at a path of its root."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(self.url.removesuffix("/v1") + path, headers=headers)
        with urllib.request.urlopen(request, timeout=LONG) as response:
            return json.load(response)

    def at_work(self) -> bool:
        """Whether any slot of a llama.cpp makes an answer."""
        return any(slot["is_processing"] for slot in self.get("/slots"))


@contextmanager
def llama_by_tool(tool: str) -> Iterator[Peer]:
    """A llama.cpp of one's own with a small model, made by the tool that `TEST_LLAMA_TOOL` names."""
    with tempfile.TemporaryDirectory(prefix="llama-", dir=os.environ.get("TEST_LLAMA_RUNS")) as folder:
        # Not the folder itself: whoever stops what a killed test left behind looks for folders with a pid.
        run = f"{folder}/run"
        options = ("--port", str(free_port()), "--context", str(CONTEXT), "--key", "sk-llama-of-a-test")
        try:
            _do(tool, "start", run, *options)
            yield _made(_do(tool, "env", run))
        finally:
            _do(tool, "stop", run)


def _made(environment: str) -> Peer:
    known = dict(line.split("=", 1) for line in environment.splitlines() if "=" in line)
    return Peer(known["OPENAI_BASE_URL"], known["CHAT_MODEL"], known.get("OPENAI_API_KEY"))


def _do(tool: str, *arguments: str) -> str:
    # To a file: a pipe would stay open in the server that it starts.
    with tempfile.TemporaryFile("w+") as said:
        command = ["bash", tool, *arguments]
        subprocess.run(command, check=True, timeout=10 * PATIENCE, stdout=said, env=os.environ | NO_SPINNING)
        said.seek(0)
        return said.read()


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], alive: str) -> Iterator[IO[str]]:
    """A server of somebody else's until the end of the block: its log. `alive`: a URL that it answers when it is up."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="peer-") as home, open(f"{home}/log", "w+") as log:
        process = subprocess.Popen(
            command, env={**kept, "HOME": home, "NO_PROXY": "*", **environment}, cwd=home,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            wait_until(lambda: process.poll() is not None or _answers(alive), f"{command[0]} is up", LONG)
            assert process.poll() is None, f"{command[0]} did not start:\n{Path(log.name).read_text()[-2000:]}"
            yield log
        finally:
            _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with what it started: all in the session that was opened for it."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE / 3)
