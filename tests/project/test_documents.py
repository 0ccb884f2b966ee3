"""The documents name what the code has: settings, error codes, events, fields, metrics; their links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from app.chat.interfaces import Status
from app.chat.turns import Turn, TurnError, TurnState
from app.errors import Code
from app.settings import Settings
from app.web.metrics import Metrics
from ws.emitter import finished_payload, turn_payload

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SETTINGS = sorted(name.upper() for name in Settings.model_fields)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.M | re.S)

TURN = Turn(
    "turn", "conversation", "user", 0, "client", "text", 0, state=TurnState.FAILED, corrected=True,
    reasoning={"text": "A thought.", "seconds": 1.5}, error=TurnError("internal", "A sentence."),
)  # fmt: skip
"""A turn of which every payload has every field."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(name: str) -> ast.Module:
    return ast.parse(text_of(name))


def handled_events() -> set[str]:
    """The keys of the namespace's table of events."""
    for node in ast.walk(tree_of("ws/namespace.py")):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.value, ast.Dict)
            and ast.unparse(node.target) == "self._events"
        ):
            return {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError("ws/namespace.py has no table of events any more")


def emitted_events() -> set[str]:
    """The first arguments of all `self._emit(…)`."""
    names = set()
    for module in ("ws/emitter.py", "ws/namespace.py"):
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._emit":
                assert isinstance(node.args[0], ast.Constant), f"{module}: an event's name is written out"
                names.add(str(node.args[0].value))
    return names


def fields_in(module: str, function: str) -> set[str]:
    """The keys that a function of `module` writes: of its dictionaries and of `payload["…"] = …`."""
    found = next(node for node in ast.walk(tree_of(module)) if getattr(node, "name", None) == function)
    names = set()
    for node in ast.walk(found):
        if isinstance(node, ast.Dict):
            names |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            names.add(str(node.slice.value))
    return names


def metric_series() -> set[str]:
    """The names as they are exposed: those of `Metrics`, and those that the house adds with `watch`."""
    metrics = Metrics()
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.registry.collect()
    }
    for path in [*ROOT.glob("app/**/*.py"), *ROOT.glob("ws/**/*.py")]:
        names |= set(re.findall(r"\.watch\(\s*\"(\w+)\"", path.read_text(encoding="utf-8")))
    return names


