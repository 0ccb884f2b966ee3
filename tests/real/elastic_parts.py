"""What tests against the real Elasticsearch share: an index of their own, and turns to put into it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch

from app.chat.turns import Turn, TurnError, TurnState
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic_setup import template_name
from app.transcripts.records import Service

SERVICE = Service("assistant-chat-server", "0.1.0", "openai", "asst_1", "gpt-5-mini")
START = 1_760_000_000_000
HOUR = 3_600_000


def settings_of(environment: dict[str, str], **more: Any) -> ElasticsearchSettings:
    """Settings from `ES_…` names, with others added, and those that are None taken away."""
    values = {name.lower(): value for name, value in environment.items()} | more
    return ElasticsearchSettings(**{name: value for name, value in values.items() if value is not None})


def admin_of(environment: dict[str, str]) -> Elasticsearch:
    """A client of the test itself, that may do everything."""
    options: dict[str, Any] = {}
    if "ES_PASSWORD" in environment:
        account = (environment["ES_USERNAME"], environment["ES_PASSWORD"])
        options = {"basic_auth": account, "ca_certs": environment["ES_CA_CERTS"]}
    return Elasticsearch(environment["ES_URL"], request_timeout=60, **options)


@contextmanager
def own_index(admin: Elasticsearch) -> Iterator[str]:
    """The name of an index that nobody else has; afterwards it and its template are gone."""
    name = f"test-elastic-{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        gone = admin.options(ignore_status=404)
        gone.indices.delete(index=name)
        gone.indices.delete_index_template(name=template_name(name))


def refresh(admin: Elasticsearch, index: str) -> None:
    admin.indices.refresh(index=index)


def a_turn(conversation: str, index: int, **more: Any) -> Turn:
    known: dict[str, Any] = {
        "user_id": "u-1", "client_id": f"m{index}", "text": f"Question {index}?", "answer": f"Answer {index}.",
        "accepted_at": START + index * HOUR, "finished_at": START + index * HOUR + 1500, "state": TurnState.COMPLETE,
        "thread_id": "conv_1",
    }  # fmt: skip
    return Turn(f"{conversation}-t{index}", conversation, index=index, **(known | more))


def many_turns(count: int) -> list[Turn]:
    """Turns of all states, the same each time."""
    dice = random.Random(6)
    return [_random_turn(number, dice) for number in range(count)]


def _random_turn(number: int, dice: random.Random) -> Turn:
    state = dice.choices([state for state in TurnState if state.final], [80, 6, 6, 4, 4])[0]
    accepted = START + dice.randrange(30 * 24 * HOUR)
    first = accepted + int(dice.lognormvariate(6, 0.7))
    return a_turn(
        f"c{number // 5}", number % 5, user_id=f"u{number % 17}", state=state,
        accepted_at=accepted, first_piece_at=first if dice.random() < 0.9 else None, finished_at=first + 2000,
        model=dice.choice(["gpt-5-mini", "llama3.2"]),
        usage={"input_tokens": dice.randrange(500), "output_tokens": dice.randrange(900)},
        error=TurnError(dice.choice(["internal", "assistant_busy"]), "A sentence.") if state == "failed" else None,
    )  # fmt: skip
