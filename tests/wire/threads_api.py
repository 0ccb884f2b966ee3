"""Assistants v2: the routes of threads, messages and runs, and what is refused.

Source: https://platform.openai.com/docs/api-reference/threads
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .catalogue import check_assistant
from .exchange import Exchange, drain
from .frames import Frame, Json
from .ids import now, short_id
from .misbehaviour import disturbed, invalid
from .responses_input import too_small, wrong_value
from .routes import Route, not_found
from .thread import OVER, Thread
from .thread_runs import UNKNOWN, Run

LEAST_COMPLETION_TOKENS = 256


@dataclass
class Store:
    """All threads."""

    threads: dict[str, Thread] = field(default_factory=dict)

    def wake_all(self) -> None:
        """Ends every wait of every run: the double is being stopped."""
        for thread in list(self.threads.values()):
            for run in list(thread.runs):
                run.cancel.set()


def _thread(exchange: Exchange, ident: str) -> Thread:
    if exchange.request.headers.get("openai-beta") != "assistants=v2":
        message = "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        raise invalid(
            message + "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.", code="invalid_beta"
        )
    thread = exchange.upstream.threads.threads.get(ident)
    if thread is None:
        raise not_found("thread", ident)
    return thread


def _run(exchange: Exchange, thread: str, ident: str) -> Run:
    for run in _thread(exchange, thread).runs:
        if run.id == ident:
            return run
    raise not_found("run", ident)


def _content(body: Json, where: str) -> tuple[str, list[Json]]:
    """Role and content parts of a message to add."""
    if body.get("role") not in ("user", "assistant"):
        raise wrong_value(body.get("role"), ("user", "assistant"), f"{where}role")
    content = body.get("content")
    if not content:
        raise invalid("Message content must be non-empty.", f"{where}content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return str(body["role"]), [
        {"type": "text", "text": {"value": part.get("text", ""), "annotations": []}} for part in parts
    ]


def create_thread(exchange: Exchange) -> None:
    """POST /threads."""
    body = exchange.json
    thread = Thread(short_id("thread"), now(), body.get("metadata") or {})
    _add_all(thread, body.get("messages") or [], "messages")
    exchange.upstream.threads.threads[thread.id] = thread
    get_thread(exchange, thread.id)


def _add_all(thread: Thread, messages: list[Json], name: str) -> None:
    for number, body in enumerate(messages):
        role, content = _content(body, f"{name}[{number}].")
        thread.messages.append(thread.message(role, content, status="completed"))


def get_thread(exchange: Exchange, ident: str) -> None:
    """GET /threads/{id}."""
    thread = _thread(exchange, ident)
    data = {"id": ident, "object": "thread", "created_at": thread.created_at, "metadata": thread.metadata}
    exchange.send_json(data | {"tool_resources": {}})


def delete_thread(exchange: Exchange, ident: str) -> None:
    """DELETE /threads/{id}."""
    thread = _thread(exchange, ident)
    for run in thread.runs:
        run.cancel.set()
    del exchange.upstream.threads.threads[ident]
    exchange.send_json({"id": ident, "object": "thread.deleted", "deleted": True})


def add_message(exchange: Exchange, ident: str) -> None:
    """POST /threads/{id}/messages."""
    thread = _thread(exchange, ident)
    role, content = _content(exchange.json, "")
    if thread.active:
        raise invalid(f"Can't add messages to {ident} while a run {thread.active.id} is active.")
    message = thread.message(role, content, status="completed", metadata=exchange.json.get("metadata") or {})
    thread.messages.append(message)
    exchange.send_json(message)


def list_messages(exchange: Exchange, ident: str) -> None:
    """GET /threads/{id}/messages?limit=&order=&after=&before=&run_id=."""
    messages = [one for one in _thread(exchange, ident).messages if exchange.query("run_id") in ("", one["run_id"])]
    exchange.send_json(page(exchange, messages))


def page(exchange: Exchange, items: list[Json]) -> Json:
    """One page of a list, the newest first unless asked otherwise."""
    items = items if exchange.query("order", "desc") == "asc" else items[::-1]
    idents = [item["id"] for item in items]
    if exchange.query("after") in idents:
        items = items[idents.index(exchange.query("after")) + 1 :]
    if exchange.query("before") in idents:
        items = items[: [item["id"] for item in items].index(exchange.query("before"))]
    limit = int(exchange.query("limit", "20"))
    shown = items[:limit]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": len(items) > limit}


def create_run(exchange: Exchange, ident: str) -> None:
    """POST /threads/{id}/runs."""
    thread, body = _thread(exchange, ident), exchange.json
    _check_run(exchange, body)
    if thread.active:
        raise invalid(f"Thread {ident} already has an active run {thread.active.id}.")
    instructions = "\n".join(filter(None, (body.get("instructions"), body.get("additional_instructions"))))
    _add_all(thread, body.get("additional_messages") or [], "additional_messages")
    scenario = exchange.scenario(thread.prompt(instructions), str(body.get("model") or "gpt-wire"))
    with exchange.upstream.lock:
        if thread.active:
            raise invalid(f"Thread {ident} already has an active run {thread.active.id}.")
        run = Run(thread, body, instructions, scenario)
        thread.runs.append(run)
    _drive(exchange, run, run.frames())


def _check_run(exchange: Exchange, body: Json) -> None:
    assistant = body.get("assistant_id")
    if not assistant:
        raise invalid("Missing required parameter: 'assistant_id'.", "assistant_id", "missing_required_parameter")
    if not str(assistant).startswith("asst_"):
        message = f"Invalid 'assistant_id': '{assistant}'. Expected an ID that begins with 'asst'."
        raise invalid(message, "assistant_id", "invalid_value")
    check_assistant(exchange, str(assistant))
    limit = body.get("max_completion_tokens")
    if limit is not None and limit < LEAST_COMPLETION_TOKENS:
        raise too_small("max_completion_tokens", LEAST_COMPLETION_TOKENS, limit)


def _drive(exchange: Exchange, run: Run, frames: Iterator[Frame]) -> None:
    """Streams a run's events; without `stream` the run goes on by itself."""
    exchange.request.answer_id = run.id
    run.driven = True
    if exchange.json.get("stream"):
        exchange.stream(frames, run.scenario, UNKNOWN, wake=run.cancel)
        return
    unseen = disturbed(frames, run.scenario, exchange.delay(run.scenario), UNKNOWN)
    threading.Thread(target=drain, args=(unseen, run.cancel), daemon=True).start()
    exchange.send_json(run.as_json())


