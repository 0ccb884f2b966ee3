"""Under eventlet a call of Elasticsearch holds up its own green thread and no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import need
from tests.transcripts.certificates import authority
from tests.transcripts.elastic_stand_in import Answer, Request, StandIn, healthy, stored

ROOT = Path(__file__).parents[2]
SLOW = 0.5
"""Seconds that the server takes for an answer; a check takes two."""


def slowly(request: Request) -> Answer:
    time.sleep(SLOW)
    return healthy(stored)(request)


def measured(settings: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.transcripts.green_elastic", json.dumps(settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https, by fingerprint"])
def test_other_green_threads_run_while_calls_wait(tmp_path: Path, tls: bool) -> None:
    settings, context = {}, None
    if tls:
        need(shutil.which("openssl"), "openssl")
        ours = authority(tmp_path, "ours")
        settings, context = {"es_ca_fingerprint": ours.fingerprint}, ours.server("localhost")
    with StandIn(slowly, tls=context) as server:
        figures = measured({"es_url": server.url, **settings})
    print(f"4 calls: {figures['seconds']:.2f} s, longest hold-up {figures['longest'] * 1000:.0f} ms")
    assert figures["seconds"] < 4 * 2 * SLOW
    assert figures["longest"] < SLOW / 2
