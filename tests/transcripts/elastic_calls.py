"""Calls of Elasticsearch as tests make them: a visitor's words in the document, and none of them in any fault."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from app.chat.turns import Turn, TurnState
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic import Elastic, ElasticError
from app.transcripts.records import Document, Service, turn_document
from tests.transcripts.elastic_stand_in import StandIn

SECRET = "the visitor's own words"
QUOTING = f"[1:9] failed to parse field [chat.turn.index] of type [long]. Preview of field's value: '{SECRET}'"
SERVICE = Service("assistant-chat-server", "0.1.0", "openai")


def document(number: int = 0) -> Document:
    turn = Turn(f"t{number}", "c", "u", number, "m", SECRET, 0, state=TurnState.COMPLETE, finished_at=1)
    return turn_document(turn, SERVICE)


def elastic_at(server: StandIn, **settings: Any) -> Elastic:
    return Elastic(ElasticsearchSettings(es_url=server.url, **settings))


def fault(call: Callable[[], object]) -> ElasticError:
    """The error of a call, which shows nothing of what visitors wrote, and no secret, in a traceback either."""
    with pytest.raises(ElasticError) as raised:
        call()
    shown = "".join(traceback.format_exception(raised.value))
    assert SECRET not in shown
    assert "geheim" not in shown
    return raised.value
