"""Users of the host page with the real server: their conversations on every device, and for nobody else."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import RunningServer, wait_until
from tests.server.raw_client import RawWebsocket
from tests.server.test_erasing import delete
from tests.user_tokens import SECRET, user_token_of

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
ADMIN = "an-operator-of-this-server"
ADA, BOB = "ada@example.com", "bob"
OTHER = "the secret that was used before this one was"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = {"USER_TOKEN_SECRET": f"{SECRET},{OTHER}", "TRUST_CLIENT_IDS": "true", "ADMIN_TOKEN": ADMIN}
    running = RunningServer({"DATA_DIR": str(tmp_path_factory.mktemp("data")), "DEMO_PACE": "0", **environment})
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


def signed_in(server: RunningServer, user: str, **auth: Any) -> ChatClient:
    return ChatClient(server.url, auth={"user_token": user_token_of(user), **auth})


def somebody() -> str:
    """A user whom no other test has."""
    return f"user-{uuid.uuid4()}"


def listed(client: ChatClient) -> list[str]:
    answer = client.call("conversations", {})
    assert answer["ok"], answer
    return [one["conversation_uuid"] for one in answer["conversations"]]


def refusal(server: RunningServer, auth: dict[str, Any], query: str = "") -> dict[str, Any]:
    """The error object with which a connection is refused. `query`: of an older client, which has no `auth`."""
    with RawWebsocket(server.url, query and f"&{query}") as client:
        client.send("40/chat," if query else f"40/chat,{json.dumps({'protocol': 1, **auth})}")
        client.wait_for(client.refusals, "the refusal")
        return dict(client.refusals()[0]["data"])


def refused_choice(server: RunningServer, user: str, conversation: str) -> dict[str, Any]:
    """The error object with which a user's choice of a conversation is refused."""
    return refusal(server, {"user_token": user_token_of(user), "conversation_uuid": conversation})


def code_of_resume(client: ChatClient, turn: dict[str, Any]) -> str:
    return str(client.call("resume", {"turn_id": turn["turn_id"], "after_seq": -1})["error"]["code"])


