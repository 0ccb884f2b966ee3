"""With what this server signs in to Elasticsearch: an API key, or a user name and a password.

A key or password may stand in a file, which may appear late and may change: it is read when it is first needed, and
again when Elasticsearch does not accept what was read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import SecretStr

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic_errors import ElasticNotAllowed

Role = Literal["writer", "setup", "erase"]
PREFIXES: dict[Role, str] = {"writer": "ES", "setup": "ES_SETUP", "erase": "ES_ERASE"}
NEW_VALUE = re.compile(r"^New value:\s*(\S+)\s*$", re.M)
"""What `elasticsearch-reset-password` prints."""


class Account(NamedTuple):
    """`names`: the settings that have it, for messages. `options`: as the client takes it."""

    names: tuple[str, ...]
    options: dict[str, Any]


class Login:
    """The account of a role; `ES_SETUP_*` and `ES_ERASE_*` fall back to the writer's."""

    def __init__(self, settings: ElasticsearchSettings, role: Role) -> None:
        self._settings = settings
        own = PREFIXES[role]
        self._prefix = own if self._get(own, "api_key") or self._get(own, "username") else "ES"
        self._account: Account | None = None

    def account(self) -> Account:
        """Raises `ElasticNotAllowed` when its file is not there or has nothing in it."""
        self._account = self._account or self._read()
        return self._account

    def renew(self) -> bool:
        """Read its file again. True: it has something else now."""
        before, self._account = self._account, None
        return self.account() != before

    def _read(self) -> Account:
        prefix = self._prefix
        if key := self._get(prefix, "api_key"):
            return _key_account(f"{prefix}_API_KEY", key)
        if path := self._file(prefix, "api_key_file"):
            return _key_account(f"{prefix}_API_KEY_FILE", _content(f"{prefix}_API_KEY_FILE", path).strip())
        user = self._get(prefix, "username")
        if not user:
            return Account((), {})
        password, name = self._get(prefix, "password"), f"{prefix}_PASSWORD"
        path = self._file(prefix, "password_file")
        if not password and path:
            name = f"{prefix}_PASSWORD_FILE"
            password = _password_in(_content(name, path))
        return Account((f"{prefix}_USERNAME", name), {"basic_auth": (user, password)})

    def _get(self, prefix: str, part: str) -> str:
        value: SecretStr | str | None = getattr(self._settings, f"{prefix}_{part}".lower())
        return value.get_secret_value() if isinstance(value, SecretStr) else value or ""

    def _file(self, prefix: str, part: str) -> Path | None:
        return getattr(self._settings, f"{prefix}_{part}".lower(), None)


def _key_account(name: str, key: str) -> Account:
    """Both forms of a key: encoded, and `id:key`."""
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ElasticNotAllowed(f"{name}: what it has is not an API key; write one in its encoded form")
    id_, colon, secret = key.partition(":")
    return Account((name,), {"api_key": (id_, secret) if colon else key})


def _content(name: str, path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ElasticNotAllowed(f"{name}: the file {path} is not there yet") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ElasticNotAllowed(f"{name}: the file {path} cannot be read as UTF-8 text") from error
    if not content.strip():
        raise ElasticNotAllowed(f"{name}: the file {path} is empty")
    return content


def _password_in(content: str) -> str:
    named = NEW_VALUE.search(content)
    return named[1] if named else content.strip("\r\n")
