from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import Settings, load, misspelt, split_secrets


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any of the settings, in a folder without `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def settings_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(monkeypatch).who_answers == "demo"


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(monkeypatch, SECRET_KEY="", FE_PORT="", OPENAI_API_KEY="", TURN_QUEUE="")
    assert (settings.secret_key, settings.fe_port, settings.turn_queue) == (None, None, 3)


def test_the_file_is_read_and_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TURN_QUEUE=7\nMAX_TEXT=99\n# a comment\nSOMETHING_ELSE=1\n")
    settings = settings_of(monkeypatch, TURN_QUEUE="8")
    assert (settings.turn_queue, settings.max_text) == (8, 99)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("PORT", "eighty", "a port number"),
        ("PORT", "70000", "a port number"),
        ("TURN_QUEUE", "-1", "0 to 100"),
        ("TURN_DEADLINE", "0", "seconds"),
        ("SECRET_KEY", "short", "openssl rand"),
        ("SECRET_KEY", "long-enough-for-a-key,short", "openssl rand"),
        ("ADMIN_TOKEN", "short", "openssl rand"),
        ("USER_TOKEN_SECRET", "x" * 31, "openssl rand"),
        ("USER_TOKEN_SECRET", f"{'x' * 32},{'y' * 31}", "32 bytes"),
        ("USER_TOKEN_SECRET", f"{'x' * 32},", "32 bytes"),
        ("ASSISTANT", "gpt", "demo, responses, chat or threads"),
        ("CHAT_STATE", "theirs", "history or conversation"),
        ("OPENAI_API_KEY", "schlüssel", "the key of"),
        ("OPENAI_API_KEY", "two words", "the key of"),
        ("OPENAI_API_KEY", "<your key>", "the key of"),
        ("ASYNC_MODE", "gevent", "eventlet or threading"),
        ("CORS_ALLOWED_ORIGINS", "www.example.com", "https://www.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://www.example.com/", "https://www.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://www.*.com", "https://www.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example.com https://b.example.com", "commas"),
        ("OPENAI_BASE_URL", "localhost:11434", "http://localhost"),
        ("TRUST_CLIENT_IDS", "maybe", "true or false"),
        ("LOG_LEVEL", "loud", "debug, info"),
        ("DEMO_ANSWER", "short", "guide, long or failing"),
        ("CHAT_INSTRUCTIONS_FILE", "/does/not/exist", "readable file"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, **{name: value})
    assert str(refused.value).startswith(f"{name}: ")
    assert hint in str(refused.value)


def test_secrets_of_user_tokens_have_32_bytes_and_there_may_be_several(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(monkeypatch, USER_TOKEN_SECRET=f"{'x' * 32} , {'ü' * 16}")
    assert split_secrets(settings.user_token_secret) == ["x" * 32, "ü" * 16]
    assert "xxx" not in repr(settings)


def test_a_file_that_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"CHAT_INSTRUCTIONS=gr\xfc\xdfe")
    with pytest.raises(SettingsError, match=r"\.env: it is not UTF-8"):
        settings_of(monkeypatch)


def test_a_misspelt_name_in_the_file_is_noticed() -> None:
    Path(".env").write_text("CHAT_MODLE=m\nMAX_TEXTS=9\nTURN_QUEUE=3\nPOSTGRES_PASSWORD=x\n")
    assert misspelt() == [
        ".env: CHAT_MODLE is not a setting; is CHAT_MODEL meant?",
        ".env: MAX_TEXTS is not a setting; is MAX_TEXT meant?",
    ]


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, PORT="x", TURN_QUEUE="y")
    assert {line.split(":")[0] for line in str(refused.value).splitlines()} == {"PORT", "TURN_QUEUE"}


def test_a_secret_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, ADMIN_TOKEN="my-secret")
    assert "my-secret" not in str(refused.value)
    monkeypatch.setenv("ADMIN_TOKEN", "a-long-and-secret-token")
    assert "a-long-and" not in repr(load())


@pytest.mark.parametrize(
    ("environment", "who"),
    [
        ({}, "demo"),
        ({"CHAT_MODEL": "m", "OPENAI_API_KEY": "k"}, "responses"),
        ({"CHAT_MODEL": "m", "OPENAI_BASE_URL": "http://localhost:1/v1"}, "responses"),
        ({"ASSISTANT": "demo", "OPENAI_API_KEY": "k"}, "demo"),
        ({"ASSISTANT": "chat", "CHAT_MODEL": "m", "OPENAI_API_KEY": "k"}, "chat"),
        ({"ASSISTANT_ID": "asst_1", "OPENAI_BASE_URL": "http://localhost:1/v1"}, "threads"),
        ({"ASSISTANT_ID": "asst_1", "CHAT_MODEL": "m", "OPENAI_API_KEY": "k"}, "responses"),
    ],
)
def test_who_answers_follows_from_what_is_set(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], who: str
) -> None:
    assert settings_of(monkeypatch, **environment).who_answers == who


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"OPENAI_API_KEY": "k"}, "CHAT_MODEL"),
        ({"OPENAI_BASE_URL": "http://localhost:1/v1"}, "CHAT_MODEL"),
        ({"CHAT_MODEL": "m"}, "OPENAI_API_KEY"),
        ({"ASSISTANT": "responses", "OPENAI_API_KEY": "k"}, "CHAT_MODEL"),
        ({"ASSISTANT": "another"}, "ASSISTANT"),
        ({"ASSISTANT_ID": "asst_1", "OPENAI_API_KEY": "k"}, "ASSISTANT_ID"),
        ({"ASSISTANT_ID": "asst_1", "OPENAI_BASE_URL": "https://api.openai.com/v1"}, "ASSISTANT_ID"),
        ({"ASSISTANT": "threads", "OPENAI_BASE_URL": "http://localhost:1/v1"}, "ASSISTANT_ID"),
        (
            {"ASSISTANT_ID": "a", "OPENAI_BASE_URL": "http://localhost:1/v1", "CHAT_MAX_OUTPUT_TOKENS": "99"},
            "CHAT_MAX_OUTPUT_TOKENS",
        ),
        ({"ASSISTANT": "chat", "OPENAI_API_KEY": "k"}, "CHAT_MODEL"),
        ({"ASSISTANT": "chat", "CHAT_MODEL": "m", "OPENAI_API_KEY": "k", "CHAT_STATE": "conversation"}, "CHAT_STATE"),
    ],
)
def test_a_model_that_is_half_set_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, **environment)
    assert str(refused.value).startswith(f"{name}: ")