def list_runs(exchange: Exchange, ident: str) -> None:
    """GET /threads/{id}/runs."""
    exchange.send_json(page(exchange, [run.as_json() for run in _thread(exchange, ident).runs]))


def get_run(exchange: Exchange, thread: str, ident: str) -> None:
    """GET /threads/{id}/runs/{id}."""
    run = _run(exchange, thread, ident)
    run.stop_undriven()
    exchange.send_json(run.as_json())


def cancel_run(exchange: Exchange, thread: str, ident: str) -> None:
    """POST /threads/{id}/runs/{id}/cancel."""
    run = _run(exchange, thread, ident)
    if run.status in (*OVER, "cancelling"):
        raise invalid(f"Cannot cancel run with status '{run.status}'.")
    run.status = "cancelling"
    shown: dict[str, Any] = run.as_json()
    run.cancel.set()
    if run.polls == 0:
        run.stop_undriven()
    exchange.send_json(shown)


def submit_tool_outputs(exchange: Exchange, thread: str, ident: str) -> None:
    """POST /threads/{id}/runs/{id}/submit_tool_outputs."""
    run = _run(exchange, thread, ident)
    if run.status != "requires_action":
        raise invalid(f'Runs in status "{run.status}" do not accept tool outputs.')
    outputs = exchange.json.get("tool_outputs") or []
    wanted, given = [call["id"] for call in run.calls], [output.get("tool_call_id") for output in outputs]
    if sorted(wanted) != sorted(map(str, given)):
        raise invalid(f"Expected tool outputs for call_ids {wanted}, got {given}")
    exchange.before(exchange.upstream.taken(exchange.request.path, answering=False))
    _drive(exchange, run, run.resumed([str(output.get("output") or "") for output in outputs]))


ROUTES = (
    Route("POST", "/threads", create_thread),
    Route("GET", "/threads/*", get_thread),
    Route("DELETE", "/threads/*", delete_thread),
    Route("POST", "/threads/*/messages", add_message),
    Route("GET", "/threads/*/messages", list_messages),
    Route("POST", "/threads/*/runs", create_run, answering=True),
    Route("GET", "/threads/*/runs", list_runs),
    Route("GET", "/threads/*/runs/*", get_run),
    Route("POST", "/threads/*/runs/*/cancel", cancel_run),
    Route("POST", "/threads/*/runs/*/submit_tool_outputs", submit_tool_outputs, answering=True),
)
