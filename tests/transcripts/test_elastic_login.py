"""How the server signs in to Elasticsearch: by key, by password, by files that may change, each role for itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic import Elastic, ElasticNotAllowed
from tests.transcripts.elastic_calls import elastic_at, fault
from tests.transcripts.elastic_stand_in import Answer, Request, Script, StandIn, error, healthy, stored


def signed_in_with(accepted: Callable[[], str]) -> Script:
    """Elasticsearch that takes one `Authorization`, which may change."""

    def script(request: Request) -> Answer:
        if request.authorization != accepted():
            return error(401, "security_exception", "unable to authenticate")
        return healthy(stored)(request)

    return script


BASIC_U_GEHEIM = "Basic dTpnZWhlaW0="


@pytest.mark.parametrize(
    ("settings", "authorization"),
    [
        ({"es_api_key": "ZW5jb2RlZA=="}, "ApiKey ZW5jb2RlZA=="),
        ({"es_api_key": "id:secret"}, "ApiKey aWQ6c2VjcmV0"),
        ({"es_api_key": "k", "es_username": "u", "es_password": "geheim"}, "ApiKey k"),
        ({"es_username": "u", "es_password": "geheim"}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password": "geheim", "es_api_key": ""}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password_file": "geheim"}, BASIC_U_GEHEIM),
        ({"es_username": "u", "es_password_file": "geheim\n"}, BASIC_U_GEHEIM),
        (
            {
                "es_username": "u",
                "es_password_file": "Password for the [u] user successfully reset.\nNew value: geheim\n",
            },
            BASIC_U_GEHEIM,
        ),
        ({"es_api_key_file": " k\n"}, "ApiKey k"),
        ({"es_api_key_file": "k", "es_username": "u", "es_password": "geheim"}, "ApiKey k"),
        ({}, None),
    ],
)
def test_it_signs_in_as_the_settings_say(tmp_path: Path, settings: dict, authorization: str | None) -> None:
    for name in settings:
        if name.endswith("_file"):
            (tmp_path / name).write_text(settings[name])
    settings = {name: tmp_path / name if name.endswith("_file") else value for name, value in settings.items()}
    with StandIn(healthy(stored)) as server:
        elastic_at(server, **settings).check()
        assert {request.authorization for request in server.requests} == {authorization}


@pytest.mark.parametrize(("role", "key"), [("writer", "k"), ("setup", "s"), ("erase", "e")])
def test_each_role_has_its_own_key(role: Any, key: str) -> None:
    keys = {"es_api_key": "k", "es_setup_api_key": "s", "es_erase_username": "e", "es_erase_password": "p"}
    with StandIn(healthy(stored)) as server:
        Elastic(ElasticsearchSettings(es_url=server.url, **keys), role).check()
        expected = "Basic ZTpw" if role == "erase" else f"ApiKey {key}"
        assert {request.authorization for request in server.requests} == {expected}


def test_a_role_without_a_key_of_its_own_has_the_writers() -> None:
    with StandIn(healthy(stored)) as server:
        Elastic(ElasticsearchSettings(es_url=server.url, es_api_key="k"), "erase").check()
        assert server.requests[0].authorization == "ApiKey k"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"es_api_key": "geheim"},
            "ES_API_KEY: Elasticsearch at URL does not accept this API key; write one that is valid, in its encoded "
            "form",
        ),
        (
            {"es_username": "u", "es_password": "geheim"},
            "ES_PASSWORD: Elasticsearch at URL does not accept this password of ES_USERNAME; write the right one",
        ),
        (
            {"es_setup_api_key": "geheim"},
            "ES_SETUP_API_KEY: Elasticsearch at URL does not accept this API key; write one that is valid, in its "
            "encoded form",
        ),
    ],
)
def test_a_wrong_key_or_password_is_named_by_its_setting(settings: dict, sentence: str) -> None:
    with StandIn(signed_in_with(lambda: "another")) as server:
        raised = fault(Elastic(ElasticsearchSettings(es_url=server.url, **settings), "setup").set_up)
        assert (type(raised), str(raised)) == (ElasticNotAllowed, sentence.replace("URL", server.url))


def test_a_password_file_may_appear_late_and_change(tmp_path: Path) -> None:
    file = tmp_path / "password"
    accepted = BASIC_U_GEHEIM
    with StandIn(signed_in_with(lambda: accepted)) as server:
        elastic = elastic_at(server, es_username="u", es_password_file=file)
        assert str(fault(elastic.check)) == f"ES_PASSWORD_FILE: the file {file} is not there yet"
        file.write_text("")
        assert str(fault(elastic.check)) == f"ES_PASSWORD_FILE: the file {file} is empty"
        assert server.requests == []
        file.write_text("geheim\n")
        elastic.check()
        accepted = "Basic dTpuZXc="
        raised = fault(elastic.check)
        assert str(raised) == (
            f"ES_PASSWORD_FILE: Elasticsearch at {server.url} does not accept this password of ES_USERNAME; write the "
            "right one"
        )
        file.write_text("New value: new\n")
        elastic.check()
        file.unlink()
        elastic.check()


def test_a_key_file_that_has_something_else_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("two words")
    elastic = Elastic(ElasticsearchSettings(es_url="http://localhost:1", es_api_key_file=file))
    assert str(fault(elastic.check)) == (
        "ES_API_KEY_FILE: what it has is not an API key; write one in its encoded form"
    )
