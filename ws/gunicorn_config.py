"""How gunicorn serves the chat: one worker of green threads, on BIND_HOST:PORT and on FE_PORT.

    gunicorn --config ws/gunicorn_config.py --worker-class eventlet -w 1 app.main:app_instance -b 0.0.0.0:8002

Settings are checked in the master before it listens, so that a wrong one stops the start with one clear
message. Nothing of the application is imported before that: eventlet has to patch the standard library first.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

# gunicorn reads this file before it puts the working directory on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Known, and pinned for: docs/decisions/eventlet.md. Not news for whoever starts a server.
warnings.filterwarnings("ignore", message=r"\s*(Eventlet is deprecated|The eventlet worker is deprecated)")
logging.getLogger("gunicorn.error").addFilter(lambda record: "worker is DEPRECATED" not in str(record.msg))

FROM_SETTINGS = "127.0.0.1:0"
"""Stands for BIND_HOST:PORT until the settings are read; an address given by `-b` takes its place."""

bind = FROM_SETTINGS
worker_class = "eventlet"
workers = 1
# Clients of one worker; the default of 1000 leaves the next one hanging.
worker_connections = 10_000
keepalive = 2
graceful_timeout = 5
# gunicorn would open a socket of its own under $HOME.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """In the master, before it listens: check the settings, refuse what cannot work, set the addresses."""
    from app.errors import SettingsError
    from app.settings import load, misspelt

    try:
        settings = load()
        for line in misspelt():
            print(f"Warning: {line}", file=sys.stderr, flush=True)
        _check(server.cfg, settings.async_mode)
    except SettingsError as error:
        sys.exit(f"The chat server cannot start:\n{error}")
    given = [address for address in server.cfg.bind if address != FROM_SETTINGS]
    addresses = given or [f"{settings.bind_host}:{settings.port}"]
    if settings.fe_port:
        tcp = [address for address in addresses if not address.startswith(("unix:", "fd:"))]
        hosts = dict.fromkeys(address.rpartition(":")[0] for address in tcp) or [settings.bind_host]
        addresses += [f"{host}:{settings.fe_port}" for host in hosts]
    server.cfg.set("bind", list(dict.fromkeys(addresses)))


def post_worker_init(worker: Any) -> None:
    """In the worker, when the application is loaded: say where the page is."""
    addresses = [listener.getsockname() for listener in worker.sockets]
    tcp = [address for address in addresses if isinstance(address, tuple)]
    worker.wsgi.extensions["origins"].own_ports.update(address[1] for address in tcp)
    for host, port in dict.fromkeys((_shown(address[0]), address[1]) for address in tcp):
        print(f"Chat page: http://{host}:{port}", flush=True)
    threading.Thread(target=_watch, args=(worker,), daemon=True).start()


def worker_exit(_server: Any, worker: Any) -> None:
    """In the worker, at its end: after SIGINT there is no time for `_watch`."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["chat_shutdown"]()


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _watch(worker: Any) -> None:
    """End the worker's turns and connections when it is told to go, and the worker when its master is gone.

    The eventlet worker itself waits for open websockets until it is killed, and does not notice that its
    master was killed: it would hold the port for ever.
    """
    while worker.alive and os.getppid() == worker.ppid:
        time.sleep(0.2)
    worker.alive = False
    worker.wsgi.extensions["chat_shutdown"]()


def _check(config: Any, async_mode: str) -> None:
    from app.errors import SettingsError

    if config.workers != 1:
        raise SettingsError(
            f"-w {config.workers}: several workers need a store that they share, which this version does not have; "
            "start with -w 1 (one worker serves thousands of clients)"
        )
    fitting = {"eventlet": "eventlet", "threading": "gthread"}[async_mode]
    if config.worker_class_str != fitting:
        raise SettingsError(
            f"ASYNC_MODE: it is {async_mode}, but gunicorn was started with {config.worker_class_str} workers; "
            f"start it with --worker-class {fitting}"
        )
