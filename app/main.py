"""Puts everything together: settings → data folder → journal → assistant → Flask → Socket.IO.

`app_instance` is what gunicorn serves. Nothing else in the house connects or configures anything at import.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from flask import Flask

from app import logs
from app.assistants.choose import assistant_for
from app.assistants.learned import Learned
from app.chat.clock import utc
from app.chat.identity import Tokens
from app.chat.interfaces import Assistant
from app.chat.turns import TurnState
from app.chat.user_tokens import UserTokens
from app.data_dir import DataDir
from app.errors import AssistantError, Code, JournalError, SettingsError
from app.keeping import DAY, Keeping, keep, open_journal
from app.settings import Settings, load, split_secrets
from app.transcripts.database import Database
from app.transcripts.figures import Figures
from app.transcripts.model_facts import ModelFacts
from app.transcripts.past import PastConversations
from app.transcripts.read_back import ReadBack
from app.transcripts.reading import Reading
from app.web.conversation_api import conversation_routes
from app.web.erasure import add_erasure
from app.web.metrics import Metrics
from app.web.origins import Origins
from app.web.routes import add_routes
from app.web.transcripts import transcript_routes
from ws.server import add_socket

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
GUNICORN_BOOT_ERROR = 3
"""The exit code with which gunicorn gives up; after any other it would start the worker again and again."""


def create(settings: Settings) -> Flask:
    """The whole server as one WSGI application. Raises `SettingsError`, `JournalError`."""
    data_dir = DataDir(settings.data_dir)
    keys = split_secrets(settings.secret_key) or [data_dir.secret_key()]
    tokens = Tokens(keys, int(settings.token_days * DAY))
    user_tokens = UserTokens(split_secrets(settings.user_token_secret))
    metrics = Metrics()
    metrics.expect(state for state in TurnState if state.final)
    database, journal = open_journal(data_dir, metrics)
    learned = _learned(settings, database)
    assistant = assistant_for(settings, learned)
    kept = keep(settings, data_dir, database, journal, assistant, metrics)
    ports = {settings.port, settings.fe_port} - {None}
    origins = Origins(settings.cors_allowed_origins, [port for port in ports if port])
    flask = Flask("app", static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    flask.extensions["origins"] = origins
    checks = {"journal": lambda: kept.journal.check_writable(utc()), "assistant": lambda: _check_ready(assistant)}
    details = {"elasticsearch": kept.shipper.status} if kept.shipper else {}
    demo = assistant.name == "demo"
    add_routes(
        flask, metrics=metrics, admin_token=settings.admin_token, checks=checks, details=details,
        model=lambda: _about_model(settings, assistant, learned), demo=demo,
    )  # fmt: skip
    add_erasure(flask, admin_token=settings.admin_token, erase=kept.eraser.erase)
    _add_reading(flask, settings, kept, keys, tokens, user_tokens, origins)
    add_socket(
        flask, settings, origins=origins, metrics=metrics, tokens=tokens, user_tokens=user_tokens, assistant=assistant,
        journal=kept.journal, past=PastConversations(kept.database),
        tombstones=kept.tombstones, subjects=kept.subjects, note=kept.note, end_orphans=kept.end_orphans,
        shipper=kept.shipper, background=kept.background,
    )  # fmt: skip
    log.info("who answers: %s", assistant.name)
    if known := learned.sentences():
        log.info("known about its model from earlier: %s", "; ".join(known))
    return flask


def _about_model(settings: Settings, assistant: Assistant, learned: Learned) -> dict[str, object]:
    """What operators are told: who answers, and what its server turned out to need."""
    return {"assistant": assistant.name, "model": settings.chat_model, "learned": learned.sentences()}


def _learned(settings: Settings, database: Database) -> Learned:
    """What earlier turns found out about the model that answers."""
    model = settings.chat_model if settings.who_answers in ("responses", "chat") else None
    if model is None:
        return Learned()
    facts = ModelFacts(database, settings.openai_base_url, model)
    facts.forget_others()
    return Learned(facts)


def _add_reading(
    flask: Flask, settings: Settings, kept: Keeping, keys: list[str], tokens: Tokens, user_tokens: UserTokens,
    origins: Origins,
) -> None:  # fmt: skip
    """One conversation as JSON, and the transcript viewer for operators."""
    reading = Reading(kept.database)
    archive = kept.archived if kept.elastic else None
    read_back = ReadBack(
        reading, kept.journal, tokens, user_tokens, assistant_id=settings.assistant_id, archive=archive
    )
    flask.register_blueprint(conversation_routes(read_back, settings.admin_token))
    if settings.admin_token is not None:
        days = Figures(kept.database, utc).days
        flask.register_blueprint(
            transcript_routes(reading, days, keys=keys, token=settings.admin_token, origins=origins)
        )


def _check_ready(assistant: Assistant) -> None:
    if not assistant.ready():
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, "The assistant is not ready.")


def _start() -> Flask:
    try:
        settings = load()
        logs.configure(settings.log_level)
        for warning in settings.elasticsearch_warnings:
            log.warning("%s", warning)
        return create(settings)
    except SettingsError as error:
        message = str(error)
    except (OSError, JournalError) as error:
        message = f"DATA_DIR: the journal cannot be opened: {error.__cause__ or error}"
    print(f"The chat server cannot start:\n{message}", file=sys.stderr)
    sys.exit(GUNICORN_BOOT_ERROR)


app_instance = _start()
