"""Ids that older pages choose themselves: whose conversation they open, and whose never."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.chat_client import ChatClient
from tests.running_server import RunningServer, wait_until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    server = RunningServer({"DATA_DIR": data, "TRUST_CLIENT_IDS": "true", "DEMO_PACE": "50"})
    server.start()
    yield server
    server.stop()


def older(server: RunningServer, user: str, conversation: str) -> ChatClient:
    return ChatClient(server.url, older=True, query=f"?userId={user}&conversationId={conversation}")


def ids() -> tuple[str, str]:
    return str(uuid.uuid4()), str(uuid.uuid4())


def test_an_older_page_finds_its_conversation_by_its_own_ids(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        finished = client.ask("hello")
    with older(trusting, user, conversation) as client:
        assert client.session["conversation_uuid"] == conversation
        assert [turn["answer"] for turn in client.session["turns"]] == [finished["text"]]


@pytest.mark.parametrize(
    ("user", "conversation"), [("u1", "c1"), ("", ""), ("5a0d3c1e-6f5b-4f0e-9d0a-2f1f6f1b8c11", "x"), ("%00", "%ff")]
)
def test_ids_that_are_no_uuids_are_not_used(trusting: RunningServer, user: str, conversation: str) -> None:
    with older(trusting, user, conversation) as client:
        assert client.session["conversation_uuid"] != conversation
        assert client.session["user_id"] != user


def test_the_first_user_owns_the_conversation(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        client.ask("hello")
    with pytest.raises(Exception, match=r"namespaces failed|belongs to somebody else"):
        older(trusting, str(uuid.uuid4()), conversation)


def test_a_conversation_begun_with_a_token_is_not_opened_by_its_ids(trusting: RunningServer) -> None:
    with ChatClient(trusting.url) as client:
        client.ask("hello")
        session = client.session
    with pytest.raises(Exception, match=r"namespaces failed|belongs to somebody else"):
        older(trusting, session["user_id"], session["conversation_uuid"])


def test_a_second_user_in_the_same_conversation_hears_and_reads_nothing(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as owner, older(trusting, str(uuid.uuid4()), conversation) as second:
        turn = owner.say("hello")
        owner.wait_for_pieces(turn)
        assert second.call("history", {})["turns"] == []
        for event, payload in (
            ("resume", {"turn_id": turn, "after_seq": -1}),
            ("stop", {"turn_id": turn}),
            ("stop", {}),
            ("feedback", {"turn_id": turn, "rating": "up"}),
        ):
            assert second.call(event, payload)["error"]["code"] == "unknown_turn", event
        assert second.call("user_message", {"text": "me too"})["error"]["code"] == "not_yours"
        assert owner.whole(turn)["state"] == "complete"
        assert not [heard for heard in second.heard if turn in str(heard.payload)]
        # The refusals' sentences are all that an older page was shown.
        assert all("seq" not in shown for shown in second.all("assistant_message"))


def test_ids_in_a_payload_are_those_of_the_connection(trusting: RunningServer) -> None:
    user, conversation = ids()
    with older(trusting, user, conversation) as client:
        own = {"text": "hello", "userId": user, "conversationId": conversation}
        for wrong in ({"userId": ids()[0]}, {"conversationId": ids()[0]}, {"userId": 5}, {"conversationId": []}):
            assert client.call("user_message", own | wrong)["error"]["code"] == "not_yours", wrong
        assert client.call("user_message", own)["ok"]
        wait_until(lambda: client.all("turn_finished"), "the answer ends")


def test_ids_in_capitals_are_the_same_ids(trusting: RunningServer) -> None:
    user, conversation = (part.upper() for part in ids())
    with older(trusting, user, conversation) as client:
        answer = client.call("user_message", {"text": "hello", "userId": user, "conversationId": conversation})
        assert answer["ok"], answer
        wait_until(lambda: client.all("turn_finished"), "the answer ends")


def test_a_client_that_speaks_the_protocol_gets_ids_of_the_server_all_the_same(trusting: RunningServer) -> None:
    user, conversation = ids()
    with ChatClient(trusting.url, query=f"?userId={user}&conversationId={conversation}") as client:
        assert client.session["conversation_uuid"] != conversation
