"""Events whose payload is wrong, in every field and as a whole: one clear error each, nobody else notices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.running_server import RunningServer
from tests.server import bystander
from tests.server.bystander import DEEP, FEEDBACK, RESUME, SAY, SECRET, TURN, both, event
from tests.server.raw_client import TRANSPORTS

pytestmark = pytest.mark.server

server, neighbour, harmless = bystander.server, bystander.neighbour, bystander.harmless


def each_field(name: str, good: dict[str, Any], field: str, *bad: Any) -> list[tuple[str, str]]:
    return [(event(name, {**good, field: value}), "bad_payload") for value in bad]


NO_TEXT = (5, 1.5, True, [], {}, ["x"], "\0", "\ud800", SECRET + "\udfff")
NO_ID = (5, True, [], {}, "", "x", "\0", "\ud800" * 36)

WRONG_FIELDS = [
    *each_field("user_message", {}, "text", None, "", " \n", *NO_TEXT),
    *each_field("user_message", SAY, "client_id", "", "a b", "é", *NO_TEXT),
    *each_field("user_message", SAY, "context", 5, True, "x", [1]),
    *each_field("user_message", SAY, "context", *({"page_url": value} for value in NO_TEXT)),
    *each_field("user_message", SAY, "context", *({"page_title": value} for value in NO_TEXT)),
    *each_field("resume", RESUME, "turn_id", None, *NO_ID),
    *each_field("resume", RESUME, "after_seq", None, "0", 1.5, True, [], {}, -2, 2**31, 10**400),
    *each_field("stop", {}, "turn_id", *NO_ID),
    *each_field("feedback", FEEDBACK, "turn_id", None, *NO_ID),
    *each_field("feedback", FEEDBACK, "rating", "UP", 1, True, [], {}),
    *each_field("feedback", FEEDBACK, "comment", *NO_TEXT),
    *each_field("history", {}, "before", *NO_ID),
    *each_field("history", {}, "limit", None, "5", 1.5, True, [], {}, 0, -1, 51, 10**400),
]
NO_PAYLOADS = [
    (event(name, *payload), "bad_payload")
    for name in ("user_message", "resume", "stop", "feedback", "history")
    for payload in ([None], [5], [True], ["text"], [[]], [[{}]], [{}, {}], [{"text": "x"}, 1, 2], [{}] * 100)
] + [(event(name), "bad_payload") for name in ("user_message", "resume", "feedback")]
NO_JSON = [
    (text, "bad_payload")
    for text in (
        '["user_message",{"text":',
        '["user_message",{"text":NaN}]',
        '["user_message",{"text":Infinity}]',
        '["history",{"limit":-Infinity}]',
        '["history",{"limit":1e999}]',
        f'["history",{{"limit":{"9" * 5000}}}]',
        "['stop']",
        '["stop"',
        '["stop"]]',
        '["stop"] x',
        "[",
        "{}",
        '"stop"',
        "null",
        "[]",
        "[5]",
        "[null]",
        '[["stop"]]',
        '[{"stop":1}]',
        f'["user_message",{{"text":"{SECRET}\n"}}]',
    )
]
TOO_MUCH = [
    (event("user_message", {"text": SECRET * 100_000}), "too_long"),
    (event("user_message", {**SAY, "client_id": "x" * 101}), "too_long"),
    (event("feedback", {**FEEDBACK, "comment": SECRET * 1000}), "too_long"),
    (event("user_message", {"text": "\ud83d" * 100_000}), "bad_payload"),
    (f'["user_message",{DEEP}]', "bad_payload"),
    (f'["user_message",{{"text":{DEEP}}}]', "bad_payload"),
    (f'["user_message",{{"text":"{SECRET}","x":{DEEP}}}]', "bad_payload"),
    ('["user_message",' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "]", "bad_payload"),
    (DEEP, "bad_payload"),
]
EVENTS = [
    *((event(name, {}), "unknown_event") for name in ("x", "", "__class__", "on_connect", "a\0b", "é")),
    (event("x" * 500_000, {}), "unknown_event"),
    *(
        (event(name, {}), "bad_payload")
        for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
    ),
    (event("\0refused", {}), "bad_payload"),
    *((event(name, {"turn_id": TURN, **more}), "unknown_turn") for name, more in (
        ("resume", {"after_seq": -1}), ("stop", {}), ("feedback", {"rating": "up"}),
    )),
    (event("history", {"before": TURN}), "unknown_turn"),
]  # fmt: skip
GROUPS = {
    "wrong fields": WRONG_FIELDS,
    "no payloads": NO_PAYLOADS,
    "no JSON": NO_JSON,
    "too much": TOO_MUCH,
    "events": EVENTS,
}


@both
@pytest.mark.parametrize("group", GROUPS)
def test_each_bad_event_is_answered_with_its_code_and_the_connection_lives_on(
    server: RunningServer, harmless: Any, transport: str, group: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        wrong = []
        for text, code in GROUPS[group]:
            answer = client.call(text)
            if answer.get("ok") is not False or answer["error"]["code"] != code:
                wrong.append((text[:100], code, answer))
        assert not wrong
        assert client.call(event("history", {}))["turns"] == []


@both
def test_a_huge_object_is_refused(server: RunningServer, harmless: Any, transport: str) -> None:
    huge = {"text": SECRET, **{f"field {n}": n for n in range(100_000)}}
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        answer = client.call(event("user_message", huge))
        assert answer["ok"] is False, "protocol.md: 'deep or huge objects: one clear error, nothing else'"
        assert answer["error"]["code"] in ("bad_payload", "too_long")


@both
def test_new_conversation_with_a_payload_that_is_no_object_begins_none(
    server: RunningServer, harmless: Any, transport: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        for payload in ([5], ["x"], [[]], [{}, {}]):
            assert client.call(event("new_conversation", *payload))["ok"] is False, payload
