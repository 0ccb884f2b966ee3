"""Puts everything together: settings → data folder → journal → assistant → Flask → Socket.IO.

`app_instance` is what gunicorn serves. Nothing else in the house connects or configures anything at import.
"""

from __future__ import annotations

import logging
import sys
import time
from functools import partial
from pathlib import Path

from flask import Flask

from app import logs
from app.assistants.choose import assistant_for
from app.chat.identity import Tokens
from app.chat.interfaces import Assistant
from app.chat.turns import Turn, TurnState
from app.data_dir import DataDir
from app.errors import AssistantError, Code, JournalError, SettingsError
from app.settings import Settings, load, split_secrets
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.web.metrics import Metrics
from app.web.origins import Origins
from app.web.routes import add_routes
from ws.server import add_socket

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
DAY = 86_400
GUNICORN_BOOT_ERROR = 3
"""The exit code with which gunicorn gives up; after any other it would start the worker again and again."""


def create(settings: Settings) -> Flask:
    """The whole server as one WSGI application. Raises `SettingsError`, `JournalError`."""
    data_dir = DataDir(settings.data_dir)
    keys = split_secrets(settings.secret_key) or [data_dir.secret_key()]
    metrics = Metrics()
    metrics.expect(state for state in TurnState if state.final)
    journal = open_journal(data_dir, metrics)
    assistant = assistant_for(settings)
    ports = {settings.port, settings.fe_port} - {None}
    origins = Origins(settings.cors_allowed_origins, [port for port in ports if port])
    flask = Flask("app", static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    flask.extensions["origins"] = origins
    checks = {"journal": lambda: journal.check_writable(utc()), "assistant": lambda: _check_ready(assistant)}
    demo = assistant.name == "demo"
    add_routes(flask, metrics=metrics, admin_token=settings.admin_token, checks=checks, demo=demo)
    add_socket(
        flask, settings, origins=origins, metrics=metrics, tokens=Tokens(keys, int(settings.token_days * DAY)),
        journal=journal, assistant=assistant, end_orphans=partial(end_orphans, data_dir, journal),
    )  # fmt: skip
    log.info("who answers: %s", assistant.name)
    return flask


def open_journal(data_dir: DataDir, metrics: Metrics) -> SqlJournal:
    """The journal, upgraded, with the turns of dead workers ended as interrupted."""
    with data_dir.alone():
        database = Database(data_dir.path / "journal.sqlite3")
        database.upgrade()
        own_id = data_dir.new_worker()
        journal = SqlJournal(database, own_id)
        ended = end_orphans(data_dir, journal)
        metrics.turns.labels(TurnState.INTERRUPTED).inc(len(ended))
        data_dir.sweep()
    if data_dir.neighbours(own_id):
        log.warning("another server uses this DATA_DIR: an answer is seen only by clients of the server that makes it")
    return journal


def end_orphans(data_dir: DataDir, journal: SqlJournal) -> list[Turn]:
    """End the turns of workers that died as interrupted, with the texts that were kept. Those turns."""
    dead = data_dir.dead_workers(journal.owners_of_unfinished())
    ended = journal.interrupt(dead, utc()) if dead else []
    if ended:
        log.warning("%d turns of a worker that died are interrupted; their texts are kept", len(ended))
    return ended


def utc() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _check_ready(assistant: Assistant) -> None:
    if not assistant.ready():
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, "The assistant is not ready.")


def _start() -> Flask:
    try:
        settings = load()
        logs.configure(settings.log_level)
        return create(settings)
    except SettingsError as error:
        message = str(error)
    except (OSError, JournalError) as error:
        message = f"DATA_DIR: the journal cannot be opened: {error.__cause__ or error}"
    print(f"The chat server cannot start:\n{message}", file=sys.stderr)
    sys.exit(GUNICORN_BOOT_ERROR)


app_instance = _start()
