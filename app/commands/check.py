"""`python -m app check`: looks at the settings and at everything that they name, and says what to do.

Each line is one thing: `ok`, or `!!` with what is wrong and what to write instead. The assistant gets one
real question of a few tokens. The exit code is 0 when the chat would work and its conversations be kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from app.assistants.choose import assistant_for
from app.chat.interfaces import Assistant, Delta, Finished, Question
from app.commands import Commands
from app.data_dir import DataDir
from app.errors import AssistantError, ChatServerError, Code, JournalError
from app.settings import Settings, load, misspelt
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.journal import SqlJournal

WHAT_TO_DO = {
    Code.ASSISTANT_UNAVAILABLE: "see that OPENAI_BASE_URL is right (it usually ends in /v1) and that the server runs",
    Code.ASSISTANT_BUSY: "the service is busy or your rate limit is reached; try again in a moment",
    Code.ASSISTANT_QUOTA: "the account has no quota left; add some at the provider",
    Code.ASSISTANT_MISCONFIGURED: "see that OPENAI_API_KEY is valid and that CHAT_MODEL (or ASSISTANT_ID) exists there",
    Code.ASSISTANT_REFUSED: "the service does not take this request; see that the model can chat; try ASSISTANT=chat",
}

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
        _report("assistant", lambda: _ask(assistant_for(settings)), str),
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


def _check_elasticsearch(settings: Settings) -> str:
    Elastic(settings).check()
    return f"{settings.es_address} has, or will make, the index {settings.es_index}"


def _ask(assistant: Assistant) -> str:
    answer: list[str] = []
    for event in assistant.stream(Question("check", "check", "Reply with the word OK.")):
        if isinstance(event, Delta):
            answer.append(event.text)
        elif isinstance(event, Finished):
            return (
                f"{assistant.name} answered with {len(''.join(answer))} characters; model: {event.model or 'not said'}"
            )
    raise AssistantError(Code.ASSISTANT_UNAVAILABLE, "The answer has no end.")


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
        code = Code.ASSISTANT_UNAVAILABLE if error.no_such_route else error.code
        advice = WHAT_TO_DO.get(code, "see docs/assistants.md")
        return f"{error.code} ({error.detail or error.message}): {advice}"
    if isinstance(error, JournalError):
        return f"{error.__cause__ or error}; name a folder in DATA_DIR that the server may write to"
    return str(error)


def add(commands: Commands) -> None:
    parser = commands.add_parser("check", help="look at the settings and at everything they name, and say what to do")
    parser.set_defaults(run=lambda _arguments: 0 if check() else 1)
