#!/usr/bin/env python3
"""Make objects.ndjson, what Kibana imports, of dashboard.toml: `python docker/kibana/build.py [FILE]`.

Needs nothing but Python. The same source gives the same bytes, with ids that never change, so that importing again
replaces what was there.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from lens import Json, Layer, conjunction, drawing, query

HERE = Path(__file__).resolve().parent
PANEL_VERSION = "8.9.0"


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def saved_object(kind: str, version: str, name: str, attributes: Json, references: list[Json]) -> Json:
    """`version`: of the type's shape. Old ones on purpose: Kibana migrates upwards, and refuses what is newer."""
    return {
        "type": kind, "id": name, "attributes": attributes, "references": references, "managed": False,
        "coreMigrationVersion": "8.8.0", "typeMigrationVersion": version,
    }  # fmt: skip


def data_view(view: Json) -> Json:
    formats = {
        field: {"id": "duration", "params": {
            "inputFormat": unit, "outputFormat": "asSeconds", "outputPrecision": 1,
            "showSuffix": True, "useShortSuffix": True, "includeSpaceWithSuffix": True,
        }}
        for field, unit in view["durations"].items()
    }  # fmt: skip
    attributes = {
        "title": view["index"], "name": view["name"], "timeFieldName": view["time"], "fields": "[]", "typeMeta": "{}",
        "fieldAttrs": "{}", "fieldFormatMap": compact(formats), "runtimeFieldMap": "{}", "sourceFilters": "[]",
    }  # fmt: skip
    return saved_object("index-pattern", "8.0.0", view["id"], attributes, [])


def saved_search(search: Json, source: Json) -> Json:
    reference = "kibanaSavedObjectMeta.searchSourceJSON.index"
    kql = conjunction(search["where"], source["queries"])
    attributes = {
        "title": search["title"], "description": search["about"],
        "columns": search["columns"], "sort": search["sort"],
        "grid": {"columns": {name: {"width": width} for name, width in search["widths"].items()}},
        "hideChart": True, "isTextBasedQuery": False, "timeRestore": False,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": compact({"query": query(kql), "filter": [], "indexRefName": reference})
        },
    }  # fmt: skip
    references = [{"type": "index-pattern", "id": source["data_view"]["id"], "name": reference}]
    return saved_object("search", "8.0.0", search["id"], attributes, references)


def panel_of_a_search(panel: Json) -> tuple[Json, list[Json]]:
    name = f"panel_{panel['name']}"
    reference = {"type": "search", "id": panel["search"], "name": f"{panel['name']}:{name}"}
    return {"type": "search", "embeddableConfig": {"enhancements": {}}, "panelRefName": name}, [reference]


def panel_of_a_chart(panel: Json, source: Json) -> tuple[Json, list[Json]]:
    layer_id = f"{panel['name']}-layer"
    layer = Layer(panel, source["queries"])
    visualization_type, visualization = drawing(panel["kind"], layer_id, layer)
    reference = {"type": "index-pattern", "id": source["data_view"]["id"]}
    inside = {**reference, "name": f"indexpattern-datasource-layer-{layer_id}"}
    attributes = {
        "title": panel["title"], "description": panel["about"], "type": "lens",
        "visualizationType": visualization_type, "references": [inside],
        "state": {
            "visualization": visualization,
            "query": query(conjunction(panel["where"], source["queries"]) if "where" in panel else ""),
            "filters": [], "internalReferences": [], "adHocDataViews": {},
            "datasourceStates": {"formBased": {"layers": {layer_id: layer.state()}}, "textBased": {"layers": {}}},
        },
    }  # fmt: skip
    outside = {**reference, "name": f"{panel['name']}:{inside['name']}"}
    return {"type": "lens", "embeddableConfig": {"attributes": attributes, "enhancements": {}}}, [outside]


def dashboard(source: Json) -> Json:
    panels, references = [], []
    for panel in source["panel"]:
        search = panel["kind"] == "search"
        content, needed = panel_of_a_search(panel) if search else panel_of_a_chart(panel, source)
        grid = dict(zip("xywh", panel["at"], strict=True), i=panel["name"])
        panels.append(
            {
                "version": PANEL_VERSION, "gridData": grid, "panelIndex": panel["name"], "title": panel["title"],
                **content,
            }
        )  # fmt: skip
        references += needed
    about = source["dashboard"]
    options = {
        "useMargins": True, "syncColors": False, "syncCursor": True, "syncTooltips": False, "hidePanelTitles": False,
    }  # fmt: skip
    attributes = {
        "title": about["title"], "description": about["about"], "version": 1,
        "timeRestore": True, "timeFrom": about["time"][0], "timeTo": about["time"][1],
        "refreshInterval": {"pause": True, "value": 60000},
        "optionsJSON": compact(options), "panelsJSON": compact(panels),
        "kibanaSavedObjectMeta": {"searchSourceJSON": compact({"query": query(""), "filter": []})},
    }  # fmt: skip
    return saved_object("dashboard", "10.2.0", about["id"], attributes, references)


def build(source: Json) -> str:
    """The file's text. `source`: what dashboard.toml says; its queries may stand on several lines."""
    source = {**source, "queries": {name: " ".join(kql.split()) for name, kql in source["queries"].items()}}
    searches = [saved_search(search, source) for search in source["search"]]
    objects = [data_view(source["data_view"]), *searches, dashboard(source)]
    return "".join(f"{compact(each)}\n" for each in objects)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "objects.ndjson"
    made = build(tomllib.loads((HERE / "dashboard.toml").read_text(encoding="utf-8")))
    target.write_text(made, encoding="utf-8", newline="\n")
