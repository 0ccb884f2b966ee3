"""What is committed for Kibana, taken apart, and the fields that it may name."""

from __future__ import annotations

import json
from typing import Any

from app.transcripts.kibana import OBJECTS as FILE
from app.transcripts.records import FIELDS

Json = dict[str, Any]

OBJECTS: list[Json] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
SEARCHES = [item for item in OBJECTS if item["type"] == "search"]
(VIEW,) = (item for item in OBJECTS if item["type"] == "index-pattern")
(DASHBOARD,) = (item for item in OBJECTS if item["type"] == "dashboard")
PANELS: list[Json] = json.loads(DASHBOARD["attributes"]["panelsJSON"])
CHARTS = [panel for panel in PANELS if panel["type"] == "lens"]
TYPES = {field.name: field.type for field in FIELDS}
