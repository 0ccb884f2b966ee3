"""The settings of Elasticsearch, Kibana and of how long things are kept: a part of `app.settings.Settings`.

Knows what a value may look like and which values go together; looks at files, and connects nowhere.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_PORT = 9200
ACCOUNTS = ("ES", "ES_SETUP", "ES_ERASE", "KIBANA")
"""Each has an API key, or a user name and a password."""
LOCAL = ("localhost", "127.0.0.1", "::1")


class ElasticsearchSettings(BaseSettings):
    """`ES_SETUP_*` and `ES_ERASE_*` fall back to the writer's `ES_*`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    elasticsearch_enabled: bool | None = Field(None, description="true or false")
    es_url: str | None = Field(
        None, description="an address such as http://localhost:9200 or https://es.example.com:9243"
    )
    es_host: str | None = Field(None, description="a host name such as localhost")
    es_port: int | None = Field(None, ge=1, le=65535, description="a port number, such as 9200")
    es_index: str = Field(
        "ai-index", pattern=r"^[a-z0-9][a-z0-9_.-]{0,200}$", description="the name of an index, such as ai-index"
    )
    es_api_key: SecretStr | None = Field(None, description="an API key in its encoded form")
    es_api_key_file: Path | None = Field(None, description="the path of a file with an API key")
    es_username: str | None = Field(None, description="a user name")
    es_password: SecretStr | None = Field(None, description="the password of ES_USERNAME")
    es_password_file: Path | None = Field(None, description="the path of a file with the password of ES_USERNAME")
    es_ca_certs: Path | None = Field(None, description="the path of a PEM file with the certificate authority")
    es_ca_fingerprint: str | None = Field(None, description="the SHA-256 fingerprint of the certificate authority")
    es_verify_certs: bool = Field(True, description="true or false")
    es_setup_api_key: SecretStr | None = Field(None, description="an API key in its encoded form")
    es_setup_username: str | None = Field(None, description="a user name")
    es_setup_password: SecretStr | None = Field(None, description="the password of ES_SETUP_USERNAME")
    es_erase_api_key: SecretStr | None = Field(None, description="an API key in its encoded form")
    es_erase_username: str | None = Field(None, description="a user name")
    es_erase_password: SecretStr | None = Field(None, description="the password of ES_ERASE_USERNAME")
    kibana_url: str | None = Field(None, description="an address such as http://localhost:5601")
    kibana_api_key: SecretStr | None = Field(None, description="an API key in its encoded form")
    kibana_username: str | None = Field(None, description="a user name")
    kibana_password: SecretStr | None = Field(None, description="the password of KIBANA_USERNAME")
    client_ip: Literal["off", "truncated", "full"] = Field("off", description="off, truncated or full")
    retention_days: float | None = Field(None, gt=0, le=36500, description="days, such as 365, or nothing")
    journal_keep_days: float | None = Field(None, gt=0, le=36500, description="days, such as 90, or nothing")

    @field_validator("es_url", "kibana_url")
    @classmethod
    def _check_address(cls, url: str | None) -> str | None:
        if url is not None:
            _check_url(url)
        return url

    @field_validator("es_host")
    @classmethod
    def _check_host(cls, host: str | None) -> str | None:
        if host is None or re.fullmatch(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
            return host
        more = "; the address as a whole goes into ES_URL" if "/" in host else ""
        more = more or ("; the port goes into ES_PORT" if ":" in host else "")
        raise ValueError(f"it is not the name of a host{more}")

    @field_validator("es_ca_fingerprint")
    @classmethod
    def _check_fingerprint(cls, fingerprint: str | None) -> str | None:
        if fingerprint is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", fingerprint.replace(":", "")):
            raise ValueError("it is not 64 hexadecimal digits, with or without colons")
        return fingerprint

    @field_validator("es_api_key", "es_setup_api_key", "es_erase_api_key", "kibana_api_key")
    @classmethod
    def _check_api_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]*", key.get_secret_value()):
            raise ValueError("it has characters that no key has")
        if key is not None and key.get_secret_value().startswith("<"):
            raise ValueError("that is a placeholder")
        return key

    @model_validator(mode="after")
    def _check_elasticsearch(self) -> Self:
        problems = [*self._account_problems(), *self._elasticsearch_problems()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def elasticsearch_on(self) -> bool:
        """Whether conversations go to Elasticsearch."""
        if self.elasticsearch_enabled is not None:
            return self.elasticsearch_enabled
        return bool(self.es_url or self.es_host)

    @property
    def es_address(self) -> str | None:
        """Where Elasticsearch is, as a URL with its port; None if nothing says so."""
        if self.es_url:
            parts = urlsplit(self.es_url)
            netloc = parts.netloc if parts.port else f"{parts.netloc.rstrip(':')}:{self.es_port or DEFAULT_PORT}"
            return urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))
        if not self.es_host:
            return None
        host = f"[{self.es_host}]" if ":" in self.es_host else self.es_host
        return f"{'https' if self._tls_settings() else 'http'}://{host}:{self.es_port or DEFAULT_PORT}"

    @property
    def elasticsearch_warnings(self) -> list[str]:
        """A line for each setting that is missing or without effect, but does not stop the start."""
        off = self.journal_keep_days is not None and not self.elasticsearch_on
        line = "JOURNAL_KEEP_DAYS: it does nothing without Elasticsearch; what is to be erased says RETENTION_DAYS"
        lines = [*self._warnings_of_address(), *self._warnings_of_account(), *self._warnings_of_tls()]
        return [*lines, line] if off else lines

    def _account_problems(self) -> Iterator[str]:
        """User names and passwords that do not come in pairs."""
        for account in ACCOUNTS:
            name, password, key = (self._text(account, part) for part in ("USERNAME", "PASSWORD", "API_KEY"))
            from_file = account == "ES" and self.es_password_file
            key_file = account == "ES" and self.es_api_key_file
            if name and not (password or from_file or key or key_file):
                other = ", or ES_PASSWORD_FILE to the path of a file with it" if account == "ES" else ""
                yield f"{account}_PASSWORD: {account}_USERNAME is set without it; set it to that user's password{other}"
            if (password or from_file) and not name:
                which = f"{account}_PASSWORD" if password else f"{account}_PASSWORD_FILE"
                yield f"{account}_USERNAME: {which} is set without it; set it to that user's name, such as chat-writer"

    def _elasticsearch_problems(self) -> Iterator[str]:
        """What cannot work with Elasticsearch on. Off, only the values themselves are looked at."""
        if not self.elasticsearch_on:
            return
        if self.es_address is None:
            yield (
                "ES_URL: ELASTICSEARCH_ENABLED=true needs it; set it to an address such as http://localhost:9200, "
                "or ES_HOST to a host name"
            )
            return
        if self.es_address.startswith("http:"):
            for name in self._tls_settings():
                yield f"{name}: it has no meaning with an http address; write ES_URL=https://…, or remove {name}"
        if self.es_ca_certs:
            yield from _problems_of_file("ES_CA_CERTS", self.es_ca_certs, _certificates, "a PEM file with certificates")
        for name in ("es_api_key_file", "es_password_file"):
            # Such a file may be written by another container, later than this server starts.
            path: Path | None = getattr(self, name)
            if path and path.exists():
                yield from _problems_of_file(name.upper(), path, Path.read_text, "a readable UTF-8 text file")

    def _warnings_of_address(self) -> Iterator[str]:
        if self.elasticsearch_on:
            if self.es_url and self.es_host:
                yield "ES_HOST: it is not looked at, because ES_URL is set"
            if self.es_port and self.es_url and urlsplit(self.es_url).port not in (None, self.es_port):
                yield "ES_PORT: it is not looked at, because ES_URL has a port"
        elif self.elasticsearch_enabled is None:
            for name in ("ES_PORT", "ES_API_KEY", "ES_API_KEY_FILE", "ES_USERNAME", *self._tls_settings()):
                if getattr(self, name.lower()):
                    yield f"ES_URL: it is missing, so {name} has no effect and nothing goes to Elasticsearch"
                    return

    def _warnings_of_account(self) -> Iterator[str]:
        if not self.elasticsearch_on:
            return
        key = self._text("ES", "API_KEY") or self.es_api_key_file
        if not (key or self.es_username):
            yield "ES_API_KEY: it is missing, and so is ES_USERNAME; Elasticsearch is used without signing in"
        elif (self.es_address or "").startswith("http:") and urlsplit(self.es_address).hostname not in LOCAL:
            yield "ES_URL: it is http, so the key or password and all texts go over the network unencrypted; use https"
        if key and self.es_username:
            yield "ES_USERNAME: it is not looked at, because an API key is set"
        yield from self._warnings_of_files()

    def _warnings_of_files(self) -> Iterator[str]:
        if self._text("ES", "API_KEY") and self.es_api_key_file:
            yield "ES_API_KEY_FILE: it is not looked at, because ES_API_KEY is set"
        if self._text("ES", "PASSWORD") and self.es_password_file:
            yield "ES_PASSWORD_FILE: it is not looked at, because ES_PASSWORD is set"
        name, path = "ES_API_KEY_FILE", None if self._text("ES", "API_KEY") else self.es_api_key_file
        if not (path or self._text("ES", "API_KEY") or self._text("ES", "PASSWORD")):
            name, path = "ES_PASSWORD_FILE", self.es_password_file
        if path and not path.exists():
            yield f"{name}: the file {path} is not there yet; nothing goes to Elasticsearch until it is"

    def _warnings_of_tls(self) -> Iterator[str]:
        if not self.elasticsearch_on:
            return
        if self.es_ca_certs and self.es_ca_fingerprint:
            yield "ES_CA_CERTS: it is not looked at, because ES_CA_FINGERPRINT is set"
        elif not self.es_verify_certs and not self.es_ca_fingerprint:
            yield (
                "ES_VERIFY_CERTS: it is false, so anybody on the way can pretend to be Elasticsearch and read all "
                "texts; set ES_CA_CERTS to the path of its certificate authority instead"
            )

    def _text(self, account: str, part: str) -> str:
        value = getattr(self, f"{account}_{part}".lower())
        return value.get_secret_value() if isinstance(value, SecretStr) else value or ""

    def _tls_settings(self) -> list[str]:
        """The names of the TLS settings that are set."""
        values = {
            "ES_CA_CERTS": self.es_ca_certs,
            "ES_CA_FINGERPRINT": self.es_ca_fingerprint,
            "ES_VERIFY_CERTS": not self.es_verify_certs,
        }
        return [name for name, value in values.items() if value]


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    try:
        sound = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("it is not an http(s) address")
    if "@" in parts.netloc:
        raise ValueError("it has a user name in it, which belongs into a setting of its own (…_USERNAME, …_PASSWORD)")
    if parts.query or parts.fragment:
        raise ValueError("an address here has no ? and no #")


def _problems_of_file(name: str, path: Path, read: Callable[[Path], object], what: str) -> Iterator[str]:
    try:
        read(path)
    except (OSError, ValueError) as error:
        # Docker makes a folder where a file that is to be mounted does not exist.
        why = "is a folder" if path.is_dir() else "is not there" if not path.exists() else "cannot be read"
        if isinstance(error, (ssl.SSLError, UnicodeDecodeError)):
            why = "is something else"
        yield f"{name}: {path} {why}; write the path of {what}"


def _certificates(path: Path) -> None:
    ssl.create_default_context(cafile=str(path))
