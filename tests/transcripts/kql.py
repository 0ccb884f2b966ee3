"""KQL to Elasticsearch's query language, as Kibana translates it: the part of KQL that the dashboard uses.

After kbn-es-query/src/kuery in Kibana's repository: a keyword is a `term`, another field `match_phrase` if the value
is quoted, `*` is `exists`, `<` is a `range`; `and` binds stronger than `or`.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(<=|>=|[:<>()])|([^\s:<>()"]+))')
RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


class Kql:
    """`query` and `fields` of a text. `types`: of every field, by its name."""

    def __init__(self, text: str, types: dict[str, str]) -> None:
        self._types = types
        self.fields: set[str] = set()
        self._tokens = [next(filter(None, match)) for match in TOKEN.findall(text)]
        assert "".join(self._tokens) == "".join(re.findall(r'"[^"]*"|\S', text)), f"not understood: {text}"
        self.query: Json = self._or() if self._tokens else {"match_all": {}}
        assert not self._tokens, f"{text}: what is {self._tokens}?"

    def _next(self, *wanted: str) -> str:
        token = self._tokens.pop(0)
        assert not wanted or token in wanted, f"{token} instead of {wanted}"
        return token

    def _while(self, word: str, part: Any) -> list[Json]:
        parts = [part()]
        while self._tokens and self._tokens[0] == word:
            self._next()
            parts.append(part())
        return parts

    def _or(self) -> Json:
        parts = self._while("or", self._and)
        return parts[0] if len(parts) == 1 else {"bool": {"should": parts, "minimum_should_match": 1}}

    def _and(self) -> Json:
        parts = self._while("and", self._term)
        return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}

    def _term(self) -> Json:
        if self._tokens[0] == "not":
            self._next()
            return {"bool": {"must_not": [self._term()]}}
        if self._tokens[0] == "(":
            self._next()
            inside = self._or()
            self._next(")")
            return inside
        name = self._next()
        self.fields.add(name)
        operator = self._next(":", *RANGES)
        if operator in RANGES:
            return {"range": {name: {RANGES[operator]: self._next()}}}
        if self._tokens[0] != "(":
            return self._is(name, self._next())
        self._next()
        values = self._while("or", lambda: self._is(name, self._next()))
        self._next(")")
        return {"bool": {"should": values, "minimum_should_match": 1}}

    def _is(self, name: str, value: str) -> Json:
        if value == "*":
            return {"exists": {"field": name}}
        kind = "term" if self._types.get(name) == "keyword" else "match_phrase" if value.startswith('"') else "match"
        return {kind: {name: value.strip('"')}}
