"""The namespace `/chat`: each event of the protocol, in a few lines. What can go wrong is answered, never raised.

Events do not pass through Flask's request context: nothing here needs it, and it costs more than the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask_socketio import Namespace, SocketIO
from socketio.exceptions import ConnectionRefusedError

from app.chat.conversations import Conversations
from app.chat.turns import TurnState
from app.errors import ChatError, Code
from app.transcripts.past import PastConversations
from app.web.metrics import Metrics
from ws import payloads
from ws.clients import Client, Clients
from ws.emitter import error_payload, older_room, past_payload, resume_payload, room, turn_payload
from ws.entrance import Entrance
from ws.live import Replay
from ws.packets import NAMESPACE, REFUSED, Unacknowledged
from ws.payloads import Resume

log = logging.getLogger(__name__)

SESSION_TURNS = 20
SESSION_BYTES = 256 * 1024
"""Bytes (UTF-8) of the texts in one `session` or `history`: somebody on a slow line has to get it, too."""

FAULT = ChatError(Code.INTERNAL, "Something went wrong on our side. Please try again.")

Answer = dict[str, Any] | None


class ChatNamespace(Namespace):  # type: ignore[misc]
    """One for the whole server; a client is its Socket.IO session id."""

    def __init__(
        self, socketio: SocketIO, conversations: Conversations, entrance: Entrance, clients: Clients,
        past: PastConversations, replay: Replay, metrics: Metrics, max_text: int, turn_queue: int,
    ) -> None:  # fmt: skip
        super().__init__(NAMESPACE)
        self._server = socketio
        self._conversations = conversations
        self._entrance = entrance
        self._clients = clients
        self._past = past
        self._replay = replay
        self._metrics = metrics
        self._limits = {"max_text": max_text, "turn_queue": turn_queue}
        self._events: dict[str, Callable[..., Answer]] = {
            "user_message": self._user_message,
            "resume": self._resume,
            "stop": self._stop,
            "feedback": self._feedback,
            "history": self._history,
            "conversations": self._list_conversations,
            "new_conversation": self._new_conversation,
            "heartbeat": lambda _sid, *_anything: None,
            REFUSED: self._refused,
        }

    def trigger_event(self, event: str, sid: str, *arguments: Any) -> Any:
        """Called by the library for every event. `ws.packets` sees to it that lifecycle events are its own."""
        if event == "connect":
            return self._connect(sid, *arguments)
        if event == "disconnect":
            return self._disconnect(sid)
        handler: Callable[..., Answer] = self._events.get(event, self._unknown)
        try:
            return handler(sid, *arguments)
        except ChatError as error:
            refusal = error
        except Exception:
            log.exception("an event could not be handled")
            refusal = FAULT
        return self._refuse(sid, refusal, acknowledged=not isinstance(event, Unacknowledged))

    def greet(self, sid: str) -> None:
        """After the connection stands: join the room, then read what is there, then tell it."""
        try:
            client = self._clients.get(sid)
            self._join(sid, client)
            self._clients.check_not_erased(client)
            self._emit("session", self._session(client), to=sid)
        except ChatError as error:
            # Without its session a client can do nothing; it connects again later.
            self.dismiss(sid, error)

    def dismiss(self, sid: str, error: ChatError) -> None:
        """Tell a client why, and end its connection to the chat."""
        self._emit("server_message", _server_message(error), to=sid)
        self._server.server.disconnect(sid, namespace=NAMESPACE)

    def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        # Only this one exception may leave a connect handler; the library runs it again on others.
        try:
            client = self._entrance.client(payloads.hello(auth), environ.get("QUERY_STRING", ""))
            self._clients.welcome(sid, client, environ)
        except ChatError as error:
            self._metrics.refusals.labels(error.code).inc()
            raise ConnectionRefusedError(error.message, error_payload(error)) from None
        except Exception:
            log.exception("a connection could not be taken")
            raise ConnectionRefusedError(FAULT.message, error_payload(FAULT)) from None
        self._metrics.connections.inc()

    def _disconnect(self, sid: str) -> None:
        if self._clients.forget(sid):
            self._metrics.connections.dec()

    def _user_message(self, sid: str, *arguments: Any) -> Answer:
        client = self._clients.get(sid)
        message = payloads.message(arguments, self._limits["max_text"])
        self._clients.check_claims(client, *payloads.claimed_ids(arguments))
        message = replace(message, client_ip=client.ip, user_agent=client.user_agent)
        accepted = self._conversations.accept(client.identity, message)
        turn = accepted.turn
        return {"ok": True, "turn_id": turn.id, "client_id": turn.client_id, "duplicate": accepted.duplicate}

    def _resume(self, sid: str, *arguments: Any) -> Answer:
        return self._resumed(self._clients.get(sid), payloads.resume(arguments))

    def _stop(self, sid: str, *arguments: Any) -> Answer:
        client = self._clients.get(sid)
        return {"ok": True, "state": self._conversations.stop(client.identity, payloads.stop(arguments))}

    def _feedback(self, sid: str, *arguments: Any) -> Answer:
        client = self._clients.get(sid)
        given = payloads.rating(arguments)
        self._conversations.rate(client.identity, given.turn_id, given.rating, given.comment)
        # To the giver as well: of two tabs that disagree both end on the one that was recorded last.
        rated = {"turn_id": given.turn_id, "rating": given.rating}
        self._emit("turn_rated", rated, to=room(client.identity))
        return {"ok": True}

    def _history(self, sid: str, *arguments: Any) -> Answer:
        client = self._clients.get(sid)
        page = payloads.history(arguments)
        turns, more = self._conversations.turns(
            client.identity, before=page.before, limit=page.limit, max_bytes=SESSION_BYTES
        )
        return {"ok": True, "turns": [turn_payload(turn) for turn in turns], "more": more}

    def _list_conversations(self, sid: str, *arguments: Any) -> Answer:
        client = self._clients.get(sid)
        page = payloads.conversations(arguments)
        if not client.identity.signed_in:
            raise ChatError(Code.NOT_SIGNED_IN, "Only signed-in users have a list of their conversations.")
        found, more = self._past.of(client.identity.user_id, page.before, page.limit)
        return {"ok": True, "conversations": [past_payload(past) for past in found], "more": more}

    def _new_conversation(self, sid: str, *arguments: Any) -> Answer:
        payloads.nothing(arguments)
        old = self._clients.get(sid)
        new = Client(old.identity.in_new_conversation(), old.older, ip=old.ip, user_agent=old.user_agent)
        # First what can fail: a refusal means that the client is where it was.
        session = self._session(new)
        self._leave(sid, old)
        self._clients.move(sid, new)
        self._join(sid, new)
        return {"ok": True, "session": session}

    def _unknown(self, _sid: str, *_arguments: Any) -> Answer:
        raise ChatError(Code.UNKNOWN_EVENT, "This server has no such event; see docs/protocol.md.")

    def _refused(self, _sid: str, *_arguments: Any) -> Answer:
        raise ChatError(Code.BAD_PAYLOAD, "This was no event of the chat protocol; see docs/protocol.md.")

    def _refuse(self, sid: str, error: ChatError, *, acknowledged: bool) -> Answer:
        """Tell an error: as the acknowledgement, or as a message to those who asked for none."""
        self._metrics.refusals.labels(error.code).inc()
        client = self._clients.find(sid)
        if client is not None and client.older:
            self._emit("assistant_message", {"text": error.message}, to=sid)
        elif not acknowledged:
            self._emit("server_message", _server_message(error), to=sid)
        return {"ok": False, "error": error_payload(error)}

    def _session(self, client: Client) -> dict[str, Any]:
        identity = client.identity
        running = self._conversations.running_turn(identity)
        now = self._replay.snapshot(running.id) if running else None
        resumed = self._resumed_at_connect(client)
        # The journal last: a turn that ended in between is final here, and not running.
        turns, more = self._conversations.turns(identity, limit=SESSION_TURNS, max_bytes=SESSION_BYTES)
        payload = {
            "protocol": 1,
            "conversation_uuid": identity.conversation,
            "user_id": identity.user_id,
            "token": self._clients.token(client),
            "turns": [turn_payload(turn) for turn in turns],
            "more": more,
            "running": None,
            "limits": self._limits,
        }
        state = next((turn.state for turn in turns if running and turn.id == running.id), TurnState.RUNNING)
        if running and now and not state.final:
            payload["running"] = {"turn_id": running.id, "text": now.text, "seq": now.seq, "state": state}
        if identity.signed_in:
            payload["signed_in"] = True
        if resumed:
            payload["resumed"] = resumed
        if client.renewed:
            payload["renewed"] = client.renewed
        return payload

    def _resumed_at_connect(self, client: Client) -> Answer:
        if client.after is None or client.renewed:
            return None
        try:
            return self._resumed(client, client.after)
        except ChatError as error:
            return {"ok": False, "error": error_payload(error)}

    def _resumed(self, client: Client, after: Resume) -> dict[str, Any]:
        # Replay first, the journal second: see ws/live.py.
        rest = self._replay.read(after.turn_id, after.after_seq)
        turn = self._conversations.turn(client.identity, after.turn_id)
        return resume_payload(turn, after.after_seq, rest)

    def _join(self, sid: str, client: Client) -> None:
        name = room(client.identity)
        self._server.server.enter_room(sid, name, namespace=NAMESPACE)
        if client.older:
            self._server.server.enter_room(sid, older_room(name), namespace=NAMESPACE)

    def _leave(self, sid: str, client: Client) -> None:
        name = room(client.identity)
        self._server.server.leave_room(sid, name, namespace=NAMESPACE)
        self._server.server.leave_room(sid, older_room(name), namespace=NAMESPACE)

    def _emit(self, event: str, payload: Any, *, to: str) -> None:
        self._server.emit(event, payload, to=to, namespace=NAMESPACE)


def _server_message(error: ChatError) -> dict[str, Any]:
    payload = error_payload(error)
    return payload | {"text": payload.pop("message")}
