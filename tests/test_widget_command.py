"""`python -m app widget`, as an operator runs it, and that docs/embedding.md shows the same lines."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.__main__ import main
from app.web.widget_file import read_widget
from tests.browser.site import fenced
from tests.running_server import ROOT

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process and an empty folder: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["app", "widget", *arguments])
        try:
            code = main()
        except SystemExit as exit:
            code = int(exit.code or 0)
        return code, *capsys.readouterr()

    return run


def directives(text: str) -> dict[str, set[str]]:
    """The lines of a policy: name → what it allows."""
    lines = re.findall(r"^\s*((?:script-src|connect-src|trusted-types) .*)$", text, re.M)
    return {name: set(values) for name, *values in map(str.split, lines)}


def test_it_prints_both_tags_for_the_address_and_writes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "widget", "--url", "https://chat.example.com"],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    widget = read_widget()
    assert done.returncode == 0
    assert '<script src="https://chat.example.com/static/chat-widget.js" defer></script>' in done.stdout
    pinned = " ".join(done.stdout.split())
    assert (
        f'<script src="https://chat.example.com/static/{widget.versioned_name}" integrity="{widget.integrity}" '
        'crossorigin="anonymous" defer></script>'
    ) in pinned
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "tag", "hosts"),
    [
        ("http://10.0.0.7:9000", "http://10.0.0.7:9000", {"http://10.0.0.7:9000", "ws://10.0.0.7:9000"}),
        ("http://[::1]:9000/", "http://[::1]:9000", {"http://[::1]:9000", "ws://[::1]:9000"}),
        ("https://Example.com/chat/", "https://Example.com/chat", {"https://example.com", "wss://example.com"}),
    ],
)
def test_a_policy_names_the_host_for_both_ways_to_connect(run: Run, url: str, tag: str, hosts: set[str]) -> None:
    output = run("--url", url)[1]
    assert f'src="{tag}/static/chat-widget.js"' in output
    assert directives(output)["connect-src"] == hosts
    assert directives(output)["script-src"] == {host for host in hosts if host.startswith("http")}


def test_without_an_address_it_is_the_port_of_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'src="http://localhost:8002/static/chat-widget.js"' in run()[1]
    monkeypatch.setenv("PORT", "9000")
    assert 'src="http://localhost:9000/static/chat-widget.js"' in run()[1]


@pytest.mark.parametrize(
    "url", ["chat.example.com", "ftp://x", "https://", "https://x/?a", "https://x/#a", 'https://x/"><script>', ""]
)
def test_what_is_no_address_is_refused_with_an_example(run: Run, url: str) -> None:
    code, output, errors = run("--url", url)
    assert (code, output) == (2, "")
    assert "no address such as https://chat.example.com" in errors


def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "many")
    code, output, errors = run()
    assert (code, output) == (1, "")
    assert "!!  PORT" in errors


def test_the_document_for_site_owners_has_the_same_lines(run: Run) -> None:
    output = run("--url", "https://chat.example.com")[1]
    lines = directives("\n".join(fenced("csp")))
    assert lines == directives(output)
    (header,) = (block for block in fenced("http") if block.startswith("Content-Security-Policy:"))
    for name, values in lines.items():
        (strict,) = re.findall(rf"[ ;]{name} ([^;\n]*)", header)
        assert set(strict.split()) - {"'self'"} == values
    tag = '<script src="https://chat.example.com/static/chat-widget.js" defer></script>'
    assert tag in output
    assert f"{tag}\n" in fenced("html")
