"""Responses and Conversations: the routes, and what they remember."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .answers import answer_for
from .catalogue import check_model
from .exchange import Exchange
from .frames import Cut, End, Event, Frame, Json
from .ids import long_id, now
from .misbehaviour import Refusal, invalid
from .responses_events import UNKNOWN, ResponseEvents, numbered
from .responses_input import check_calls, items_of, prompt_of
from .routes import Route
from .sse_out import StreamOver, cut


@dataclass
class Conversation:
    """A history on the server's side; `busy_with` the response that is being made."""

    id: str
    created_at: int
    metadata: Json
    items: list[Json] = field(default_factory=list)
    busy_with: str = ""

    def as_json(self) -> Json:
        """As the API shows it."""
        return {"id": self.id, "object": "conversation", "created_at": self.created_at, "metadata": self.metadata}


@dataclass
class Store:
    """Conversations, and responses that were made with `store`: each with all items up to its own output."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    responses: dict[str, Json] = field(default_factory=dict)
    histories: dict[str, list[Json]] = field(default_factory=dict)
    left_behind: list[Json] = field(default_factory=list)
    """Items of conversations that were deleted."""


def create(exchange: Exchange) -> None:
    """POST /responses."""
    body = exchange.json
    new_items = items_of(body)
    family = exchange.meet(prompt_of(new_items, body.get("instructions")))
    family.check_responses(body)
    stateful = family.has("/v1/conversations")
    conversation = _conversation(exchange, body.get("conversation")) if stateful else None
    items = (_before(exchange, body, conversation) if stateful else []) + new_items
    if stateful:
        check_calls(items)
    prompt = prompt_of(items, body.get("instructions"))
    model = str(body.get("model") or "")
    scenario = exchange.scenario(prompt, model)
    if scenario.no_responses is not None:
        raise exchange.no_such_route(scenario, scenario.no_responses)
    check_model(exchange, model)
    limit = body.get("max_output_tokens")
    events = ResponseEvents(body, prompt, answer_for(prompt, scenario, limit), scenario, family)
    exchange.request.answer_id = events.id
    with _Locked(exchange, conversation, events.id):
        kept = _kept(exchange, events, conversation, items, len(new_items))
        frames = family.responses_frames(numbered(kept, scenario))
        if body.get("stream") and scenario.body != "whole":
            exchange.stream(frames, scenario, UNKNOWN)
        else:
            _send_whole(exchange, frames, events)


class _Locked:
    """Keeps a conversation busy while a response is made."""

    def __init__(self, exchange: Exchange, conversation: Conversation | None, response: str) -> None:
        self.lock, self.conversation, self.response = exchange.upstream.lock, conversation, response

    def __enter__(self) -> None:
        with self.lock:
            if self.conversation is not None and self.conversation.busy_with:
                message = "Another process is currently operating on this conversation. Please retry in a few seconds."
                raise invalid(message, None, "conversation_locked")
            if self.conversation is not None:
                self.conversation.busy_with = self.response

    def __exit__(self, *error: object) -> None:
        release(self.conversation, self.response)


def release(conversation: Conversation | None, response: str) -> None:
    """The response is over for its conversation; the next one may already have it."""
    if conversation is not None and conversation.busy_with == response:
        conversation.busy_with = ""


def _before(exchange: Exchange, body: Json, conversation: Conversation | None) -> list[Json]:
    previous = body.get("previous_response_id")
    if previous:
        history = exchange.upstream.responses.histories.get(previous)
        if history is None:
            message = f"Previous response with id '{previous}' not found."
            raise invalid(message, "previous_response_id", "previous_response_not_found")
        return list(history)
    return list(conversation.items) if conversation else []


def _kept(
    exchange: Exchange, events: ResponseEvents, conversation: Conversation | None, items: list[Json], new: int
) -> Iterator[Frame]:
    """The same frames; the turn is kept before the last one is sent: a client that leaves earlier loses it."""
    for frame in events.frames():
        over = isinstance(frame, Event) and events.response["status"] != "in_progress"
        if over:
            _keep(exchange.upstream.responses, events, conversation, items, new)
        if over or isinstance(frame, Cut | End) or (isinstance(frame, Event) and frame.name == "error"):
            release(conversation, events.id)  # Before the client can know the end, and ask again.
        yield frame


def _keep(store: Store, events: ResponseEvents, conversation: Conversation | None, items: list[Json], new: int) -> None:
    if events.response["store"] is not False:
        store.responses[events.id] = events.response
        store.histories[events.id] = items + events.output
    if conversation is not None and events.id not in {item.get("response") for item in conversation.items}:
        kept = items[len(items) - new :] + events.output
        conversation.items += [{"id": long_id("msg"), **item, "response": events.id} for item in kept]


def _send_whole(exchange: Exchange, frames: Iterator[Frame], events: ResponseEvents) -> None:
    for _ in frames:
        pass
    if events.response["status"] == "in_progress" and events.answer.ending in ("cut", "reset", "end"):
        cut(exchange.wire.connection, events.answer.ending == "reset")
        exchange.wire.close_connection = True
        raise StreamOver(cut=True)
    if events.response["status"] == "in_progress":
        raise Refusal(500, events.family.wrapped(events.error()))
    exchange.send_json(events.response, kind=events.scenario.content_type)


def _conversation(exchange: Exchange, wanted: str | Json | None) -> Conversation | None:
    if wanted is None or exchange.upstream.forgetful:
        return None
    ident = wanted if isinstance(wanted, str) else str(wanted.get("id"))
    return _found(exchange, ident)


def _found(exchange: Exchange, ident: str) -> Conversation:
    conversation = exchange.upstream.responses.conversations.get(ident)
    if conversation is None:
        raise invalid(f"Conversation with id '{ident}' not found.", status=404)
    return conversation


def create_conversation(exchange: Exchange) -> None:
    """POST /conversations."""
    body = exchange.json
    items = [{"id": long_id("msg"), "type": "message", **item} for item in body.get("items") or []]
    conversation = Conversation(long_id("conv"), now(), body.get("metadata") or {}, items)
    exchange.upstream.responses.conversations[conversation.id] = conversation
    exchange.send_json(conversation.as_json())


def get_conversation(exchange: Exchange, ident: str) -> None:
    """GET /conversations/{id}."""
    exchange.send_json(_found(exchange, ident).as_json())


def add_items(exchange: Exchange, ident: str) -> None:
    """POST /conversations/{id}/items: at most 20 at a time."""
    conversation, items = _found(exchange, ident), list(exchange.json.get("items") or [])
    if not 0 < len(items) <= 20:
        raise invalid(f"Expected 1 to 20 items, got {len(items)}.", "items")
    added = [{"id": long_id("msg"), "type": "message", "status": "completed", **item} for item in items]
    conversation.items += added
    exchange.send_json({"object": "list", "data": added, "has_more": False, "first_id": "", "last_id": ""})


def list_items(exchange: Exchange, ident: str) -> None:
    """GET /conversations/{id}/items?limit=: the first ones."""
    items = _found(exchange, ident).items
    shown = items[: int(exchange.query("limit", "20"))]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    exchange.send_json({"object": "list", "data": shown, **ends, "has_more": len(items) > len(shown)})


def delete_item(exchange: Exchange, ident: str, item: str) -> None:
    """DELETE /conversations/{id}/items/{item}."""
    conversation = _found(exchange, ident)
    if item not in [one["id"] for one in conversation.items]:
        raise invalid(f"Item with id '{item}' not found.", status=404)
    conversation.items = [one for one in conversation.items if one["id"] != item]
    exchange.send_json(conversation.as_json())


def delete_conversation(exchange: Exchange, ident: str) -> None:
    """DELETE /conversations/{id}. Its items are not deleted with it (https://platform.openai.com/docs/api-reference)."""
    exchange.upstream.responses.left_behind += _found(exchange, ident).items
    del exchange.upstream.responses.conversations[ident]
    exchange.send_json({"id": ident, "object": "conversation.deleted", "deleted": True})


def get_response(exchange: Exchange, ident: str) -> None:
    """GET /responses/{id}."""
    response = exchange.upstream.responses.responses.get(ident)
    if response is None:
        raise invalid(f"Response with id '{ident}' not found.", status=404)
    exchange.send_json(response)


def delete_response(exchange: Exchange, ident: str) -> None:
    """DELETE /responses/{id}."""
    if exchange.upstream.responses.responses.pop(ident, None) is None:
        raise invalid(f"Response with id '{ident}' not found.", status=404)
    exchange.upstream.responses.histories.pop(ident, None)
    exchange.send_json({"id": ident, "object": "response", "deleted": True})


ROUTES = (
    Route("POST", "/responses", create, answering=True),
    Route("GET", "/responses/*", get_response),
    Route("DELETE", "/responses/*", delete_response),
    Route("POST", "/conversations", create_conversation),
    Route("GET", "/conversations/*", get_conversation),
    Route("POST", "/conversations/*/items", add_items),
    Route("GET", "/conversations/*/items", list_items),
    Route("DELETE", "/conversations/*/items/*", delete_item),
    Route("DELETE", "/conversations/*", delete_conversation),
)
