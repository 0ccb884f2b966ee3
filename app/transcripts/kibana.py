"""Brings the data view, the searches and the dashboard into Kibana, through its API for saved objects.

The objects are docker/kibana/objects.ndjson. Kibana answers 200 also when it took none of them; what counts is
in the body: https://www.elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-import
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.kibana_access import (
    KibanaError,
    NotReadyError,
    address_of,
    credentials_of,
    not_kibana,
    refused,
    refused_object,
    unreachable,
    words_of,
)

OBJECTS = Path(__file__).resolve().parent.parent.parent / "docker" / "kibana" / "objects.ndjson"
TELL_AGAIN = 15.0
"""Seconds of waiting after which the same line comes again."""
TIMEOUT = httpx2.Timeout(60, connect=10)
NOT_READY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


class Kibana:
    """One Kibana, as the settings name it. `tell` hears what happens, a line each; `pause` is in seconds."""

    def __init__(self, settings: ElasticsearchSettings, tell: Callable[[str], None], pause: float = 2) -> None:
        self.address = address_of(settings.kibana_url)
        self._tell = tell
        self._pause = pause
        headers, auth = credentials_of(settings)
        self._client = httpx2.Client(headers={"kbn-xsrf": "true", **headers}, auth=auth, timeout=TIMEOUT)

    def wait_until_ready(self, seconds: float) -> None:
        """Return once Kibana is up. Raises `KibanaError`, at once for what waiting does not mend."""
        deadline = time.monotonic() + seconds
        told, told_at = "", 0.0
        while True:
            try:
                self._check_status()
                return
            except NotReadyError as error:
                now = time.monotonic()
                if now >= deadline:
                    raise
                if str(error) != told or now - told_at >= TELL_AGAIN:
                    told, told_at = str(error), now
                    self._tell(f"{told}; waiting for up to {deadline - now:.0f} s")
            time.sleep(self._pause)

    def load(self, objects: bytes) -> str:
        """Import the objects; those that are there are replaced. The dashboard's address.

        `objects` is NDJSON. Raises `KibanaError` with a line for each object that was not taken.
        """
        files = {"file": ("objects.ndjson", objects, "application/ndjson")}
        answer = self._ask("POST", "/api/saved_objects/_import", params={"overwrite": "true"}, files=files)
        result = self._json(answer)
        if result.get("success") is not True:
            lines = [refused_object(error) for error in result.get("errors") or []]
            lines = lines or [f"it says neither success nor why not: {words_of(answer)}"]
            raise KibanaError("\n    ".join(["Kibana did not take all objects:", *lines]))
        self._tell(f"{result.get('successCount')} objects imported")
        # In a second space of the same Kibana the objects get ids of their own.
        taken = [item for item in result.get("successResults") or [] if item.get("type") == "dashboard"]
        views = [f"#/view/{item.get('destinationId') or item.get('id')}" for item in taken]
        return f"{self.address}/app/dashboards{''.join(views[:1])}"

    def _check_status(self) -> None:
        answer = self._ask("GET", "/api/status")
        status = self._json(answer).get("status")
        overall = status.get("overall") if isinstance(status, dict) else None
        if not isinstance(overall, dict):
            raise not_kibana(self.address, answer)
        level = overall.get("level")
        if level not in ("available", "degraded"):
            raise NotReadyError(f"Kibana at {self.address} is {level}")

    def _ask(self, method: str, path: str, **content: Any) -> httpx2.Response:
        try:
            answer = self._client.request(method, f"{self.address}{path}", **content)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise unreachable(self.address, error) from error
        if answer.status_code in NOT_READY:
            raise NotReadyError(f"Kibana at {self.address} is not ready yet ({answer.status_code})")
        if not answer.is_success:
            raise refused(self.address, answer)
        return answer

    def _json(self, answer: httpx2.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise not_kibana(self.address, answer)
        return content


def objects_for(index: str, path: Path = OBJECTS) -> bytes:
    """The objects to import, their data view over `index` (a name or a pattern)."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise KibanaError(f"{path} cannot be read ({error.strerror}); it belongs to this project's files") from error
    for item in lines:
        if item["type"] == "index-pattern":
            item["attributes"]["title"] = index
    return "".join(f"{json.dumps(item)}\n" for item in lines).encode()
