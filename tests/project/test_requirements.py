"""The hash-locked requirements files and `poetry.lock` are the same set of packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.M)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def locked() -> dict[str, dict[str, Any]]:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))
    return {package["name"].lower().replace("_", "-"): package for package in lock["package"]}


def entries(name: str) -> dict[str, tuple[str, set[str]]]:
    """Package -> (version, hashes) of a requirements file."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        match = PINNED.match(line)
        assert match, f"{name}: {line[:80]!r} is not pinned"
        found[match[1].lower().replace("_", "-")] = (match[2], set(HASH.findall(line)))
    return found


def test_everything_in_the_requirements_files_is_as_locked() -> None:
    packages = locked()
    for name in ("requirements.txt", "requirements-dev.txt"):
        for package, (version, hashes) in entries(name).items():
            assert packages[package]["version"] == version, f"{package} in {name}: run `make lock`"
            assert hashes == {file["hash"] for file in packages[package]["files"]}, f"{package} in {name}"


def test_everything_that_is_locked_is_installed_for_the_tests() -> None:
    assert set(entries("requirements-dev.txt")) == set(locked())


def test_what_the_server_needs_is_part_of_what_the_tests_need() -> None:
    run, dev = entries("requirements.txt"), entries("requirements-dev.txt")
    assert run.items() <= dev.items()
    main = {name for name, package in locked().items() if "main" in package["groups"]}
    assert set(run) == main


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    direct = {re.split(r"[<>=\[; ]", one)[0].lower().replace("_", "-") for one in named}
    assert direct <= set(locked())


def test_no_file_names_a_registry() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "poetry.lock", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "index-url" not in text
        assert "[package.source]" not in text
