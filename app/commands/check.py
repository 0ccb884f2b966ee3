"""`python -m app check`: looks at the settings and at everything that they name, and says what to do.

Each line is one thing: `ok`, or `!!` with what is wrong and what to write instead. A model is asked what visitors ask
(`check_model.py`). The exit code is 0 when the chat would work and its conversations be kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from app.assistants.choose import assistant_for, models_at
from app.assistants.learned import Learned
from app.chat.interfaces import Delta, Question
from app.commands import Commands
from app.commands.check_model import ModelCheck
from app.data_dir import DataDir
from app.errors import AssistantError, ChatServerError, Code, JournalError
from app.settings import Settings, load, misspelt
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.journal import SqlJournal
from app.transcripts.model_facts import ModelFacts

WHAT_TO_DO = {
    Code.ASSISTANT_UNAVAILABLE: "see that OPENAI_BASE_URL is right (it usually ends in /v1) and that the server runs",
    Code.ASSISTANT_BUSY: "the service is busy or your rate limit is reached; try again in a moment",
    Code.ASSISTANT_QUOTA: "the account has no quota left; add some at the provider",
    Code.ASSISTANT_MISCONFIGURED: "see that OPENAI_API_KEY is valid and that CHAT_MODEL (or ASSISTANT_ID) exists there",
    Code.ASSISTANT_EMPTY: "the model answers without text; one that thinks needs a larger CHAT_MAX_OUTPUT_TOKENS",
    Code.ASSISTANT_REFUSED: "the service does not take this request; see that the model can chat; try ASSISTANT=chat",
}

NO_ROUTE = (
    "see that OPENAI_BASE_URL is right (it usually ends in /v1), that the server runs, and that it has the model that "
    "CHAT_MODEL names"
)

Result = TypeVar("Result")


def check() -> bool:
    """Check everything, print it, and say whether the chat would work."""
    for line in misspelt():
        print(f"!!  {line}")
    settings = _report("settings", load, lambda settings: f"{settings.who_answers} answers")
    if settings is None:
        return False
    results = [
        _report("data folder and journal", lambda: _check_journal(settings), str),
        *(_check_demo(settings) if settings.who_answers == "demo" else _check_model(settings)),
    ]
    if settings.elasticsearch_on:
        results.append(_report("Elasticsearch", lambda: _check_elasticsearch(settings), str))
    _hints(settings)
    return None not in results


def _check_journal(settings: Settings) -> str:
    data_dir = DataDir(settings.data_dir)
    if settings.secret_key is None:
        data_dir.secret_key()
    with data_dir.alone():
        database = Database(data_dir.path / "journal.sqlite3")
        database.upgrade()
        SqlJournal(database, "check").check_writable(0)
        database.close()
    return f"{os.path.abspath(data_dir.path)} can be written to"


def _check_demo(settings: Settings) -> list[str | None]:
    def ask() -> str:
        events = assistant_for(settings).stream(Question("check", "check", "Hello"))
        count = sum(len(event.text) for event in events if isinstance(event, Delta))
        return f"the demo answered with {count} characters"

    return [_report("assistant", ask, str)]


def _check_model(settings: Settings) -> list[str | None]:
    model = ModelCheck(settings)
    results = [_report("assistant", model.two_questions, str)]
    if results == [None]:
        _name_models(settings)
        return results
    if model.has_our_history and settings.chat_history_chars:
        results.append(_report("a long conversation", model.long_conversation, str))
    results.append(_report("a stop", model.stop, str))
    for line in model.abilities():
        print(f"--  {line}")
    if settings.chat_model and None not in results:
        _report("what was learned about the model", lambda: _keep(settings, model.learned), str)
    return results


def _keep(settings: Settings, learned: Learned) -> str:
    """Keep what was found out, so that the server knows it after its next start."""
    database = Database(DataDir(settings.data_dir).path / "journal.sqlite3")
    facts = ModelFacts(database, settings.openai_base_url, settings.chat_model or "")
    facts.forget_others()
    facts.write(learned.facts)
    database.close()
    return "kept for the next start" if learned.facts else "nothing; it takes what OpenAI takes"


def _name_models(settings: Settings) -> None:
    """A missing model is the commonest fault, and many servers do not tell it from a missing route."""
    try:
        names = models_at(settings)
    except AssistantError:
        return
    if names and settings.chat_model and settings.chat_model not in names:
        shown = ", ".join(ascii(name)[1:-1] for name in names[:10]) + (", …" if len(names) > 10 else "")
        print(f"--  the server lists these models, and CHAT_MODEL is none of them: {shown}")


def _check_elasticsearch(settings: Settings) -> str:
    Elastic(settings).check()
    return f"{settings.es_address} has, or will make, the index {settings.es_index}"


def _hints(settings: Settings) -> None:
    for warning in settings.elasticsearch_warnings:
        print(f"--  {warning}")
    if settings.who_answers == "demo":
        print("--  the built-in demo answers; set CHAT_MODEL and OPENAI_API_KEY (or OPENAI_BASE_URL) for a real model")
    allowed = ", ".join(settings.cors_allowed_origins) or "none; set CORS_ALLOWED_ORIGINS for pages on other sites"
    print(f"--  origins that may use the chat, besides its own: {allowed}")
    if settings.user_token_secret is None:
        print("--  all visitors are anonymous; USER_TOKEN_SECRET lets a site vouch for its users (docs/users.md)")
    if settings.admin_token is None:
        print("--  /metrics is off; set ADMIN_TOKEN to open it to yourself")
    if settings.trust_client_ids:
        print("--  TRUST_CLIENT_IDS=true: pages choose whose conversation they read; only for pages that you trust")


def _report(name: str, work: Callable[[], Result], tell: Callable[[Result], str]) -> Result | None:
    try:
        result = work()
    except ChatServerError as error:
        print(f"!!  {name}: {_fault(error)}")
        return None
    print(f"ok  {name}: {tell(result)}")
    return result


def _fault(error: ChatServerError) -> str:
    if isinstance(error, AssistantError):
        advice = NO_ROUTE if error.no_such_route else WHAT_TO_DO.get(error.code, "see docs/assistants.md")
        return f"{error.code} ({error.detail or error.message}): {advice}"
    if isinstance(error, JournalError):
        return f"{error.__cause__ or error}; name a folder in DATA_DIR that the server may write to"
    return str(error)


def add(commands: Commands) -> None:
    parser = commands.add_parser("check", help="look at the settings and at everything they name, and say what to do")
    parser.set_defaults(run=lambda _arguments: 0 if check() else 1)
