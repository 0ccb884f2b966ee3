"""Who may import whom: the arrows between the rooms, and libraries that live in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted([*ROOT.glob("app/**/*.py"), *ROOT.glob("ws/**/*.py")])

ROOMS = ("app.chat", "app.assistants", "app.transcripts", "app.web", "ws")
MAY_IMPORT = {
    "app.chat": set(),
    "app.assistants": {"app.chat"},
    "app.transcripts": {"app.chat"},
    "app.web": set(),
    "ws": {"app.chat", "app.transcripts", "app.web"},
}
"""Rooms that a room may import. `app/main.py` puts all of them together."""

LIVES_IN = {
    "flask_socketio": ("ws/",),
    "socketio": ("ws/",),
    "engineio": ("ws/",),
    "eventlet": ("ws/",),
    "gunicorn": ("ws/",),
    "openai": ("app/assistants/",),
    "httpx2": ("app/assistants/", "app/transcripts/kibana"),
    "sqlalchemy": ("app/transcripts/",),
    "alembic": ("app/transcripts/",),
    "elasticsearch": ("app/transcripts/elastic_client.py",),
    "elastic_transport": ("app/transcripts/elastic_client.py",),
    "sqlite3": (),
    "prometheus_client": ("app/web/metrics.py",),
    "flask_cors": ("app/web/",),
    "itsdangerous": ("app/chat/identity.py", "app/web/sign_in.py"),
    "jwt": ("app/chat/user_tokens.py",),
    "dotenv": ("app/settings.py",),
    "pydantic_settings": ("app/settings.py", "app/settings_elasticsearch.py"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), None)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_room_imports_only_what_its_arrows_allow(path: Path) -> None:
    room = room_of(name_of(path))
    if room is None:
        return
    others = {room_of(module) for module in imports(path)} - {None, room}
    assert others <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {sorted(map(str, others))}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_library_is_used_where_it_lives(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    for module in imports(path):
        homes = LIVES_IN.get(module.partition(".")[0])
        assert homes is None or relative.startswith(homes), f"{relative} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_main_module_is_imported_by_nobody() -> None:
    assert not [path for path in SOURCES if "app.main" in set(imports(path))]
