"""Real servers of models beside the tests: found by the environment, or made by what it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.real.peers import Peer, llama_by_tool, running
from tests.running_server import free_port

MODEL = Path(__file__).with_name("litserve_model.py")
GATEWAY_KEY = "sk-gateway-of-a-test"
GATEWAY = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{url}", api_key: "{key}"}}
general_settings: {{master_key: {gateway_key}}}
litellm_settings: {{telemetry: false, num_retries: 0}}
"""


@pytest.fixture(scope="session")
def llama() -> Iterator[Peer]:
    """A real llama.cpp with a window of 1,024 tokens: `TEST_LLAMA_URL`, or one made by `TEST_LLAMA_TOOL`.

    Each of pytest-xdist's workers that asks makes one of its own, so that it alone keeps the slots busy.
    """
    given = os.environ.get("TEST_LLAMA_URL")
    if given:
        yield Peer(given, os.environ.get("TEST_LLAMA_MODEL", "default"), os.environ.get("TEST_LLAMA_KEY"))
        return
    tool = os.environ.get("TEST_LLAMA_TOOL", "")
    with llama_by_tool(
        need(tool if Path(tool).is_file() else None, "llama.cpp (TEST_LLAMA_URL or TEST_LLAMA_TOOL)")
    ) as made:
        yield made


@pytest.fixture(scope="session")
def litellm(llama: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """LiteLLM's proxy (`TEST_LITELLM`: its command) as a gateway before llama.cpp. It asks nobody on the internet."""
    command = need(_executable("TEST_LITELLM"), "LiteLLM's proxy (TEST_LITELLM)")
    config = tmp_path_factory.mktemp("litellm") / "config.yaml"
    known = {"model": llama.model, "url": llama.url, "key": llama.key or "none", "gateway_key": GATEWAY_KEY}
    config.write_text(GATEWAY.format(**known))
    port = free_port()
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "DO_NOT_TRACK": "1"}
    options = ("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    with running([command, *options], offline, f"http://127.0.0.1:{port}/health/liveliness"):
        yield Peer(f"http://127.0.0.1:{port}/v1", llama.model, GATEWAY_KEY)


@pytest.fixture(scope="session")
def litserve(llama: Peer) -> Iterator[Peer]:
    """LitServe's OpenAI-compatible server (`TEST_LITSERVE`: its Python). It has Chat Completions only, and no keys."""
    python = need(_executable("TEST_LITSERVE"), "LitServe (TEST_LITSERVE)")
    port = free_port()
    command = [python, str(MODEL), str(port), llama.url, llama.model, llama.key or "none"]
    with running(command, {}, f"http://127.0.0.1:{port}/health"):
        yield Peer(f"http://127.0.0.1:{port}/v1", llama.model)


def _executable(name: str) -> str | None:
    path = os.environ.get(name, "")
    return path if os.access(path, os.X_OK) and Path(path).is_file() else None
