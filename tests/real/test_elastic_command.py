"""`setup-elasticsearch` on a real Elasticsearch with security: what it makes, says, and shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.transcripts.elastic_setup import template_name
from tests.real import secured_index
from tests.real.secured_index import DOCUMENT, Node

pytestmark = pytest.mark.real

node = secured_index.node

ROOT = Path(__file__).parents[2]


def command(node: Node, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("ES_", "KIBANA_"))}
    environment |= {"ES_URL": node.environment["ES_URL"], "ES_CA_CERTS": node.environment["ES_CA_CERTS"]}
    environment |= {"ES_INDEX": node.index, **settings}
    call = [sys.executable, "-m", "app", "setup-elasticsearch", *arguments]
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_sets_up_and_can_be_repeated(node: Node) -> None:
    keys = {"ES_API_KEY": node.keys["writer"].encoded, "ES_SETUP_API_KEY": node.keys["setup"].encoded}
    first, second = command(node, **keys), command(node, **keys)
    template = template_name(node.index)
    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        f"--  Elasticsearch at {node.environment['ES_URL']}",
        f"ok  template {template}: installed",
        f"ok  index {node.index}: made",
    ]
    assert second.stdout.splitlines()[1:] == [
        f"ok  template {template}: it is there already",
        f"ok  index {node.index}: it is there already",
    ]
    node.of("writer").check()


def test_the_command_says_what_is_wrong(node: Node) -> None:
    refused = command(node, ES_API_KEY=node.keys["writer"].encoded)
    sentence = (
        f"!!  ES_API_KEY: this key may not install the template of {node.index}; see the keys in docs/transcripts"
    )
    assert (refused.returncode, refused.stderr) == (1, f"{sentence}.md\n")
    nowhere = command(node, ES_URL="", ES_CA_CERTS="")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr == "!!  ES_URL: it is not set; set it to the address of Elasticsearch\n"
    half = command(node, ES_USERNAME="u")
    assert half.returncode == 1
    assert half.stderr.startswith("!!  ES_PASSWORD: ES_USERNAME is set without it; ")


def test_the_command_shows_requests_that_make_the_keys(node: Node) -> None:
    shown = command(node, "--show-keys", ES_URL="", ES_CA_CERTS="")
    assert shown.returncode == 0
    parts = re.findall(r"^# (\w+): [^\n]*\nPOST /_security/api_key\n(\{\n.*?\n\})\n", shown.stdout, re.M | re.S)
    assert [name for name, _ in parts] == ["ES_API_KEY", "ES_SETUP_API_KEY", "ES_ERASE_API_KEY"]
    made = [node.admin.security.create_api_key(**json.loads(body)).body for _, body in parts]
    try:
        keys = {name.lower(): key["encoded"] for (name, _), key in zip(parts, made, strict=True)}
        node.elastic("setup", **keys).set_up()
        node.elastic("writer", **keys).create([DOCUMENT])
        assert node.elastic("erase", **keys).erase("gen_ai.conversation.id", "c") == 1
    finally:
        node.admin.security.invalidate_api_key(ids=[key["id"] for key in made])