def test_a_conversation_goes_on_on_another_device(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as laptop, signed_in(server, ada) as phone:
        assert laptop.session["signed_in"] is phone.session["signed_in"] is True
        assert laptop.session["user_id"] == ada
        assert laptop.session["conversation_uuid"] != phone.session["conversation_uuid"]
        turn = laptop.ask("How do I embed it?\nPlease be quick.")
        answer = phone.call("conversations", {})
        (found,) = answer["conversations"]
        assert answer["more"] is False
        assert found["conversation_uuid"] == laptop.session["conversation_uuid"]
        assert found["title"] == "How do I embed it?"
        assert found["at"] == laptop.all("turn_started")[0]["at"]
        chosen = found["conversation_uuid"]
    with signed_in(server, ada, conversation_uuid=chosen, token="not even looked at") as phone:
        assert phone.session["conversation_uuid"] == chosen
        assert "renewed" not in phone.session
        assert [one["turn_id"] for one in phone.session["turns"]] == [turn["turn_id"]]
        assert phone.call("feedback", {"turn_id": turn["turn_id"], "rating": "up"}) == {"ok": True}
        assert phone.call("history", {})["turns"][0]["feedback"] == "up"
        assert phone.call("resume", {"turn_id": turn["turn_id"], "after_seq": -1})["finished"]["text"] == turn["text"]


def test_two_devices_in_one_conversation_are_in_step(start_server: Start) -> None:
    server = start_server(USER_TOKEN_SECRET=SECRET, DEMO_PACE="20")
    with signed_in(server, ADA) as laptop:
        first = laptop.say(ENDLESS)
        laptop.wait_for_pieces(first, 2)
        chosen = laptop.session["conversation_uuid"]
        after = {"turn_id": first, "seq": -1}
        with signed_in(server, ADA, conversation_uuid=chosen, after=after) as phone:
            assert phone.session["running"]["turn_id"] == first
            assert phone.session["resumed"]["ok"]
            assert phone.call("stop", {"turn_id": first})["state"] == "stopped"
            assert laptop.whole(first)["text"] == phone.finished(first)["text"]
            second = phone.say("hello")
            assert laptop.whole(second) == phone.whole(second)


def test_a_reload_presents_both_tokens_and_finds_the_same_conversation(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as before:
        turn = before.ask("hello")
    after = {"turn_id": turn["turn_id"], "seq": turn["seq"]}
    with signed_in(server, ada, token=before.token, after=after) as again:
        assert again.session["conversation_uuid"] == before.session["conversation_uuid"]
        assert again.session["resumed"]["pieces"] == []


def test_a_new_conversation_is_the_same_users(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as client:
        client.ask("one")
        old = client.session["conversation_uuid"]
        session = client.call("new_conversation", {})["session"]
        assert (session["user_id"], session["signed_in"]) == (ada, True)
        assert listed(client) == [old]
        client.ask("two")
        assert listed(client) == [session["conversation_uuid"], old]
    with signed_in(server, ada, token=session["token"]) as again:
        assert again.session["conversation_uuid"] == session["conversation_uuid"]


def test_what_somebody_else_left_in_the_browser_is_not_opened_and_nobody_is_told(server: RunningServer) -> None:
    visitor = ChatClient(server.url)
    bob = signed_in(server, somebody())
    for other in (visitor, bob):
        other.ask("something private")
        after = {"turn_id": other.all("turn_finished")[0]["turn_id"], "seq": -1}
        with signed_in(server, somebody(), token=other.token, after=after) as client:
            assert client.session["conversation_uuid"] != other.session["conversation_uuid"]
            assert client.session["turns"] == []
            assert client.session["signed_in"] is True
            assert not {"renewed", "resumed"} & set(client.session)
        other.close()


def test_after_signing_out_the_token_in_the_browser_opens_nothing(server: RunningServer) -> None:
    with signed_in(server, somebody()) as client:
        turn = client.ask("something private")
        empty = client.call("new_conversation", {})["session"]["token"]
    after = {"turn_id": turn["turn_id"], "seq": -1}
    for token in (client.token, empty):
        with ChatClient(server.url, auth={"token": token, "after": after}) as next_one:
            assert next_one.session["conversation_uuid"] != client.session["conversation_uuid"]
            assert next_one.session["user_id"] != client.session["user_id"]
            assert next_one.session["turns"] == []
            assert not {"renewed", "resumed", "signed_in"} & set(next_one.session)
            assert code_of_resume(next_one, turn) == "unknown_turn"
            assert next_one.call("conversations", {})["error"]["code"] == "not_signed_in"


def test_a_conversation_of_somebody_else_is_refused_as_one_that_is_not_there(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as mine, ChatClient(server.url) as visitor, signed_in(server, somebody()) as bob:
        for client in (mine, visitor, bob):
            client.ask("hello")
        gone = bob.session["conversation_uuid"]
        assert delete(server, f"/api/conversations/{gone}")[1]["done"]
        wait_until(lambda: bob.all("disconnect"), "bob is let go")
        (own,) = listed(mine)
        never_written = mine.call("new_conversation", {})["session"]["conversation_uuid"]
        others = [visitor.session["conversation_uuid"], gone, never_written, str(uuid.uuid4())]
        errors = [refused_choice(server, ada, one) for one in others]
        errors += [refused_choice(server, bob.session["user_id"], gone), refused_choice(server, "eve", own)]
        assert errors[0]["code"] == "not_yours"
        assert all(error == errors[0] for error in errors)
        assert refusal(server, {"conversation_uuid": own})["code"] == "bad_payload"


def test_a_page_that_chooses_its_ids_gets_nothing_into_a_users_list(server: RunningServer) -> None:
    user, chosen = str(uuid.uuid4()), str(uuid.uuid4())
    with signed_in(server, user) as mine:
        mine.ask("mine")
        own = mine.session["conversation_uuid"]
        with ChatClient(server.url, older=True, query=f"?conversationId={chosen}&userId={user}") as spoofer:
            assert spoofer.session["user_id"] == user
            spoofer.ask("planted")
            assert spoofer.call("conversations", {})["error"]["code"] == "not_signed_in"
            token = spoofer.token
        assert listed(mine) == [own]
        assert refused_choice(server, user, chosen)["code"] == "not_yours"
        with signed_in(server, user, token=token) as again:
            assert again.session["turns"] == []
        for other in (user, uuid.uuid4()):
            assert refusal(server, {}, f"conversationId={own}&userId={other}")["code"] == "not_yours"


def test_a_page_that_guesses_the_ids_before_anything_is_written_hears_nothing(server: RunningServer) -> None:
    user = str(uuid.uuid4())
    with signed_in(server, user) as mine:
        query = f"?conversationId={mine.session['conversation_uuid']}&userId={user}"
        with ChatClient(server.url, older=True, query=query) as spoofer:
            assert spoofer.session["conversation_uuid"] == mine.session["conversation_uuid"]
            turn = mine.ask("something private")
            assert spoofer.call("history", {})["turns"] == []
            assert code_of_resume(spoofer, turn) == "unknown_turn"
            assert spoofer.call("stop", {})["error"]["code"] == "unknown_turn"
            assert spoofer.call("user_message", {"text": "x"})["error"]["code"] == "not_yours"
            assert not spoofer.all("turn_started") + spoofer.all("turn_finished")


def test_the_list_comes_in_pages(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as client:
        written = []
        for number in range(5):
            client.ask(f"number {number}")
            written.insert(0, client.all("turn_started")[-1]["at"])
            client.call("new_conversation", {})
        first = client.call("conversations", {"limit": 2})
        assert (len(first["conversations"]), first["more"]) == (2, True)
        before = first["conversations"][-1]["conversation_uuid"]
        rest = client.call("conversations", {"limit": 50, "before": before})
        assert rest["more"] is False
        assert [one["at"] for one in [*first["conversations"], *rest["conversations"]]] == written
        stranger = client.call("conversations", {"before": str(uuid.uuid4())})
        assert stranger["error"]["code"] == "unknown_conversation"
        assert client.call("conversations", {"limit": 51})["error"]["code"] == "bad_payload"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (user_token_of(BOB, exp=int(time.time()) - 60), "expired"),
        (user_token_of(BOB, secret="x" * 32), "another secret"),
        (user_token_of(7), "must be a string"),
        ("", "JSON Web Token"),
    ],
    ids=["expired", "forged", "number", "empty"],
)
def test_a_bad_user_token_refuses_the_connection_and_says_why(server: RunningServer, token: str, words: str) -> None:
    with ChatClient(server.url) as visitor:
        for auth in ({}, {"token": visitor.token}, {"protocol": None}):
            error = refusal(server, {"user_token": token, **auth})
            assert error["code"] == "bad_user_token"
            assert words in error["message"]
    assert sum(words in line for line in server.log.splitlines()) == 1
    assert not token or token not in server.log
    assert BOB not in server.log


def test_without_the_setting_a_user_token_is_refused_and_everybody_else_is_served(start_server: Start) -> None:
    server = start_server()
    error = refusal(server, {"user_token": user_token_of(ADA)})
    assert error["code"] == "bad_user_token"
    assert "USER_TOKEN_SECRET" in error["message"]
    with ChatClient(server.url) as client:
        assert "signed_in" not in client.session
        assert client.ask("hello")["state"] == "complete"


def test_the_secret_is_changed_without_anybody_noticing(start_server: Start) -> None:
    old = start_server(USER_TOKEN_SECRET=OTHER)
    before = ChatClient(old.url, auth={"user_token": user_token_of(ADA, secret=OTHER)})
    before.ask("hello")
    before.close()
    old.stop()
    between = start_server(USER_TOKEN_SECRET=f"{SECRET},{OTHER}")
    for secret in (OTHER, SECRET):
        auth = {"user_token": user_token_of(ADA, secret=secret), "token": before.token}
        with ChatClient(between.url, auth=auth) as client:
            assert client.session["conversation_uuid"] == before.session["conversation_uuid"]
    between.stop()
    new = start_server(USER_TOKEN_SECRET=SECRET)
    assert "another secret" in refusal(new, {"user_token": user_token_of(ADA, secret=OTHER)})["message"]
    with signed_in(new, ADA) as client:
        assert listed(client) == [before.session["conversation_uuid"]]


@pytest.mark.parametrize("name", ["ada+news@example.com", "/a//b/", "50 %?x=1#y", "日本/🙂", "..", "a\\b"])
def test_a_user_who_is_erased_is_let_go_and_comes_back_to_an_empty_list(server: RunningServer, name: str) -> None:
    path = f"/api/users/{quote(name, safe='')}"
    client, idle = signed_in(server, name), signed_in(server, name)
    bystander = signed_in(server, somebody())
    bystander.ask("hello")
    client.ask("something private")
    chosen = client.session["conversation_uuid"]
    assert delete(server, f"{path}?dry_run=true")[1]["conversations"] == 1
    status, told = delete(server, path)
    assert (status, told["done"], told["conversations"]) == (200, True, 1)
    for tab in (client, idle):
        wait_until(lambda tab=tab: tab.all("disconnect"), "the client is let go")
        assert tab.all("server_message")[0]["code"] == "erased"
    with signed_in(server, name, token=client.token) as again:
        assert again.session["renewed"] == "invalid"
        assert again.session["user_id"] == name
        assert again.session["turns"] == []
        assert listed(again) == []
        assert again.ask("a new beginning")["state"] == "complete"
        assert listed(again) == [again.session["conversation_uuid"]]
    assert refused_choice(server, name, chosen)["code"] == "not_yours"
    assert len(listed(bystander)) == 1
    bystander.close()
    assert delete(server, path)[1]["conversations"] == 1


def test_the_conversation_as_json_is_for_the_user_token(server: RunningServer) -> None:
    ada = somebody()
    with signed_in(server, ada) as client:
        client.ask("hello")
        path = f"/api/conversations/{client.session['conversation_uuid']}"

        def read(token: str) -> tuple[int, dict[str, Any]]:
            status, body, _ = server.get(path, {"Authorization": f"Bearer {token}"})
            return status, json.loads(body)

        status, found = read(user_token_of(ada))
        assert (status, found["user_id"], found["conversations"][0]["user_query"]) == (200, ada, "hello")
        assert read(client.token)[0] == 401
        assert read(user_token_of(somebody()))[0] == 404
        assert read(user_token_of(ada, exp=int(time.time()) - 60))[0] == 401
        assert read(ADMIN) == (200, found)
