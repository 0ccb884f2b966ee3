"""What Kibana imports: built from its source, whole in itself, and about fields that the documents have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.transcripts.kibana_objects import CHARTS, DASHBOARD, FILE, OBJECTS, PANELS, SEARCHES, TYPES, VIEW
from tests.transcripts.kql import Kql
from tests.transcripts.lens import LensChart

ROOT = Path(__file__).resolve().parent.parent.parent
NUMBERS = {"long", "integer", "float", "double"}
FITTING = {
    "date_histogram": {"date"}, "terms": {"keyword", "ip", "boolean", *NUMBERS}, "sum": NUMBERS, "percentile": NUMBERS,
    "max": {"date", *NUMBERS}, "unique_count": {"keyword", "ip", "date", *NUMBERS}, "query": set(TYPES.values()),
}  # fmt: skip
"""The types of Elasticsearch that an operation of Lens takes."""

of_charts = pytest.mark.parametrize("panel", CHARTS, ids=[panel["panelIndex"] for panel in CHARTS])
of_searches = pytest.mark.parametrize("search", SEARCHES, ids=[item["id"] for item in SEARCHES])


def chart(panel: dict[str, Any]) -> LensChart:
    return LensChart(panel["embeddableConfig"]["attributes"], TYPES)


def strings_of_json(value: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name.endswith("JSON"):
            yield name, inner
        yield from strings_of_json(inner)


def test_the_committed_file_is_what_its_source_builds(tmp_path: Path) -> None:
    built = tmp_path / "objects.ndjson"
    subprocess.run([sys.executable, ROOT / "docker" / "kibana" / "build.py", built], check=True, timeout=60)
    assert built.read_bytes() == FILE.read_bytes(), "run python docker/kibana/build.py and commit"


def test_the_types_have_the_old_versions_that_every_kibana_migrates_up() -> None:
    versions = {item["type"]: item["typeMigrationVersion"] for item in OBJECTS}
    assert versions == {"index-pattern": "8.0.0", "search": "8.0.0", "dashboard": "10.2.0"}
    assert {item["coreMigrationVersion"] for item in OBJECTS} == {"8.8.0"}
    assert {panel["version"] for panel in PANELS} == {"8.9.0"}


def test_the_data_view_is_over_the_default_index_and_its_time() -> None:
    assert VIEW["attributes"]["title"] == Settings.model_fields["es_index"].default
    assert TYPES[VIEW["attributes"]["timeFieldName"]] == "date"
    for field in json.loads(VIEW["attributes"]["fieldFormatMap"]):
        assert TYPES[field] in NUMBERS


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item["id"])
def test_every_attribute_of_json_is_a_string_of_it(item: dict[str, Any]) -> None:
    for name, value in strings_of_json(item["attributes"]):
        assert isinstance(value, str), name
        json.loads(value)


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item["id"])
def test_every_reference_is_to_an_object_of_the_file(item: dict[str, Any]) -> None:
    there = {(other["type"], other["id"]) for other in OBJECTS}
    assert {(reference["type"], reference["id"]) for reference in item["references"]} <= there
    names = [reference["name"] for reference in item["references"]]
    assert len(names) == len(set(names))


def test_every_panel_has_its_references_inside_and_at_the_top_and_none_is_left_over() -> None:
    expected = set()
    for panel in PANELS:
        name = panel["panelIndex"]
        if panel["type"] == "search":
            expected.add(("search", f"{name}:{panel['panelRefName']}"))
            continue
        inside = panel["embeddableConfig"]["attributes"]["references"]
        assert [(each["type"], each["id"]) for each in inside] == [("index-pattern", VIEW["id"])]
        assert inside[0]["name"] == f"indexpattern-datasource-layer-{chart(panel).layer_id}"
        expected |= {(each["type"], f"{name}:{each['name']}") for each in inside}
    assert {(each["type"], each["name"]) for each in DASHBOARD["references"]} == expected


def test_the_panels_are_inside_the_grid_and_none_is_over_another() -> None:
    cells: dict[str, set[tuple[int, int]]] = {}
    for panel in PANELS:
        grid = panel["gridData"]
        assert grid["i"] == panel["panelIndex"]
        assert 0 <= grid["x"] < grid["x"] + grid["w"] <= 48
        rows = range(grid["y"], grid["y"] + grid["h"])
        cells[grid["i"]] = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in rows}
    assert len(cells) == len(PANELS)
    for (name, one), (other, two) in combinations(cells.items(), 2):
        assert not one & two, f"{name} and {other} overlap"
    covered = set().union(*cells.values())
    assert len(covered) == 48 * (1 + max(y for _, y in covered)), "the grid has a hole"


@of_charts
def test_every_field_of_a_chart_is_in_the_mapping_with_a_type_that_fits(panel: dict[str, Any]) -> None:
    for field, operations in chart(panel).fields().items():
        assert field in TYPES, f"{field} is in no document"
        for operation in operations:
            assert TYPES[field] in FITTING[operation], f"{operation} of {field}, which is {TYPES[field]}"


@of_charts
def test_a_chart_draws_the_columns_that_it_has_and_orders_by_one_of_them(panel: dict[str, Any]) -> None:
    lens = chart(panel)
    state = panel["embeddableConfig"]["attributes"]["state"]["visualization"]
    (drawn,) = state.get("layers", [state])
    assert drawn["layerId"] == lens.layer_id
    names = [drawn.get(name) for name in ("xAccessor", "splitAccessor", "metricAccessor")]
    names += [*drawn.get("accessors", []), *(column["columnId"] for column in drawn.get("columns", []))]
    hidden = {name for column in lens.columns.values() for name in column.get("references", [])}
    assert sorted(filter(None, names)) == sorted(set(lens.columns) - hidden)
    for column in lens.columns.values():
        assert set(column.get("references", [])) <= set(lens.columns)
        if column["operationType"] == "terms":
            assert column["params"]["orderBy"]["columnId"] in lens.metrics
        if column["operationType"] == "count":
            assert column["sourceField"] == "___records___"


@of_charts
def test_a_formula_says_what_its_hidden_columns_count(panel: dict[str, Any]) -> None:
    columns = chart(panel).columns
    for name, column in columns.items():
        if column["operationType"] == "formula":
            part, whole, math = (columns[f"{name}X{number}"] for number in range(3))
            formula = f"count(kql='{part['filter']['query']}') / count()"
            assert column["params"]["formula"] == math["params"]["tinymathAst"]["text"] == formula
            assert math["params"]["tinymathAst"]["location"] == {"min": 0, "max": len(formula)}
            assert "filter" not in whole
            assert "'" not in part["filter"]["query"]


@of_charts
def test_a_chart_says_what_it_answers(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["embeddableConfig"]["attributes"]["description"].endswith((".", ";"))


@of_searches
def test_every_field_of_a_search_is_in_the_mapping_and_it_can_be_sorted(search: dict[str, Any]) -> None:
    attributes = search["attributes"]
    kql = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    assert {*attributes["columns"], *attributes["grid"]["columns"], *Kql(kql, TYPES).fields} <= set(TYPES)
    assert set(attributes["grid"]["columns"]) <= set(attributes["columns"])
    assert all(TYPES[field] in {"date", "keyword", *NUMBERS} for field, _ in attributes["sort"])


@pytest.mark.parametrize("panel", PANELS, ids=[panel["panelIndex"] for panel in PANELS])
def test_every_panel_stands_in_the_document_about_kibana(panel: dict[str, Any]) -> None:
    assert f"\n| {panel['title']} |" in (ROOT / "docs" / "kibana.md").read_text(encoding="utf-8")
