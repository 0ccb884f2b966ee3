"""A client that sees bytes: for what the SDK hides. Reads event streams as the standard says.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import Any

from tests.running_server import PATIENCE

from .openai_server import OpenAIServer

WITH_KEY = {"Authorization": "Bearer sk-any", "Content-Type": "application/json", "OpenAI-Beta": "assistants=v2"}


@dataclass(frozen=True)
class Reply:
    """A whole response; `complete` is False if the body was cut."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Sent:
    """One event as it was sent."""

    name: str
    text: str

    @property
    def data(self) -> Any:
        """Its data, parsed."""
        return json.loads(self.text)


def ask(upstream: OpenAIServer, path: str, body: Any = None, method: str = "POST") -> Reply:
    """One request on its own connection."""
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=PATIENCE)
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    try:
        connection.request(method, f"/v1{path}", raw, WITH_KEY)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        try:
            return Reply(response.status, headers, response.read(), True)
        except http.client.IncompleteRead as cut:
            return Reply(response.status, headers, cut.partial, False)
    finally:
        connection.close()


def respond(upstream: OpenAIServer, text: str) -> Reply:
    """A streamed response to one text."""
    return ask(upstream, "/responses", {"model": "gpt-x", "input": text, "stream": True})


def complete(upstream: OpenAIServer, text: str) -> Reply:
    """A streamed chat completion to one text."""
    messages = [{"role": "user", "content": text}]
    return ask(upstream, "/chat/completions", {"model": "gpt-x", "messages": messages, "stream": True})


def run(upstream: OpenAIServer, text: str) -> Reply:
    """A streamed run on a new thread with one text."""
    thread = ask(upstream, "/threads", {"messages": [{"role": "user", "content": text}]}).json["id"]
    return ask(upstream, f"/threads/{thread}/runs", {"assistant_id": "asst_1", "stream": True})


def events(body: bytes) -> list[Sent]:
    """The events in a body."""
    found: list[Sent] = []
    name, data = "", list[str]()
    for line in re.split(r"\r\n|\n|\r", body.decode()):
        if not line:
            if data:
                found.append(Sent(name, "\n".join(data)))
            name, data = "", list[str]()
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        name = value if field == "event" else name
        data += [value] if field == "data" else []
    return found


def chunks(upstream: OpenAIServer, text: str) -> list[bytes]:
    """The chunks of a streamed response, as they were cut on the wire."""
    body = json.dumps({"model": "gpt-x", "input": text, "stream": True}).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nHost: wire\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + body)
        stream = connection.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        found = []
        while size := int(stream.readline(), 16):
            found.append(stream.read(size))
            stream.read(2)
        return found


def said(reply: Reply) -> str:
    """The text of a stream, by the rules that a tolerant client follows."""
    text = ""
    for event in events(reply.body):
        try:
            data = event.data
        except ValueError:
            continue
        kind = event.name or data.get("type", "")
        if kind == "response.output_text.delta":
            text += data["delta"]
        elif kind == "thread.message.delta":
            text += data["delta"]["content"][0]["text"]["value"]
        elif data.get("object") == "chat.completion.chunk":
            text += "".join(choice["delta"].get("content") or "" for choice in data["choices"])
    return text


def names(reply: Reply) -> list[str]:
    """The names of a stream's events."""
    return [event.name for event in events(reply.body)]


def final(reply: Reply) -> Any:
    """The response in the last event."""
    return events(reply.body)[-1].data["response"]
