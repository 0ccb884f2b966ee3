"""How gunicorn serves the chat: one worker of green threads, on BIND_HOST:PORT and on FE_PORT.

    gunicorn --config ws/gunicorn_config.py --worker-class eventlet -w 1 app.main:app_instance -b 0.0.0.0:8002

Settings are checked in the master before it listens, so that a wrong one stops the start with one clear
message. Nothing of the application is imported before that: eventlet has to patch the standard library first.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
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

TOO_FEW_FILES = (
    "Warning: MAX_CONNECTIONS={}: this process may have fewer open files; {} clients will be served. "
    "Raise the limit (ulimit -Hn, LimitNOFILE=) or lower the setting"
)

PORT_TAKEN = (
    "Warning: {} is taken by another program. It is tried for some seconds more; "
    "end that program, or take another port: make run PORT=9000 (or PORT=, or -b)"
)

bind = FROM_SETTINGS
worker_class = "eventlet"
workers = 1
keepalive = 2
# gunicorn would open a socket of its own under $HOME.
control_socket_disable = True


SEND_BUFFER = 256 * 1024
"""Bytes of one connection; left alone, Linux lets it grow to 4 MB."""


def on_starting(server: Any) -> None:
    """In the master, before it listens: check the settings, refuse what cannot work, set the addresses."""
    from app.errors import SettingsError

    given = list(server.cfg.bind)
    try:
        _configure(server.cfg)
    except SettingsError as error:
        sys.exit(f"The chat server cannot start:\n{error}")
    _mind_reloads(server, given)
    for address in filter(_is_taken, server.cfg.address):
        print(PORT_TAKEN.format(f"port {address[1]}"), file=sys.stderr, flush=True)


def when_ready(server: Any) -> None:
    """In the master, when it listens: bound what the kernel holds for a client that does not read (ws/backlog.py)."""
    for listener in server.LISTENERS:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


on_reload = when_ready


def post_worker_init(worker: Any) -> None:
    """In the worker, when the application is loaded: say where the page is, and watch for the end."""
    from ws.departure import WorkerEnd

    addresses = [listener.getsockname() for listener in worker.sockets]
    tcp = [address for address in addresses if isinstance(address, tuple)]
    worker.wsgi.extensions["origins"].own_ports.update(address[1] for address in tcp)
    for host, port in dict.fromkeys((_shown(address[0]), address[1]) for address in tcp):
        print(f"Chat page: http://{host}:{port}", flush=True)
    end = WorkerEnd(worker, worker.wsgi.extensions["chat_departure"])
    threading.Thread(target=end.watch, daemon=True).start()


def worker_exit(_server: Any, worker: Any) -> None:
    """In the worker, at its end: after SIGINT it goes at once."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["chat_departure"].end()


def _is_taken(address: Any) -> bool:
    """Whether somebody else listens there. Not said of sockets that were handed over, as by systemd."""
    if not isinstance(address, tuple) or {"LISTEN_FDS", "GUNICORN_FD"} & os.environ.keys():
        return False
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _configure(config: Any) -> None:
    """Take over what the settings say. Raises `SettingsError`."""
    from app.settings import load, misspelt
    from ws.admission import OTHER_REQUESTS, SPARE_THREADS, make_room, most_clients

    settings = load()
    for line in misspelt():
        print(f"Warning: {line}", file=sys.stderr, flush=True)
    _check(config, settings.async_mode)
    wanted = most_clients(settings)
    clients = make_room(wanted, settings.max_running_turns)
    if clients < wanted:
        print(TOO_FEW_FILES.format(wanted, clients), file=sys.stderr, flush=True)
    if settings.async_mode == "threading":
        # A websocket keeps its thread.
        config.set("threads", clients + SPARE_THREADS)
    # gunicorn's own limit is no refusal: whoever comes after it is left hanging.
    config.set("worker_connections", clients + OTHER_REQUESTS)
    # So long the master waits for its worker before it kills it.
    config.set("graceful_timeout", int(settings.drain_seconds) + 5)
    config.set("bind", _addresses(config.bind, settings.bind_host, settings.port, settings.fe_port))


def _addresses(given: list[str], host: str, port: int, fe_port: int | None) -> list[str]:
    addresses = [address for address in given if address != FROM_SETTINGS] or [f"{host}:{port}"]
    if fe_port:
        tcp = [address for address in addresses if not address.startswith(("unix:", "fd:"))]
        hosts = dict.fromkeys(address.rpartition(":")[0] for address in tcp) or [host]
        addresses += [f"{each}:{fe_port}" for each in hosts]
    return list(dict.fromkeys(addresses))


def _mind_reloads(server: Any, given: list[str]) -> None:
    """gunicorn reads this file anew at a reload, but calls `on_starting` only once; and it would end for a mistake."""
    from app.errors import SettingsError

    setup, reload = server.setup, server.reload

    def setup_with_settings(application: Any) -> None:
        setup(application)
        _configure(server.cfg)

    def reload_if_right() -> None:
        try:
            _try_settings(server.cfg, given)
        except SettingsError as error:
            print(f"Nothing is loaded anew, the server goes on as it was:\n{error}", file=sys.stderr, flush=True)
        else:
            reload()

    server.setup, server.reload = setup_with_settings, reload_if_right


def _try_settings(config: Any, given: list[str]) -> None:
    """Raise `SettingsError` if the settings of now would end a server that runs. `given`: the addresses of `-b`."""
    from app.data_dir import DataDir
    from app.errors import SettingsError
    from app.settings import load

    settings = load()
    _check(config, settings.async_mode)
    data_dir = DataDir(settings.data_dir)
    if settings.secret_key is None:
        data_dir.secret_key()
    if _addresses(given, settings.bind_host, settings.port, settings.fe_port) != config.bind:
        raise SettingsError("BIND_HOST, PORT, FE_PORT: another address wants a restart, a reload keeps the old one")


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
