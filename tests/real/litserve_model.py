"""LitServe's OpenAI-compatible server with a real model behind it. Run by LitServe's own Python, not by the tests'.

Only the model is ours: it takes its words from llama.cpp. Everything that a client sees of HTTP, the checks of a
request, the stream and its errors are LitServe's.

    python litserve_model.py PORT LLAMA_URL LLAMA_MODEL [LLAMA_KEY]
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import litserve
from fastapi import HTTPException


class Words(litserve.LitAPI):  # type: ignore[misc]
    """Each message of an answer is a few words, with the tokens counted so far, as LitServe's manual has it."""

    def __init__(self, url: str, model: str, key: str) -> None:
        super().__init__(spec=litserve.OpenAISpec())
        self._url, self._model, self._key = url, model, key

    def setup(self, device: str) -> None:
        """There is nothing to load."""

    def predict(self, request: Any) -> Iterator[dict[str, Any]]:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        limit = request.max_completion_tokens or request.max_tokens or 100
        asked = {"model": self._model, "messages": messages, "max_tokens": limit}
        body = json.dumps({**asked, "stream": True, "stream_options": {"include_usage": True}}).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self._url, body, headers), timeout=300) as stream:
                yield from words_of(stream)
        except urllib.error.HTTPError as error:
            with error:
                raise HTTPException(error.code, json.load(error)["error"]["message"]) from error


def words_of(stream: Any) -> Iterator[dict[str, Any]]:
    """What llama.cpp streams, as LitServe wants it: the last one has the usage."""
    for line in stream:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        usage = chunk.get("usage") or {}
        text = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        if text or usage:
            yield {"role": "assistant", "content": text, **{k: v for k, v in usage.items() if k.endswith("tokens")}}


if __name__ == "__main__":
    port, url, model, *key = sys.argv[1:]
    api = Words(f"{url}/chat/completions", model, (key or ["none"])[0])
    server = litserve.LitServer(api, accelerator="cpu", timeout=300)
    server.run(port=int(port), host="127.0.0.1", generate_client_file=False, log_level="warning")
