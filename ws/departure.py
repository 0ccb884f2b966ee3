"""The orderly end of a worker: nothing new is taken, running answers may end, everybody is told, sockets close.

`Departure` is the chat's side. `WorkerEnd` is gunicorn's: by itself the eventlet worker waits for open
websockets until it is killed, looks only once a second whether it is to end, and does not notice that its
master was killed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import greenlet

from app.chat.queue import TurnQueue
from app.chat.runner import Runner
from ws.admission import Admission
from ws.clients import Clients
from ws.packets import NAMESPACE

LOOK_EVERY = 0.05
RECORDING = 3.0
"""Seconds that the last final states may take; a journal that is in trouble must not keep the process."""
SHIPPING = 1.0
"""Seconds that the last records may take to Elasticsearch; what is left is shipped after the next start."""
CLOSING = 1.0
"""Seconds that open requests may take when everything has been said and closed."""


class Ships(Protocol):
    """Who takes records to Elasticsearch. `busy`: `finish` has something to do that is worth waiting for."""

    def finish(self, seconds: float) -> None: ...

    @property
    def busy(self) -> bool: ...


class Departure:
    """Ends the chat of a worker. `patience`: seconds that running answers are given."""

    def __init__(
        self, runner: Runner, queue: TurnQueue, clients: Clients, admission: Admission, engine: Any,
        sid_of: Callable[[str, str], str | None], patience: float, shipper: Ships | None = None,
    ) -> None:  # fmt: skip
        self._runner = runner
        self._queue = queue
        self._clients = clients
        self._admission = admission
        self._engine = engine
        self._sid_of = sid_of
        self._patience = patience
        self._ended = False
        self._ending = threading.Lock()
        self._shipper = shipper

    def drain(self) -> None:
        """Take nothing new, let go of everybody who waits for nothing, wait for the answers, then `end`."""
        self._close_doors()
        deadline = time.monotonic() + self._patience
        while self._queue.running or self._queue.waiting:
            self._close(idle_only=True)
            if time.monotonic() >= deadline:
                break
            time.sleep(LOOK_EVERY)
        self.end()

    def end(self) -> None:
        """End what still runs as interrupted, tell it, close every connection. Only the first call does anything.

        Every call returns when it is done: after SIGINT the watch and gunicorn both come, and then end the process.
        """
        with self._ending:
            if not self._ended:
                self._ended = True
                self._end()

    def _end(self) -> None:
        self._close_doors()
        self._runner.interrupt()
        deadline = time.monotonic() + RECORDING
        while self._runner.unrecorded and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
        self._close(idle_only=False)
        if self._shipper is not None:
            self._ship(self._shipper)

    def _ship(self, shipper: Ships) -> None:
        shipper.finish(SHIPPING)
        while shipper.busy:
            time.sleep(LOOK_EVERY / 5)

    def _close_doors(self) -> None:
        self._admission.closed = True
        self._queue.closed = True

    def _close(self, *, idle_only: bool) -> None:
        for eio_sid, connection in list(self._engine.sockets.items()):
            if not connection.closed and not (idle_only and self._waits(eio_sid)):
                connection.close(wait=False)

    def _waits(self, eio_sid: str) -> bool:
        """Whether this client's conversation has an answer under way or a message in the queue."""
        sid = self._sid_of(eio_sid, NAMESPACE)
        client = self._clients.find(sid) if sid else None
        return client is not None and self._queue.has_unfinished(client.identity.conversation)


class WorkerEnd:
    """Watches over a gunicorn worker, from its start on. To be made in its main thread, before it serves."""

    def __init__(self, worker: Any, departure: Departure) -> None:
        self._worker = worker
        self._departure = departure
        self._told = False
        self._requests = 0
        self._main = greenlet.getcurrent()
        self._handle_request = worker.handle_request
        worker.handle_request = self._counted
        signal.signal(signal.SIGTERM, self._on_term)

    def watch(self) -> None:
        """Wait until the worker has to go, then see to it that it goes. For a green thread of its own."""
        while not self._told and self._worker.alive and os.getppid() == self._worker.ppid:
            time.sleep(LOOK_EVERY)
        self._stop_listening()
        self._departure.drain()
        deadline = time.monotonic() + CLOSING
        while self._requests and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY / 5)
        self._leave()

    def _on_term(self, *_signal: object) -> None:
        self._told = True

    def _counted(self, *arguments: Any) -> Any:
        self._requests += 1
        try:
            return self._handle_request(*arguments)
        finally:
            self._requests -= 1

    def _is_green(self) -> bool:
        return "eventlet" in self._worker.cfg.worker_class_str

    def _stop_listening(self) -> None:
        """Take no connection any more, so that a next server gets them, also one that shares the sockets."""
        if not self._is_green():
            return
        import eventlet
        from eventlet import hubs

        hub = hubs.get_hub()
        for listening in self._worker.sockets:
            acceptor = hub.listeners[hub.READ].get(listening.fileno())
            if acceptor is not None:
                # What gunicorn itself does when it has waited for its turn.
                eventlet.kill(acceptor.greenlet, eventlet.StopServe())

    def _leave(self) -> None:
        self._worker.alive = False
        if not self._is_green():
            return
        from eventlet import hubs

        # The worker's main green thread sleeps; idle connections that are only kept alive are not waited for.
        hubs.get_hub().schedule_call_global(0, self._main.throw, SystemExit(0))
