"""What Kibana would ask Elasticsearch for a Lens chart of the dashboard, and the table that it would draw.

After Lens's form-based data source (x-pack/platform/plugins/shared/lens) and the aggregations of its data plugin.
Where Kibana chooses an interval by the time range, the tests choose `INTERVAL`.
"""

from __future__ import annotations

import operator
from typing import Any

from tests.transcripts.kql import Json, Kql

HOURS = 12
INTERVAL = f"{HOURS}h"
RECORDS = "___records___"
SIMPLE = {"sum": "sum", "max": "max", "min": "min", "average": "avg", "unique_count": "cardinality"}
MATH = {"divide": operator.truediv, "multiply": operator.mul, "add": operator.add, "subtract": operator.sub}


class LensChart:
    """One chart by value, as it stands in the dashboard's panel. `types`: of every field of the index."""

    def __init__(self, attributes: Json, types: dict[str, str]) -> None:
        self._types = types
        state = attributes["state"]
        self.kql = Kql(state["query"]["query"], types)
        ((self.layer_id, layer),) = state["datasourceStates"]["formBased"]["layers"].items()
        self.columns: dict[str, Json] = {name: layer["columns"][name] for name in layer["columnOrder"]}
        assert set(layer["columns"]) == set(self.columns)
        self.buckets = [name for name, column in self.columns.items() if column["isBucketed"]]
        self.metrics = [name for name in self.columns if name not in self.buckets]

    def search(self, start: str, end: str) -> Json:
        """The body of `_search`, for documents from `start` to `end`."""
        between = {"range": {"@timestamp": {"gte": start, "lte": end}}}
        aggregations = self._metric_aggregations()
        for name in reversed(self.buckets):
            inner = {"aggs": aggregations} if aggregations else {}
            aggregations = {name: {**self._bucket(self.columns[name]), **inner}}
        query = {"bool": {"filter": [self.kql.query, between]}}
        return {"size": 0, "track_total_hits": True, "query": query, "aggs": aggregations}

    def rows(self, answer: Json) -> list[dict[str, Any]]:
        """The table: a row for each innermost bucket, by the columns' labels."""
        top = {"doc_count": answer["hits"]["total"]["value"], **answer.get("aggregations", {})}
        return list(self._rows(top, self.buckets, {}))

    def fields(self) -> dict[str, set[str]]:
        """Every field that is used, and for what."""
        used: dict[str, set[str]] = {}
        queries = [self.kql]
        for column in self.columns.values():
            if column.get("sourceField", RECORDS) != RECORDS:
                used.setdefault(column["sourceField"], set()).add(column["operationType"])
            named = [each["input"] for each in column.get("params", {}).get("filters", [])]
            queries += [Kql(each["query"], self._types) for each in [*named, *filter(None, [column.get("filter")])]]
        for query in queries:
            for name in query.fields:
                used.setdefault(name, set()).add("query")
        return used

    def _rows(self, bucket: Json, left: list[str], row: Json) -> Any:
        if not left:
            yield {**row, **{self._label(name): self._value(name, bucket) for name in self._shown()}}
            return
        name, *others = left
        inner = bucket[name]["buckets"]
        for key, each in inner.items() if isinstance(inner, dict) else ((each["key"], each) for each in inner):
            yield from self._rows(each, others, {**row, self._label(name): key})

    def _label(self, name: str) -> str:
        return str(self.columns[name]["label"])

    def _shown(self) -> list[str]:
        hidden = {reference for column in self.columns.values() for reference in column.get("references", [])}
        return [name for name in self.metrics if name not in hidden]

    def _bucket(self, column: Json) -> Json:
        params = column["params"]
        match column["operationType"]:
            case "date_histogram":
                interval = INTERVAL if params["interval"] == "auto" else params["interval"]
                field = column["sourceField"]
                return {"date_histogram": {"field": field, "fixed_interval": interval, "time_zone": "UTC",
                                           "min_doc_count": 1}}  # fmt: skip
            case "filters":
                queries = {each["label"]: Kql(each["input"]["query"], self._types).query for each in params["filters"]}
                return {"filters": {"filters": queries}}
            case "terms":
                by = params["orderBy"]["columnId"]
                counted = self.columns[by]["operationType"] == "count"
                order = {"_count" if counted else by: params["orderDirection"]}
                return {"terms": {"field": column["sourceField"], "size": params["size"], "order": order}}
        raise AssertionError(f"no such bucket: {column['operationType']}")

    def _metric_aggregations(self) -> Json:
        found: Json = {}
        for name in self.metrics:
            column = self.columns[name]
            kind = column["operationType"]
            inner = None
            if kind in SIMPLE:
                inner = {SIMPLE[kind]: {"field": column["sourceField"]}}
            elif kind == "percentile":
                inner = {"percentiles": {"field": column["sourceField"], "percents": [column["params"]["percentile"]]}}
            else:
                assert kind in ("count", "formula", "math"), kind
            if "filter" in column:
                filtered: Json = {"filter": Kql(column["filter"]["query"], self._types).query}
                found[name] = {**filtered, "aggs": {"inner": inner}} if inner else filtered
            elif inner:
                found[name] = inner
        return found

    def _value(self, name: str, bucket: Json) -> Any:
        column = self.columns[name]
        match column["operationType"]:
            case "formula":
                (result,) = column["references"]
                return self._value(result, bucket)
            case "math":
                return self._math(column["params"]["tinymathAst"], bucket)
        inner = bucket.get(name, bucket)
        if column["operationType"] == "count":
            return inner["doc_count"]
        inner = inner["inner"] if "filter" in column else inner
        return next(iter(inner["values"].values())) if "values" in inner else inner["value"]

    def _math(self, node: Any, bucket: Json) -> Any:
        if isinstance(node, str):
            return self._value(node, bucket)
        if not isinstance(node, dict):
            return node
        left, right = (self._math(each, bucket) for each in node["args"])
        return MATH[node["name"]](left, right)
