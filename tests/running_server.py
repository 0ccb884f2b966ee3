"""The real server, started by its real command, for tests to talk to over sockets."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUNICORN = (sys.executable, "-m", "gunicorn")
APPLICATION = "app.main:app_instance"
COMMAND = ("--config", "ws/gunicorn_config.py", "--worker-class", "eventlet", "-w", "1", APPLICATION)
PATIENCE = 30 * float(os.environ.get("TEST_PATIENCE", "1"))
"""Seconds that a test waits for what must happen. `TEST_PATIENCE=3` stretches it on a slow machine."""
SOON = PATIENCE / 3
"""Seconds in which something is done at once also on a machine that is slow or stands still for some of them. To be
held against what takes minutes if it is not done at once."""


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Poll until `condition` holds. Fails the test with `what` when it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody has, that this gave to nobody else, and that stays free for a server that starts again."""
    # Below Linux's ip_local_port_range: no outgoing connection gets it, nor anybody who asks for just any port. Each of
    # pytest-xdist's workers has ports of its own.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(15_000 + worker, 32_000, workers)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


_given: set[int] = set()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and which nobody else can take meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def is_gone(pid: int) -> bool:
    """Whether a process holds nothing any more: no file, no lock, no port."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


class RunningServer:
    """One gunicorn with its worker. `environment`: settings; nothing else of this machine's settings reaches it.

    `folder`: where it starts, with a `.env` of its own; then the address comes from there as well. `application`: in
    place of the usual one. After `kill` it can be started again: the same port, the same settings, and the log goes on.
    """

    def __init__(
        self, environment: Mapping[str, str], arguments: tuple[str, ...] | None = None,
        folder: Path | None = None, port: int | None = None, application: str = APPLICATION,
    ) -> None:  # fmt: skip
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = ("--config", str(ROOT / "ws/gunicorn_config.py"), application)
        there = own if folder else (*COMMAND[:-1], application, "-b", f"127.0.0.1:{self.port}")
        self._arguments = arguments if arguments is not None else there
        self._folder = folder or ROOT
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment = {**kept, "PYTHONUNBUFFERED": "1", **environment}
        self._log = tempfile.NamedTemporaryFile("w+", prefix="chat-server-", suffix=".log")  # noqa: SIM115
        self.process: subprocess.Popen[str] | None = None

    def launch(self) -> subprocess.Popen[str]:
        """Start the command, without waiting for it."""
        self.process = subprocess.Popen(
            [*GUNICORN, *self._arguments],
            cwd=self._folder, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return self.process

    def start(self) -> None:
        """Start, and wait until it is ready."""
        self.launch()
        wait_until(lambda: self._is_over() or self.status("/readyz") == 200, f"the server is ready\n{self.log}")
        assert not self._is_over(), f"the server did not start:\n{self.log}"

    def stop(self) -> None:
        """End it at once, and everything that it started."""
        if self.process is not None and not self._is_over():
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """`kill -9` of the whole server: nothing of it has a chance to clean up."""
        assert self.process is not None
        worker = self.worker_pid()
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: is_gone(worker), "the worker has gone")

    def kill_worker(self) -> int:
        """`kill -9` of the worker; gunicorn starts another one. The pid that died."""
        worker = self.worker_pid()
        os.kill(worker, signal.SIGKILL)
        return worker

    def worker_pid(self) -> int:
        """The worker's process id, by gunicorn's own word."""
        return int(re.findall(r"Booting worker with pid: (\d+)", self.log)[-1])

    @property
    def log(self) -> str:
        """All that it has printed so far."""
        # Its last line may not be written whole yet.
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes, Mapping[str, str]]:
        """(status, body, headers) of a GET."""
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def status(self, path: str) -> int:
        """The status of a GET; 0 if nobody listens yet."""
        try:
            return self.get(path)[0]
        except (OSError, http.client.HTTPException):
            return 0

    def _is_over(self) -> bool:
        return self.process is not None and self.process.poll() is not None
