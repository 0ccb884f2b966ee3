"""Elasticsearch for tests: asking it plainly, and a node of one's own that can be stopped and started."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.running_server import PATIENCE, wait_until


def ask(url: str, method: str, path: str, body: object = None) -> Any:
    """One request, without a client library. The parsed answer; of an error, too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)


def everything(url: str, index: str) -> dict[str, dict[str, Any]]:
    """All documents of an index by their id, each as a hit with its version."""
    ask(url, "POST", f"/{index}/_refresh")
    answer = ask(url, "POST", f"/{index}/_search", {"size": 10_000, "version": True, "track_total_hits": True})
    if "hits" not in answer:
        return {}
    hits = answer["hits"]["hits"]
    assert answer["hits"]["total"]["value"] == len(hits)
    return {hit["_id"]: hit for hit in hits}


def remove(url: str, index: str) -> None:
    """The index and its template."""
    ask(url, "DELETE", f"/{index}")
    ask(url, "DELETE", f"/_index_template/{index}-template")


class Node:
    """A node in a folder of its own, run by the tool that `TEST_ES_TOOL` names."""

    def __init__(self, tool: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._tool = tool
        self._port = port
        self._folder = tempfile.TemporaryDirectory(prefix="es-", dir="/tmp", ignore_cleanup_errors=True)
        # Elasticsearch runs as a user of its own, who has to get there.
        Path(self._folder.name).chmod(0o755)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Do something else while it starts; at the end it is up."""
        start = threading.Thread(target=self.start)
        start.start()
        try:
            yield
        finally:
            start.join()

    def start(self) -> None:
        self._do("start", self._folder.name, "--port", str(self._port))
        wait_until(self._is_up, "Elasticsearch answers", PATIENCE * 6)

    def stop(self) -> None:
        self._do("stop", self._folder.name)

    def remove(self) -> None:
        self.stop()
        self._folder.cleanup()

    def _do(self, *arguments: str) -> None:
        command = ["bash", self._tool, *arguments]
        # The quick compiler only: a test's node is started more often than it is used.
        environment = {**os.environ, "ES_JAVA_OPTS": "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1"}
        subprocess.run(command, check=True, timeout=10 * PATIENCE, stdout=subprocess.DEVNULL, env=environment)

    def _is_up(self) -> bool:
        try:
            return bool(ask(self.url, "GET", "/_cluster/health").get("status") in ("green", "yellow"))
        except OSError:
            return False
