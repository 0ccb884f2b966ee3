"""Puts the socket together: Flask-SocketIO with checked input, the namespace, and green threads for the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from flask import Flask
from flask_socketio import SocketIO
from socketio import Manager

from app.chat.clock import Clock
from app.chat.conversations import Conversations
from app.chat.identity import Tokens
from app.chat.interfaces import Assistant
from app.chat.queue import TurnQueue
from app.chat.runner import Limits, Runner
from app.chat.turns import Turn
from app.chat.user_tokens import UserTokens
from app.settings import Settings
from app.transcripts.journal import SqlJournal
from app.transcripts.past import PastConversations
from app.transcripts.shipper import Shipper
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Tombstones
from app.web.metrics import Metrics
from app.web.origins import Origins
from ws.admission import Admission, make_room, most_clients
from ws.backlog import bound
from ws.clients import Clients
from ws.departure import Departure
from ws.emitter import Emitter
from ws.entrance import Entrance
from ws.forgetting import Forgetting
from ws.frames import MAX_BODY, CheckedRequests, checked_websocket
from ws.housekeeping import Strangers, keep_house
from ws.live import MemoryReplay
from ws.namespace import ChatNamespace
from ws.packets import NAMESPACE, CheckedPacket, StrictJson
from ws.transfers import Transfers


class GreetingManager(Manager):  # type: ignore[misc]
    """The library's client manager; also tells when a connection stands, that is, after its CONNECT packet.

    What is emitted in a connect handler leaves before that packet, and most clients drop it.
    """

    greet: Callable[[str], None]

    def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        # A CONNECT packet can come right behind the end of its connection.
        return super().pre_connect(eio_sid, namespace) if eio_sid in self.server.environ else None

    def connect(self, sid: str, namespace: str) -> str:
        sid = str(super().connect(sid, namespace))
        if namespace == NAMESPACE:
            self.greet(sid)
        return sid


def add_socket(
    flask: Flask, settings: Settings, *, origins: Origins, metrics: Metrics, tokens: Tokens,
    user_tokens: UserTokens, journal: SqlJournal, past: PastConversations, assistant: Assistant,
    end_orphans: Callable[[], list[Turn]],
    tombstones: Tombstones, subjects: Subjects, note: Callable[[int], None],
    shipper: Shipper | None = None, background: Sequence[Callable[[], object]] = (),
) -> SocketIO:  # fmt: skip
    """Serve the chat's namespace on `flask`. `end_orphans` ends the turns of workers that died, and names them.

    `note` tells other processes for which tombstones this one has done its part. `background`: what runs for ever
    beside it, each in a green thread.
    """
    manager = GreetingManager()
    bound(metrics.slow.inc)
    socketio = _socketio(flask, settings, origins, manager)
    engine = socketio.server.eio
    admission = Admission(engine.sockets, make_room(most_clients(settings), settings.max_running_turns))
    transfers = Transfers()
    flask.wsgi_app = CheckedRequests(flask.wsgi_app, admission, transfers)  # type: ignore[method-assign]
    _spawn(socketio, transfers.watch)
    replay = MemoryReplay(settings.replay_seconds)
    listener = Emitter(partial(socketio.emit, namespace=NAMESPACE), replay, metrics)
    queue = TurnQueue(settings.max_running_turns, settings.max_waiting_turns, settings.turn_queue)
    limits = Limits(settings.turn_deadline, settings.chat_history_chars, settings.max_answer, settings.show_reasoning)
    clock = Clock()
    runner = Runner(queue, assistant, journal, listener, partial(_spawn, socketio), limits, clock)
    conversations = Conversations(journal, queue, runner, listener, clock.utc)
    trusts = settings.trust_client_ids
    entrance = Entrance(tokens, user_tokens, journal, trust_client_ids=trusts, erased=tombstones.covers)
    clients = Clients(tokens, settings.client_ip, tombstones.covers)
    namespace = ChatNamespace(
        socketio, conversations, entrance, clients, past, replay, metrics, settings.max_text, settings.turn_queue
    )
    manager.greet = namespace.greet
    flask.extensions["chat_departure"] = Departure(
        runner, queue, clients, admission, engine, manager.sid_from_eio_sid, settings.drain_seconds, shipper
    )
    socketio.on_namespace(namespace)
    strangers = Strangers(engine, manager.sid_from_eio_sid)
    forgetting = Forgetting(
        tombstones, subjects, journal.owner, note,
        conversations=conversations, clients=clients, replay=replay, dismiss=namespace.dismiss,
    )  # fmt: skip
    _spawn(socketio, partial(keep_house, replay, end_orphans, listener, strangers, forgetting))
    for work in background:
        _spawn(socketio, work)
    metrics.watch("chat_turns_running", "Turns that are being answered.", lambda: queue.running)
    metrics.watch("chat_turns_waiting", "Turns that wait for their start.", lambda: queue.waiting)
    return socketio


def _spawn(socketio: SocketIO, work: Callable[[], object]) -> Callable[[], None]:
    """Start a green thread. What is given back ends it where it waits; a real thread cannot be ended so."""
    task = socketio.start_background_task(work)
    green = getattr(task, "g", None)
    return green.kill if green is not None else lambda: None


def _quiet_logger(name: str) -> logging.Logger:
    """A library's logger for faults only: at INFO it prints every packet with its text."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    # `Origins` says it better, with what to do.
    logger.addFilter(lambda record: "accepted origin" not in record.getMessage())
    return logger


def _socketio(flask: Flask, settings: Settings, origins: Origins, manager: Manager) -> SocketIO:
    options: dict[str, Any] = {
        "async_mode": settings.async_mode,
        "client_manager": manager,
        "namespaces": [NAMESPACE],
        "serializer": CheckedPacket,
        "json": StrictJson,
        "cors_allowed_origins": origins.allows,
        "cors_credentials": False,
        "max_http_buffer_size": MAX_BODY,
        "manage_session": False,
        "logger": _quiet_logger("socketio"),
        "engineio_logger": _quiet_logger("engineio"),
        "ping_interval": 25,
        "ping_timeout": 20,
    }
    socketio = SocketIO(flask, **options)
    if settings.async_mode == "eventlet":
        from ws.eventlet_websocket import mend

        mend()
    engine = socketio.server.eio
    engine._async = {**engine._async, "websocket": checked_websocket(engine._async["websocket"])}
    return socketio
