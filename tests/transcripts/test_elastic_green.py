"""Under eventlet a call of Elasticsearch holds up its own green thread and no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import need
from tests.running_server import PATIENCE, wait_until
from tests.transcripts.certificates import authority
from tests.transcripts.elastic_stand_in import Answer, Request, StandIn, healthy, stored

ROOT = Path(__file__).parents[2]
CALLS, REQUESTS = 4, 2
"""Calls at a time, and the requests of each."""
RUNS = 20


class Withholding:
    """Answers when as many as there are calls have asked, and another green thread has run while they wait.

    Only the first call, which is alone, is answered at once. `runs`: a file that grows whenever that thread runs.
    """

    def __init__(self, runs: Path) -> None:
        self.asked: list[Request] = []
        self._runs = runs
        self._all = threading.Barrier(CALLS)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        if len(self.asked) > REQUESTS:
            self._all.wait(PATIENCE)
            before = self._runs.stat().st_size
            wait_until(lambda: self._runs.stat().st_size > before + RUNS, "another green thread runs")
        return healthy(stored)(request)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https, by fingerprint"])
def test_other_green_threads_run_while_calls_wait(tmp_path: Path, tls: bool) -> None:
    settings, context, runs = {}, None, tmp_path / "runs"
    runs.touch()
    if tls:
        need(shutil.which("openssl"), "openssl")
        ours = authority(tmp_path, "ours")
        settings, context = {"es_ca_fingerprint": ours.fingerprint}, ours.server("localhost")
    answer = Withholding(runs)
    with StandIn(answer, tls=context) as server:
        arguments = json.dumps({"es_url": server.url, **settings}), str(runs)
        command = [sys.executable, "-W", "ignore", "-m", "tests.transcripts.green_elastic", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stderr
    assert len(answer.asked) == REQUESTS * (1 + CALLS)
