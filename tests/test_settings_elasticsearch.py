from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from app.errors import SettingsError
from app.settings import Settings, load

CERTIFICATE = certifi.where()
FINGERPRINT = "ab" * 32


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


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, None),
        ({"ES_URL": "", "ES_HOST": ""}, None),
        ({"ES_URL": "http://es"}, "http://es:9200"),
        ({"ES_URL": "https://es"}, "https://es:9200"),
        ({"ES_URL": "https://es:"}, "https://es:9200"),
        ({"ES_URL": "HTTPS://es:443/"}, "https://es:443"),
        ({"ES_URL": "https://proxy/es/"}, "https://proxy:9200/es"),
        ({"ES_URL": "http://es", "ES_PORT": "9201"}, "http://es:9201"),
        ({"ES_URL": "http://es:9202", "ES_PORT": "9201"}, "http://es:9202"),
        ({"ES_URL": "http://[::1]:9202"}, "http://[::1]:9202"),
        ({"ES_URL": "http://es", "ES_HOST": "other"}, "http://es:9200"),
        ({"ES_HOST": "es"}, "http://es:9200"),
        ({"ES_HOST": "es", "ES_PORT": "9201"}, "http://es:9201"),
        ({"ES_HOST": "::1"}, "http://[::1]:9200"),
        ({"ES_HOST": "es", "ES_CA_CERTS": CERTIFICATE}, "https://es:9200"),
        ({"ES_HOST": "es", "ES_CA_FINGERPRINT": FINGERPRINT}, "https://es:9200"),
        ({"ES_HOST": "es", "ES_VERIFY_CERTS": "false"}, "https://es:9200"),
    ],
)
def test_the_address_follows_from_url_host_and_port(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], address: str | None
) -> None:
    assert settings_of(monkeypatch, **environment).es_address == address


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"ES_URL": "http://es"}, True),
        ({"ES_HOST": "es"}, True),
        ({"ES_HOST": "es", "ELASTICSEARCH_ENABLED": "false"}, False),
        ({"ES_HOST": "es", "ELASTICSEARCH_ENABLED": ""}, True),
        ({"ES_PORT": "9200", "ES_API_KEY": "k"}, False),
    ],
)
def test_it_is_on_when_it_has_an_address_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], on: bool
) -> None:
    assert settings_of(monkeypatch, **environment).elasticsearch_on is on


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ES_URL": "localhost:9200"}, "ES_URL: it is not an http(s) address; write an address such as"),
        ({"ES_URL": "ftp://es"}, "ES_URL: it is not an http(s) address; write"),
        ({"ES_URL": "http://es:70000"}, "ES_URL: it is not an http(s) address; write"),
        ({"ES_URL": "http://u:geheim@es"}, "ES_URL: it has a user name in it, which belongs into a setting of its own"),
        ({"ES_URL": "http://es/?a=b"}, "ES_URL: an address here has no ? and no #; write"),
        ({"KIBANA_URL": "kibana"}, "KIBANA_URL: it is not an http(s) address; write"),
        ({"ES_HOST": "http://es"}, "ES_HOST: it is not the name of a host; the address as a whole goes into ES_URL; w"),
        ({"ES_HOST": "es:9200"}, "ES_HOST: it is not the name of a host; the port goes into ES_PORT; write"),
        ({"ES_HOST": "two words"}, "ES_HOST: it is not the name of a host; write a host name such as localhost"),
        ({"ES_PORT": "none"}, "ES_PORT: write a port number, such as 9200"),
        ({"ES_INDEX": "AI Index"}, "ES_INDEX: write the name of an index, such as ai-index"),
        ({"ES_CA_FINGERPRINT": "abc"}, "ES_CA_FINGERPRINT: it is not 64 hexadecimal digits, with or without colons"),
        ({"ES_API_KEY": "two words"}, "ES_API_KEY: it has characters that no key has; write an API key"),
        ({"ES_ERASE_API_KEY": "<key>"}, "ES_ERASE_API_KEY: that is a placeholder; write an API key"),
        ({"ELASTICSEARCH_ENABLED": "true"}, "ES_URL: ELASTICSEARCH_ENABLED=true needs it; set it to an address such"),
        ({"ES_URL": "http://es", "ES_USERNAME": "u"}, "ES_PASSWORD: ES_USERNAME is set without it; set it to that u"),
        ({"ES_PASSWORD": "geheim"}, "ES_USERNAME: ES_PASSWORD is set without it; set it to that user's name"),
        ({"ES_PASSWORD_FILE": "f"}, "ES_USERNAME: ES_PASSWORD_FILE is set without it; set it to that user's name"),
        ({"ES_SETUP_USERNAME": "u"}, "ES_SETUP_PASSWORD: ES_SETUP_USERNAME is set without it; set it to that user's p"),
        ({"ES_ERASE_PASSWORD": "geheim"}, "ES_ERASE_USERNAME: ES_ERASE_PASSWORD is set without it; set it"),
        ({"KIBANA_PASSWORD": "geheim"}, "KIBANA_USERNAME: KIBANA_PASSWORD is set without it; set it"),
        (
            {"ES_URL": "http://es", "ES_VERIFY_CERTS": "false"},
            "ES_VERIFY_CERTS: it has no meaning with an http address; write ES_URL=https://…, or remove ES_VERIFY_CER",
        ),
        (
            {"ES_URL": "http://es", "ES_CA_FINGERPRINT": FINGERPRINT},
            "ES_CA_FINGERPRINT: it has no meaning with an http address; write ES_URL=https://…, or remove ES_CA_FINGE",
        ),
        (
            {"ES_URL": "https://es", "ES_CA_CERTS": "none.pem"},
            "ES_CA_CERTS: none.pem is not there; write the path of a PEM file with certificates",
        ),
        (
            {"ES_URL": "https://es", "ES_CA_CERTS": "folder"},
            "ES_CA_CERTS: folder is a folder; write the path of a PEM file with certificates",
        ),
        (
            {"ES_URL": "https://es", "ES_CA_CERTS": "text"},
            "ES_CA_CERTS: text is something else; write the path of a PEM file with certificates",
        ),
        (
            {"ES_URL": "https://es", "ES_USERNAME": "u", "ES_PASSWORD_FILE": "folder"},
            "ES_PASSWORD_FILE: folder is a folder; write the path of a readable UTF-8 text file",
        ),
        (
            {"ES_URL": "https://es", "ES_API_KEY_FILE": "latin"},
            "ES_API_KEY_FILE: latin is something else; write the path of a readable UTF-8 text file",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sentence: str
) -> None:
    Path("folder").mkdir()
    Path("text").write_text("no certificate")
    Path("latin").write_bytes(b"schl\xfcssel")
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, **environment)
    assert str(refused.value).startswith(sentence)
    assert len(str(refused.value).splitlines()) == 1
    assert "geheim" not in str(refused.value)


