"""Every environment variable, read and checked once at the start.

Values come from the environment first, then from `.env` in the working directory. An empty value counts
as not set. What is wrong stops the start with the variable's name and what to write instead; no secret
is ever printed. `.env.example` shows them all; a test holds the two together.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.errors import SettingsError
from app.settings_elasticsearch import ElasticsearchSettings

AssistantName = Literal["demo", "responses", "chat", "threads"]


class Settings(ElasticsearchSettings):
    """The whole configuration. Field names are the variables' names in lower case; times are in seconds."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    # Where it listens
    bind_host: str = Field("127.0.0.1", description="an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: int = Field(8002, ge=1, le=65535, description="a port number, such as 8002")
    fe_port: int | None = Field(None, ge=1, le=65535, description="a second port number, such as 5001, or nothing")
    cors_allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins separated by commas, such as https://www.example.com,https://*.example.org, or *"
    )

    # Secrets
    secret_key: SecretStr | None = Field(
        None, description="at least 16 random characters, such as the output of `openssl rand -hex 32`"
    )
    user_token_secret: SecretStr | None = Field(
        None, description="at least 32 random characters, such as the output of `openssl rand -hex 32`"
    )
    admin_token: SecretStr | None = Field(
        None, description="at least 16 random characters, such as the output of `openssl rand -hex 32`"
    )

    # What is kept
    data_dir: Path = Field(Path("data"), description="a folder that the server may write to, such as ./data")

    # Who answers
    assistant: Literal["auto"] | AssistantName = Field("auto", description="auto, demo, responses, chat or threads")
    chat_state: Literal["history", "conversation"] = Field("history", description="history or conversation")
    chat_model: str | None = Field(None, description="the name of a model, such as gpt-5-mini or llama3.2")
    openai_api_key: SecretStr | None = Field(None, description="the key of the OpenAI-compatible service")
    openai_base_url: str | None = Field(None, description="an address such as http://localhost:11434/v1")
    assistant_id: str | None = Field(None, description="the id of an assistant of a compatible server, such as asst_…")
    chat_instructions: str | None = Field(None, description="a text that tells the model how to answer")
    chat_instructions_file: Path | None = Field(None, description="the path of a readable UTF-8 text file")
    chat_vector_store_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="ids of vector stores separated by commas, such as vs_1,vs_2"
    )
    chat_max_output_tokens: int | None = Field(None, ge=16, description="a whole number from 16 on, such as 2000")
    show_reasoning: bool = Field(False, description="true or false")
    chat_history_chars: int = Field(48_000, ge=0, description="a whole number of characters, such as 48000")
    demo_pace: float = Field(30, ge=0, le=10_000, description="words a second, such as 30; 0 is at once")
    demo_answer: Literal["guide", "long", "failing"] = Field("guide", description="guide, long or failing")

    # Limits
    max_text: int = Field(16_000, ge=1, le=500_000, description="characters, such as 16000 (500000 at most)")
    max_running_turns: int = Field(200, ge=1, description="a whole number from 1 on, such as 200")
    max_waiting_turns: int = Field(1000, ge=0, description="a whole number, such as 1000")
    turn_queue: int = Field(3, ge=0, le=100, description="a whole number from 0 to 100, such as 3")
    turn_deadline: float = Field(300, gt=0, le=3600, description="seconds, such as 300 (3600 at most)")
    max_answer: int = Field(200_000, ge=1000, description="characters from 1000 on, such as 200000")
    max_connections: int = Field(5000, ge=1, le=100_000, description="a whole number from 1 on, such as 5000")
    replay_seconds: float = Field(60, ge=0, le=3600, description="seconds, such as 60 (3600 at most)")
    drain_seconds: float = Field(20, ge=0, le=3600, description="seconds, such as 20 (3600 at most)")
    token_days: float = Field(30, gt=0, le=3650, description="days, such as 30")

    # How it runs
    trust_client_ids: bool = Field(False, description="true or false")
    async_mode: Literal["eventlet", "threading"] = Field("eventlet", description="eventlet or threading")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")

    @field_validator("cors_allowed_origins", "chat_vector_store_ids", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("cors_allowed_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _is_origin(origin):
                raise ValueError(f"{origin!r} is not an origin (scheme://host, no path, no slash at the end)")
        return tuple(origin.lower() for origin in origins)

    @field_validator("secret_key", "user_token_secret")
    @classmethod
    def _check_keys(cls, keys: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # 32 bytes: RFC 7518, 3.2, for HS256.
        least = 32 if info.field_name == "user_token_secret" else 16
        if any(len(key.encode()) < least for key in split_secrets(keys)):
            raise ValueError(f"one of its parts is shorter than {least} bytes")
        return keys

    @field_validator("admin_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("it is shorter than 16 characters")
        return token

    @field_validator("openai_api_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("it has characters that no key has")
        if key is not None and key.get_secret_value().startswith("<"):
            raise ValueError("that is a placeholder")
        return key

    @field_validator("openai_base_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError("it is not an http(s) address")
        return url

    @model_validator(mode="after")
    def _check_keeping(self) -> Self:
        if self.journal_keep_days is not None and self.journal_keep_days <= self.token_days:
            raise ValueError(
                "JOURNAL_KEEP_DAYS: a visitor whose token still opens a conversation must find it; write more days "
                "than TOKEN_DAYS has"
            )
        return self

    @model_validator(mode="after")
    def _check_assistant(self) -> Self:
        who = self.who_answers
        configured = [n for n in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ASSISTANT_ID") if getattr(self, n.lower())]
        if who == "threads":
            self._check_threads()
        elif who == "demo" and configured and self.assistant == "auto":
            raise ValueError(
                f"CHAT_MODEL: {configured[0]} is set, but no model; set CHAT_MODEL to a model's name, "
                "or ASSISTANT=demo if the built-in demo is meant"
            )
        elif who != "demo":
            self._check_model()
        return self

    def _check_threads(self) -> None:
        if not self.assistant_id:
            raise ValueError("ASSISTANT_ID: ASSISTANT=threads needs it; set it to the id of an assistant")
        if not self.openai_base_url or urlsplit(self.openai_base_url).hostname == "api.openai.com":
            raise ValueError(
                "ASSISTANT_ID: OpenAI switched its Assistants API off in August 2026; set CHAT_MODEL to a model's name "
                "instead, or OPENAI_BASE_URL to the address of a compatible server that still has it"
            )
        if self.chat_max_output_tokens is not None and self.chat_max_output_tokens < 256:
            raise ValueError("CHAT_MAX_OUTPUT_TOKENS: the Assistants API takes no less than 256; write 256 or more")

    def _check_model(self) -> None:
        if not self.chat_model:
            raise ValueError(f"CHAT_MODEL: ASSISTANT={self.assistant} needs it; set it to the name of a model")
        if not (self.openai_api_key or self.openai_base_url):
            raise ValueError(
                "OPENAI_API_KEY: CHAT_MODEL is set, but neither a key nor another server; set OPENAI_API_KEY, "
                "or OPENAI_BASE_URL to the address of an OpenAI-compatible server"
            )
        if self.chat_state == "conversation" and self.assistant == "chat":
            raise ValueError("CHAT_STATE: Chat Completions keep no conversation; set CHAT_STATE=history")

    @property
    def who_answers(self) -> AssistantName:
        """The assistant that `ASSISTANT=auto` comes to."""
        if self.assistant != "auto":
            return self.assistant
        if self.assistant_id and not self.chat_model:
            return "threads"
        return "responses" if self.chat_model else "demo"

    @property
    def instructions(self) -> str | None:
        """The text of `CHAT_INSTRUCTIONS`, or of the file `CHAT_INSTRUCTIONS_FILE`."""
        if self.chat_instructions or not self.chat_instructions_file:
            return self.chat_instructions
        try:
            return self.chat_instructions_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                "CHAT_INSTRUCTIONS_FILE: it cannot be read as UTF-8 text; name a readable file"
            ) from error


def load() -> Settings:
    """Read and check the settings. Raises `SettingsError` with one line for each that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(error))) from None
    except UnicodeDecodeError:
        raise SettingsError(".env: it is not UTF-8 text; save it as UTF-8") from None
    settings.instructions  # noqa: B018  a file that cannot be read stops the start, not the first answer
    return settings


def misspelt() -> list[str]:
    """A line for each name in `.env` that is no setting but looks like one."""
    names = [name.upper() for name in Settings.model_fields]
    lines = []
    for name in dotenv_values(".env"):
        close = get_close_matches(name.upper(), names, n=1, cutoff=0.8)
        if close and name.upper() not in names:
            lines.append(f".env: {name} is not a setting; is {close[0]} meant?")
    return lines


def split_secrets(secret: SecretStr | None) -> list[str]:
    """The parts of a comma-separated secret; none if it is not set."""
    return [part.strip() for part in secret.get_secret_value().split(",")] if secret else []


def _is_origin(origin: str) -> bool:
    parts = urlsplit(origin)
    try:
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    stars_fit = "*" not in origin.replace("://*.", "", 1)
    return parts.scheme in ("http", "https") and has_host and stars_fit and origin == f"{parts.scheme}://{parts.netloc}"


def _explain(error: ValidationError) -> list[str]:
    """One line for each wrong setting. Our own checks say what is wrong; for the rest it is enough what to write."""
    lines: dict[str, str] = {}
    for problem in error.errors(include_input=False, include_url=False):
        ours = problem["msg"].removeprefix("Value error, ") if problem["type"] == "value_error" else ""
        if not problem["loc"]:
            lines[ours] = ours
            continue
        name = str(problem["loc"][0])
        reason = f"{ours}; write" if ours else "write"
        lines[name] = f"{name.upper()}: {reason} {Settings.model_fields[name].description}"
    return list(lines.values())
