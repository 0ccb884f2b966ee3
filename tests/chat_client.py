"""A Socket.IO client for tests: connects, keeps every event in its order, and puts answers together."""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import socketio

from tests.running_server import PATIENCE, wait_until

LOG = logging.getLogger(__name__)
NAMESPACE = "/chat"
ENDLESS = "count to 2000"
"""What the demo answers for longer than any test takes, at 40 words a second or less: to be stopped, not waited for."""


@dataclass
class Heard:
    """One event that arrived."""

    event: str
    payload: dict[str, Any] = field(default_factory=dict)


class ChatClient:
    """One connection. `auth` None connects like an older client, without any."""

    def __init__(
        self, url: str, *, transport: str = "websocket", auth: dict[str, Any] | None = None,
        older: bool = False, query: str = "", headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.heard: list[Heard] = []
        self._lock = threading.Lock()
        # By itself engineio logs to whatever standard error was when the process's first client came.
        self._socket = socketio.Client(reconnection=False, logger=LOG, engineio_logger=LOG)
        self._handle_in_order()
        self._socket.on("*", self._hear, namespace=NAMESPACE)
        self._socket.on("disconnect", lambda *_: self._hear("disconnect"), namespace=NAMESPACE)
        self._socket.connect(
            url + query,
            namespaces=[NAMESPACE],
            transports=[transport] if transport != "upgrade" else ["polling", "websocket"],
            auth=None if older else {"protocol": 1, **(auth or {})},
            headers=headers or {},
            wait_timeout=PATIENCE,
        )
        wait_until(lambda: self.all("session") or self.all("disconnect"), "the session arrives")

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def session(self) -> dict[str, Any]:
        return self.all("session")[-1]

    @property
    def token(self) -> str:
        return str(self.session["token"])

    def close(self) -> None:
        self._socket.disconnect()

    def emit(self, event: str, *payload: Any) -> None:
        """Send an event without asking for an acknowledgement."""
        self._socket.emit(event, payload, namespace=NAMESPACE)

    def call(self, event: str, *payload: Any) -> Any:
        """Send an event and wait for its acknowledgement."""
        return self._socket.call(event, payload, namespace=NAMESPACE, timeout=PATIENCE)

    def say(self, text: str, client_id: str | None = None) -> str:
        """Send a message that must be accepted. Its turn's id."""
        answer = self.call("user_message", {"text": text, "client_id": client_id or str(uuid.uuid4())})
        assert answer["ok"], answer
        return str(answer["turn_id"])

    def ask(self, text: str) -> dict[str, Any]:
        """Send a message and wait for the end of its turn: the `turn_finished`."""
        return self.finished(self.say(text))

    def all(self, event: str, turn_id: str | None = None) -> list[dict[str, Any]]:
        """The payloads of an event so far, in their order."""
        with self._lock:
            found = [heard.payload for heard in self.heard if heard.event == event]
        return [payload for payload in found if turn_id is None or payload.get("turn_id") == turn_id]

    def stop(self, turn_id: str) -> dict[str, Any]:
        """Stop a turn that is under way, and see that what came of it is whole: its `turn_finished`."""
        assert self.call("stop", {"turn_id": turn_id}) == {"ok": True, "state": "stopped"}
        finished = self.whole(turn_id)
        assert finished["state"] == "stopped"
        return finished

    def finished(self, turn_id: str) -> dict[str, Any]:
        """Wait for a turn's end."""
        wait_until(lambda: self.all("turn_finished", turn_id), f"turn {turn_id} ends")
        return self.all("turn_finished", turn_id)[0]

    def whole(self, turn_id: str) -> dict[str, Any]:
        """Wait for a turn's end, and see that its pieces came without a hole and are its text."""
        finished = self.finished(turn_id)
        assert_whole(self.pieces(turn_id), finished)
        return finished

    def pieces(self, turn_id: str) -> list[dict[str, Any]]:
        return self.all("assistant_message", turn_id)

    def wait_for_pieces(self, turn_id: str, count: int = 1) -> None:
        wait_until(lambda: len(self.pieces(turn_id)) >= count, f"{count} pieces of turn {turn_id}")

    def _hear(self, event: str, payload: Any = None) -> None:
        with self._lock:
            self.heard.append(Heard(event, payload if isinstance(payload, dict) else {"payload": payload}))

    def _handle_in_order(self) -> None:
        # The library gives each message a thread of its own, in which events can change places.
        trigger = self._socket.eio._trigger_event

        def in_order(event: str, *arguments: Any, **options: Any) -> Any:
            return trigger(event, *arguments, **{**options, "run_async": False})

        self._socket.eio._trigger_event = in_order


def assert_whole(pieces: list[dict[str, Any]], finished: dict[str, Any]) -> None:
    """The pieces are numbered 0..n without a hole, in order, and together they are the finished text."""
    assert [piece["seq"] for piece in pieces] == list(range(finished["seq"] + 1))
    assert "".join(piece["text"] for piece in pieces) == finished["text"]


def assert_three_turns(client: ChatClient) -> None:
    """Three messages to an assistant of `tests.wire` are answered whole, the last one with its history."""
    for text in ("alpha", "beta"):
        assert client.whole(client.say(text))["state"] == "complete"
    third = client.whole(client.say("gamma"))
    assert third["state"] == "complete"
    assert "turn 3" in third["text"]
    assert "alpha | beta" in third["text"]
    assert third["usage"]["output_tokens"] > 0
