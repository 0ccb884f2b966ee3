"""What clients send is checked field by field: it comes out trusted, or as an error that names the field."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ChatError
from ws import payloads
from ws.payloads import Hello, Page, Rating, Resume

TURN = "5a0d3c1e-6f5b-4f0e-9d0a-2f1f6f1b8c11"
NO_OBJECT: list[Any] = [None, 5, 1.5, True, "text", [], [{}]]
NO_TEXT: list[Any] = [5, 1.5, True, [], {}, ["text"]]
NO_ID: list[Any] = [5, True, [], {}, "", "x", "0" * 36, TURN + "0", "\ud800" * 36, "\0" * 36]
NO_SEQ: list[Any] = [None, "0", 1.5, float("inf"), float("nan"), True, [], {}, -2, 2**31, 10**100]

Check = Callable[[tuple[Any, ...]], Any]


def message(arguments: tuple[Any, ...]) -> Any:
    return payloads.message(arguments, 100)


CHECKS: dict[str, Check] = {
    "user_message": message,
    "resume": payloads.resume,
    "stop": payloads.stop,
    "feedback": payloads.rating,
    "history": payloads.history,
    "conversations": payloads.conversations,
}
EVERY_EVENT = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(TURN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("text", "client_id", "context", "turn_id", "after_seq", "rating", "comment", "limit", "before")
PAYLOAD = st.dictionaries(st.sampled_from([*FIELDS, "page_url", "other"]), VALUE) | VALUE
AUTH_FIELDS = ("protocol", "token", "after", "user_token", "conversation_uuid", "other")
AUTH = st.dictionaries(st.sampled_from(AUTH_FIELDS), VALUE) | VALUE


def code(check: Callable[..., Any], *arguments: Any) -> str:
    """The code of the error that a check raises."""
    with pytest.raises(ChatError) as raised:
        check(*arguments)
    return raised.value.code


def refusal(check: Callable[[Any], Any], value: Any) -> ChatError | None:
    """The error that a check raises, if it does. Any other exception goes on."""
    try:
        check(value)
    except ChatError as error:
        return error
    return None


def message_with(**fields: Any) -> Any:
    return message(({"text": "hello", **fields},))


@EVERY_EVENT
@given(arguments=st.lists(PAYLOAD, max_size=2).map(tuple))
def test_a_check_raises_nothing_but_its_own_errors(check: Check, arguments: tuple[Any, ...]) -> None:
    refused = refusal(check, arguments)
    assert refused is None or (refused.code in ("bad_payload", "too_long") and refused.message.isprintable())


@given(AUTH)
def test_the_check_of_a_connection_raises_nothing_but_its_own_errors(auth: object) -> None:
    refused = refusal(payloads.hello, auth)
    assert refused is None or refused.code in ("bad_payload", "too_long")


@EVERY_EVENT
@pytest.mark.parametrize("value", NO_OBJECT, ids=repr)
def test_a_payload_that_is_no_object_is_refused(check: Check, value: Any) -> None:
    assert code(check, (value,)) == "bad_payload"


@EVERY_EVENT
def test_several_payloads_are_refused(check: Check) -> None:
    assert code(check, ({"text": "x", "turn_id": TURN, "after_seq": 0}, {})) == "bad_payload"


@pytest.mark.parametrize("name", ["user_message", "resume", "feedback"])
def test_a_missing_payload_is_refused_where_fields_are_needed(name: str) -> None:
    assert code(CHECKS[name], ()) == "bad_payload"


def test_stop_and_lists_need_no_payload() -> None:
    assert payloads.stop(()) is None
    assert payloads.conversations(()) == Page(None, 20)
    assert payloads.history(()) == Page(None, 20)


@pytest.mark.parametrize("text", [None, "", " \n\t", "a\0b", "\ud800", *NO_TEXT], ids=repr)
def test_a_text_that_is_none_is_refused(text: Any) -> None:
    assert code(message, ({"text": text},)) == "bad_payload"


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert message_with(text="ü" * 100).text == "ü" * 100
    assert code(message, ({"text": "x" * 101},)) == "too_long"


@pytest.mark.parametrize("value", ["", "a b", "é", "\n", "\x7f", "a\n", "\ud800", *NO_TEXT], ids=repr)
def test_a_client_id_of_other_characters_is_refused(value: Any) -> None:
    assert code(message, ({"text": "x", "client_id": value},)) == "bad_payload"


def test_a_client_id_is_taken_as_it_is_and_made_where_it_is_missing() -> None:
    assert message_with(client_id="~!").client_id == "~!"
    assert message_with().client_id != message_with().client_id
    assert code(message, ({"text": "x", "client_id": "x" * 101},)) == "too_long"


@pytest.mark.parametrize("context", [5, True, "x", [1], {"page_url": 5}, {"page_title": []}, {"page_title": "\ud800"}])
def test_a_context_of_wrong_types_is_refused(context: Any) -> None:
    assert code(message, ({"text": "x", "context": context},)) == "bad_payload"


@pytest.mark.parametrize("context", [0, False, "", []], ids=repr)
def test_an_empty_context_of_a_wrong_type_is_refused_too(context: Any) -> None:
    assert code(message, ({"text": "x", "context": context},)) == "bad_payload"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://[", "x"])
def test_an_address_of_no_web_page_is_left_out(url: str) -> None:
    assert message_with(context={"page_url": url}).page_url is None


def test_a_page_is_kept_with_its_address_and_title_cut_to_their_limits() -> None:
    kept = message_with(context={"page_url": "https://example.com/" + "x" * 2000, "page_title": "t" * 2000})
    assert kept.page_url.startswith("https://example.com/x")
    assert len(kept.page_url) == len(kept.page_title) == payloads.MAX_PAGE


@pytest.mark.parametrize("value", [None, *NO_ID], ids=repr)
def test_a_turn_id_that_is_none_is_refused(value: Any) -> None:
    assert code(payloads.resume, ({"turn_id": value, "after_seq": 0},)) == "bad_payload"
    assert code(payloads.rating, ({"turn_id": value, "rating": "up"},)) == "bad_payload"
    if value is not None:
        assert code(payloads.stop, ({"turn_id": value},)) == "bad_payload"
        assert code(payloads.history, ({"before": value},)) == "bad_payload"


@pytest.mark.parametrize("value", NO_SEQ, ids=repr)
def test_a_seq_that_is_none_is_refused(value: Any) -> None:
    assert code(payloads.resume, ({"turn_id": TURN, "after_seq": value},)) == "bad_payload"
    assert code(payloads.hello, {"protocol": 1, "after": {"turn_id": TURN, "seq": value}}) == "bad_payload"


@pytest.mark.parametrize("value", ["UP", "", 1, True, [], {}], ids=repr)
def test_a_rating_that_is_none_is_refused(value: Any) -> None:
    assert code(payloads.rating, ({"turn_id": TURN, "rating": value},)) == "bad_payload"


@pytest.mark.parametrize("value", ["\ud800", "\0", *NO_TEXT], ids=repr)
def test_a_comment_that_is_no_text_is_refused(value: Any) -> None:
    assert code(payloads.rating, ({"turn_id": TURN, "rating": "up", "comment": value},)) == "bad_payload"


def test_a_comment_has_a_limit() -> None:
    assert payloads.rating(({"turn_id": TURN, "rating": None, "comment": "x" * 2000},)).comment == "x" * 2000
    assert code(payloads.rating, ({"turn_id": TURN, "rating": None, "comment": "x" * 2001},)) == "too_long"


@pytest.mark.parametrize("value", [None, "5", 1.5, True, [], 0, -1, 51, 10**100], ids=repr)
def test_a_limit_that_is_none_is_refused(value: Any) -> None:
    assert code(payloads.history, ({"limit": value},)) == "bad_payload"
    assert code(payloads.conversations, ({"limit": value},)) == "bad_payload"


@pytest.mark.parametrize("auth", [5, True, "token", [1], {"protocol": 2}, {"protocol": "1"}, {"protocol": []}])
def test_an_auth_of_wrong_types_is_refused(auth: Any) -> None:
    assert code(payloads.hello, auth) == "bad_payload"


@pytest.mark.parametrize("protocol", [True, 1.0], ids=repr)
def test_a_protocol_version_is_a_whole_number_and_nothing_that_equals_one(protocol: Any) -> None:
    assert code(payloads.hello, {"protocol": protocol}) == "bad_payload"


@pytest.mark.parametrize("token", ["\ud800", "\0", *NO_TEXT], ids=repr)
def test_a_token_that_is_no_text_is_refused(token: Any) -> None:
    assert code(payloads.hello, {"protocol": 1, "token": token}) == "bad_payload"


@pytest.mark.parametrize("token", ["\ud800", "\0", *NO_TEXT], ids=repr)
def test_a_user_token_that_is_no_text_is_refused(token: Any) -> None:
    assert code(payloads.hello, {"protocol": 1, "user_token": token}) == "bad_payload"
    assert code(payloads.hello, {"protocol": 1, "user_token": "x" * 4001}) == "too_long"


@pytest.mark.parametrize("value", NO_ID, ids=repr)
def test_a_chosen_conversation_that_is_none_is_refused(value: Any) -> None:
    assert code(payloads.hello, {"protocol": 1, "user_token": "t", "conversation_uuid": value}) == "bad_payload"


def test_a_conversation_is_chosen_by_signed_in_users_only() -> None:
    assert code(payloads.hello, {"protocol": 1, "token": "t", "conversation_uuid": TURN}) == "bad_payload"
    auth = {"protocol": 1, "user_token": "t", "conversation_uuid": TURN.upper()}
    assert payloads.hello(auth) == Hello(1, user_token="t", conversation_uuid=TURN)


@pytest.mark.parametrize("after", [5, "x", [], {}, {"turn_id": TURN}, {"seq": 1}, {"turn_id": "x", "seq": 1}], ids=repr)
def test_an_after_of_wrong_types_is_refused(after: Any) -> None:
    assert code(payloads.hello, {"protocol": 1, "after": after}) == "bad_payload"


def test_what_is_right_comes_out_as_it_was() -> None:
    assert payloads.hello(None) == payloads.hello({}) == Hello()
    auth = {"protocol": 1, "token": "t", "after": {"turn_id": TURN, "seq": -1}}
    assert payloads.hello(auth) == Hello(1, "t", Resume(TURN, -1))
    assert payloads.resume(({"turn_id": TURN, "after_seq": 2**31 - 1},)) == Resume(TURN, 2**31 - 1)
    assert payloads.stop(({"turn_id": TURN},)) == TURN
    assert payloads.stop(({"turn_id": None},)) is None
    assert payloads.rating(({"turn_id": TURN, "rating": "down"},)) == Rating(TURN, "down", None)
    assert payloads.history(({"before": TURN, "limit": 50},)) == Page(TURN, 50)
    assert payloads.conversations(({"before": TURN, "limit": 1},)) == Page(TURN, 1)
    assert payloads.claimed_ids(({"text": "x", "userId": 1, "conversationId": "c"},)) == ("c", 1)


@given(st.text() | st.integers() | st.none())
def test_only_uuids_are_well_formed_and_come_out_in_their_usual_form(value: Any) -> None:
    assert payloads.well_formed_uuid(value) is None
    identity = uuid.uuid4()
    assert payloads.well_formed_uuid(str(identity).upper()) == str(identity)
