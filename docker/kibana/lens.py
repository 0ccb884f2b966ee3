"""Lens charts as Kibana keeps them in a dashboard: the columns of one layer, and how they are drawn.

The shapes are those of Kibana 8.9 to 8.11, which later versions migrate by themselves; where they were read is
in docs/decisions/kibana-objects.md.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
RECORDS = "___records___"
BARS = ("bar_stacked", "bar_horizontal", "bar_horizontal_stacked", "line")


def query(kql: str) -> Json:
    return {"query": kql, "language": "kuery"}


def conjunction(names: list[str], queries: dict[str, str]) -> str:
    """The KQL of all named queries together."""
    parts = [queries[name] for name in names]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)


class Layer:
    """The columns of one chart: first what divides the documents, then what is counted of each part."""

    def __init__(self, panel: Json, queries: dict[str, str]) -> None:
        self._queries = queries
        self.columns: dict[str, Json] = {}
        self.buckets = {role: role for role in ("split", "across") if role in panel}
        self.metrics = [f"show-{number}" for number in range(len(panel["show"]))]
        # Kibana nests buckets in this order; the split goes outside, so that its top values are those of the whole.
        for role in self.buckets:
            self.columns[role] = self._bucket(panel[role])
        for name, what in zip(self.metrics, panel["show"], strict=True):
            self._metric(name, what)

    def state(self) -> Json:
        return {
            "columns": self.columns, "columnOrder": list(self.columns), "incompleteColumns": {}, "sampling": 1,
            "ignoreGlobalFilters": False,
        }  # fmt: skip

    def _bucket(self, what: Json) -> Json:
        if "time" in what:
            return {
                "label": what["time"], "dataType": "date", "operationType": "date_histogram",
                "sourceField": what["time"], "isBucketed": True, "scale": "interval",
                "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
            }  # fmt: skip
        if "filters" in what:
            named = what["filters"].items()
            filters = [{"input": query(self._queries[name]), "label": label} for label, name in named]
            return {
                "label": what["label"], "customLabel": True, "dataType": "string", "operationType": "filters",
                "isBucketed": True, "scale": "ordinal", "params": {"filters": filters},
            }  # fmt: skip
        return {
            "label": what["label"], "customLabel": True, "dataType": "string", "operationType": "terms",
            "sourceField": what["top"], "isBucketed": True, "scale": "ordinal",
            "params": {
                "size": what["size"], "orderBy": {"type": "column", "columnId": self.metrics[what.get("by", 0)]},
                "orderDirection": "desc", "otherBucket": False, "missingBucket": False,
                "parentFormat": {"id": "terms"},
                "include": [], "exclude": [], "includeIsRegex": False, "excludeIsRegex": False,
            },
        }  # fmt: skip

    def _metric(self, name: str, what: Json) -> None:
        if what["function"] == "share":
            self._share(name, what["label"], self._queries[what["where"]])
            return
        operation = {"unique": "unique_count", "last": "max"}.get(what["function"], what["function"])
        column = {
            "label": what["label"], "customLabel": True, "dataType": "date" if what["function"] == "last" else "number",
            "operationType": operation, "sourceField": what.get("field", RECORDS), "isBucketed": False,
            "scale": "ratio", "params": {},
        }  # fmt: skip
        if operation in ("count", "sum", "unique_count"):
            column["params"] = {"emptyAsNull": False}
        if operation == "percentile":
            column["params"] = {"percentile": what["percentile"]}
        if "where" in what:
            column["filter"] = query(self._queries[what["where"]])
        self.columns[name] = column

    def _share(self, name: str, label: str, kql: str) -> None:
        """A formula, `count(kql='…') / count()`, and the three hidden columns that Kibana makes of it."""
        formula = f"count(kql='{kql}') / count()"
        part = {"label": f"Part of {label}", "customLabel": True, "dataType": "number", "isBucketed": False}
        part["scale"] = "ratio"
        count = {**part, "operationType": "count", "sourceField": RECORDS, "params": {"emptyAsNull": False}}
        division = {
            "type": "function", "name": "divide", "args": [f"{name}X0", f"{name}X1"],
            "location": {"min": 0, "max": len(formula)}, "text": formula,
        }  # fmt: skip
        self.columns[f"{name}X0"] = {**count, "filter": query(kql)}
        self.columns[f"{name}X1"] = count
        self.columns[f"{name}X2"] = {
            **part, "operationType": "math", "params": {"tinymathAst": division},
            "references": [f"{name}X0", f"{name}X1"],
        }  # fmt: skip
        self.columns[name] = {
            "label": label, "customLabel": True, "dataType": "number", "operationType": "formula",
            "isBucketed": False, "scale": "ratio", "references": [f"{name}X2"],
            "params": {
                "formula": formula, "isFormulaBroken": False,
                "format": {"id": "percent", "params": {"decimals": 1}},
            },
        }  # fmt: skip


def drawing(kind: str, layer_id: str, layer: Layer) -> tuple[str, Json]:
    """The type of a visualization and its state."""
    head = {"layerId": layer_id, "layerType": "data"}
    if kind == "metric":
        return "lnsMetric", {**head, "metricAccessor": layer.metrics[0], "showBar": False}
    if kind == "table":
        columns = [{"columnId": name, "isTransposed": False, "isMetric": False} for name in layer.buckets]
        columns += [{"columnId": name, "isTransposed": False, "isMetric": True} for name in layer.metrics]
        return "lnsDatatable", {**head, "columns": columns}
    if kind not in BARS:
        raise ValueError(f"no such kind of chart: {kind}")
    chart = {**head, "seriesType": kind, "accessors": layer.metrics, "xAccessor": "across"}
    if "split" in layer.buckets:
        chart["splitAccessor"] = "split"
    several = "split" in layer.buckets or len(layer.metrics) > 1
    return "lnsXY", {
        "legend": {"isVisible": several, "position": "bottom"}, "valueLabels": "hide", "fittingFunction": "Linear",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
        "tickLabelsVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
        "gridlinesVisibilitySettings": {"x": False, "yLeft": True, "yRight": True},
        "yLeftExtent": {"mode": "full"}, "yRightExtent": {"mode": "full"},
        "preferredSeriesType": kind, "layers": [chart],
    }  # fmt: skip