def test_all_that_does_not_go_together_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(monkeypatch, ES_URL="https://es", ES_USERNAME="u", KIBANA_PASSWORD="p", ES_CA_CERTS="none.pem")
    names = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert names == ["ES_PASSWORD", "KIBANA_USERNAME", "ES_CA_CERTS"]


def test_what_is_switched_off_needs_no_files_and_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(
        monkeypatch, ELASTICSEARCH_ENABLED="false", ES_CA_CERTS="none.pem", ES_URL="http://es", ES_API_KEY_FILE="none"
    )
    assert (settings.elasticsearch_on, settings.elasticsearch_warnings) == (False, [])


@pytest.mark.parametrize(
    ("environment", "warnings"),
    [
        ({}, []),
        ({"ES_URL": "https://es", "ES_API_KEY": "k"}, []),
        ({"ES_URL": "http://localhost", "ES_USERNAME": "u", "ES_PASSWORD": "p"}, []),
        (
            {"ES_PORT": "9201"},
            ["ES_URL: it is missing, so ES_PORT has no effect and nothing goes to Elasticsearch"],
        ),
        (
            {"ES_API_KEY": "k", "ES_CA_FINGERPRINT": FINGERPRINT},
            ["ES_URL: it is missing, so ES_API_KEY has no effect and nothing goes to Elasticsearch"],
        ),
        (
            {"ES_URL": "http://es:9200"},
            ["ES_API_KEY: it is missing, and so is ES_USERNAME; Elasticsearch is used without signing in"],
        ),
        (
            {"ES_URL": "https://es:9200", "ES_HOST": "es", "ES_PORT": "9201", "ES_API_KEY": "k"},
            [
                "ES_HOST: it is not looked at, because ES_URL is set",
                "ES_PORT: it is not looked at, because ES_URL has a port",
            ],
        ),
        (
            {"ES_URL": "http://es", "ES_API_KEY": "k"},
            ["ES_URL: it is http, so the key or password and all texts go over the network unencrypted; use https"],
        ),
        (
            {
                "ES_URL": "https://es", "ES_API_KEY": "k", "ES_API_KEY_FILE": "late",
                "ES_USERNAME": "u", "ES_PASSWORD": "p", "ES_PASSWORD_FILE": "there",
            },
            [
                "ES_USERNAME: it is not looked at, because an API key is set",
                "ES_API_KEY_FILE: it is not looked at, because ES_API_KEY is set",
                "ES_PASSWORD_FILE: it is not looked at, because ES_PASSWORD is set",
            ],
        ),
        (
            {"ES_URL": "https://es", "ES_API_KEY_FILE": "late"},
            ["ES_API_KEY_FILE: the file late is not there yet; nothing goes to Elasticsearch until it is"],
        ),
        (
            {"ES_URL": "https://es", "ES_USERNAME": "u", "ES_PASSWORD_FILE": "late"},
            ["ES_PASSWORD_FILE: the file late is not there yet; nothing goes to Elasticsearch until it is"],
        ),
        (
            {"ES_URL": "https://es", "ES_API_KEY": "k", "ES_VERIFY_CERTS": "false"},
            [
                "ES_VERIFY_CERTS: it is false, so anybody on the way can pretend to be Elasticsearch and read all "
                "texts; set ES_CA_CERTS to the path of its certificate authority instead"
            ],
        ),
        (
            {
                "ES_URL": "https://es", "ES_API_KEY": "k", "ES_VERIFY_CERTS": "false",
                "ES_CA_FINGERPRINT": FINGERPRINT, "ES_CA_CERTS": CERTIFICATE,
            },
            ["ES_CA_CERTS: it is not looked at, because ES_CA_FINGERPRINT is set"],
        ),
    ],
)  # fmt: skip
def test_what_is_missing_or_without_effect_is_warned_about_by_name(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], warnings: list[str]
) -> None:
    Path("there").write_text("p")
    assert settings_of(monkeypatch, **environment).elasticsearch_warnings == warnings


def test_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(
        monkeypatch, ES_URL="https://es", ES_API_KEY="geheim1", ES_USERNAME="u", ES_PASSWORD="geheim2",
        ES_SETUP_API_KEY="geheim3", ES_ERASE_API_KEY="geheim4", KIBANA_API_KEY="geheim5",
    )  # fmt: skip
    assert "geheim" not in repr(settings)


def test_a_journal_that_forgets_before_a_token_does_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNAL_KEEP_DAYS", "30")
    with pytest.raises(SettingsError, match=r"JOURNAL_KEEP_DAYS: .* more days than TOKEN_DAYS"):
        load()
    monkeypatch.setenv("JOURNAL_KEEP_DAYS", "31")
    assert any("JOURNAL_KEEP_DAYS" in line for line in load().elasticsearch_warnings)
