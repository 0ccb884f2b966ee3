"""Models, files and assistants: the small GET requests."""

from __future__ import annotations

from .answers import filename_of
from .exchange import Exchange
from .frames import Json
from .routes import Route, not_found

MODELS = ("gpt-wire", "gpt-wire-mini")
CREATED = 1_767_225_600


def check_model(exchange: Exchange, model: str) -> None:
    """Refuses a model that the double was told not to have."""
    models = exchange.upstream.models
    if models is not None and model not in models:
        raise exchange.family.no_model(model, exchange.request.path)


def _model(ident: str) -> Json:
    return {"id": ident, "object": "model", "created": CREATED, "owned_by": "wire"}


def list_models(exchange: Exchange) -> None:
    """GET /models."""
    models = exchange.upstream.models
    exchange.send_json({"object": "list", "data": [_model(ident) for ident in (MODELS if models is None else models)]})


def get_model(exchange: Exchange, ident: str) -> None:
    """GET /models/{id}."""
    check_model(exchange, ident)
    exchange.send_json(_model(ident))


def get_file(exchange: Exchange, ident: str) -> None:
    """GET /files/{id}: the name behind a citation's file id."""
    filename = filename_of(ident)
    if not filename:
        raise not_found("such File object", ident)
    data = {"id": ident, "object": "file", "bytes": 120, "created_at": CREATED, "filename": filename}
    exchange.send_json(data | {"purpose": "assistants", "status": "processed"})


def get_assistant(exchange: Exchange, ident: str) -> None:
    """GET /assistants/{id}."""
    check_assistant(exchange, ident)
    data = {"id": ident, "object": "assistant", "created_at": CREATED, "name": "Wire", "description": None}
    exchange.send_json(data | {"model": MODELS[0], "instructions": None, "tools": [], "metadata": {}})


def check_assistant(exchange: Exchange, ident: str) -> None:
    """Refuses an assistant that the double was told not to have."""
    assistants = exchange.upstream.assistants
    if assistants is not None and ident not in assistants:
        raise not_found("assistant", ident)


ROUTES = (
    Route("GET", "/models", list_models),
    Route("GET", "/models/*", get_model),
    Route("GET", "/files/*", get_file),
    Route("GET", "/assistants/*", get_assistant),
)