def fenced(document: str, language: str) -> list[str]:
    """The blocks of a language in a document."""
    return [body for _, kind, body in FENCED.findall(text_of(document)) if kind == language]


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors of a document as they are made from its headings, and those it sets itself."""
    text = prose(path)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    made = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


def links() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        for target in LINK.findall(prose(path)):
            if not re.match(r"[a-z]+:", target):
                yield path, target


def test_every_setting_stands_in_the_example_with_its_default() -> None:
    lines = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text_of(".env.example"), re.M))
    assert sorted(lines) == SETTINGS
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        written = default.lower() if isinstance(field.default, bool) else default
        assert lines[name.upper()] == written, f"{name.upper()} stands in .env.example with another default"


def test_every_setting_has_a_row_in_its_document_and_no_row_is_left_over() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", text_of("docs/settings.md"), re.M)
    assert sorted(name for name, _ in rows) == SETTINGS
    for name, default in rows:
        value = Settings.model_fields[name.lower()].default
        if isinstance(value, (bool, int, float)):
            assert default.strip("` ") == str(value).lower(), f"{name} stands there with another default"


def test_the_readme_names_every_setting_by_what_it_is_for() -> None:
    settings = text_of("README.md").partition("## Settings")[2].partition("\n## ")[0]
    rows = [line for line in settings.splitlines() if line.startswith("|")]
    assert sorted(re.findall(r"`([A-Z_]+)`", "".join(rows))) == SETTINGS


@pytest.mark.parametrize("code", Code)
def test_every_error_code_is_explained_in_the_protocol(code: Code) -> None:
    assert f"\n| `{code}` |" in text_of("docs/protocol.md")


@pytest.mark.parametrize("event", sorted(handled_events() | emitted_events()))
def test_every_event_has_its_part_in_the_protocol_with_an_example(event: str) -> None:
    text = text_of("docs/protocol.md")
    assert f"\n### {event}\n" in text
    part = text.split(f"\n### {event}\n")[1].split("\n## ")[0].split("\n### ")[0]
    assert "```json" in part, f"{event} has no example"


@pytest.mark.parametrize("state", TurnState)
def test_every_state_of_a_turn_is_explained_in_the_protocol(state: TurnState) -> None:
    final = "yes" if state.final else "no"
    assert f"\n| `{state}` | {final} |" in text_of("docs/protocol.md")


def test_every_word_of_turn_status_is_explained_in_the_protocol() -> None:
    calls = [call for path in ROOT.glob("app/chat/*.py") for call in re.findall(r"\.status\((.*)", path.read_text())]
    words = {word for call in calls for word in re.findall(r'"(\w+)"', call)}
    words |= set(get_args(get_type_hints(Status)["state"]))
    assert {"queued", "thinking", "answering"} <= words
    part = text_of("docs/protocol.md").split("\n### turn_status\n")[1].split("\n### ")[0]
    assert words == set(re.findall(r"^\| `(\w+)` \|", part, re.M)) - {"state"}


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ("a turn", set(turn_payload(TURN))),
        ("turn_finished", set(finished_payload(TURN))),
        ("turn_finished, as written in the code", fields_in("ws/emitter.py", "finished_payload")),
        ("session", fields_in("ws/namespace.py", "_session")),
        ("resume", fields_in("ws/emitter.py", "resume_payload")),
        ("conversations", fields_in("ws/emitter.py", "past_payload")),
        ("turn_started", fields_in("ws/emitter.py", "started")),
        ("turn_status", fields_in("ws/emitter.py", "status")),
        ("turn_reasoning", fields_in("ws/emitter.py", "reasoning")),
        ("assistant_message", fields_in("ws/emitter.py", "piece")),
        ("turn_rated", fields_in("ws/namespace.py", "_feedback") - {"ok"}),
        ("an error", fields_in("ws/emitter.py", "error_payload")),
        ("limits", fields_in("ws/namespace.py", "__init__") - handled_events()),
    ],
)
def test_every_field_of_a_payload_stands_in_the_protocol(payload: str, fields: set[str]) -> None:
    assert fields
    text = text_of("docs/protocol.md")
    missing = {field for field in fields if f"`{field}`" not in text and f'"{field}"' not in text}
    assert not missing, f"docs/protocol.md does not name these of {payload}"


@pytest.mark.parametrize("series", sorted(metric_series()))
def test_every_metric_series_stands_in_the_operators_document(series: str) -> None:
    assert re.search(rf"^\| `{series}(\{{\w+\}})?` \|", text_of("docs/operations.md"), re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_example_in_json_is_json(path: Path) -> None:
    for example in fenced(name_of(path), "json"):
        json.loads(example)


def test_the_example_client_in_python_compiles() -> None:
    (example,) = fenced("docs/protocol.md", "python")
    compile(example, "docs/protocol.md", "exec")


@pytest.mark.parametrize(
    ("path", "target"), list(links()), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_every_relative_link_leads_somewhere(path: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    there = (path.parent / file).resolve() if file else path
    assert there.exists()
    if anchor:
        assert anchor in anchors(there)


def test_the_readme_is_short_and_has_the_commands_that_people_type() -> None:
    text = text_of("README.md")
    assert len(text.splitlines()) <= 150
    commands = (
        "make run", "make test", "REQUIRE_REAL=1 make test", "poetry install",
        "poetry run gunicorn --config ws/gunicorn_config.py --worker-class eventlet -w 1 "
        "app.main:app_instance -b 0.0.0.0:8002",
    )  # fmt: skip
    for command in commands:
        assert command in text
