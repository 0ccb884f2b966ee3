"""The index in Elasticsearch and the template that it is made from; and which privileges each key needs.

An index of a wrong mapping is never written to: Elasticsearch would otherwise make one by guessing types.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from app.transcripts import elastic_errors as errors
from app.transcripts.elastic_client import Connection
from app.transcripts.elastic_errors import ElasticNotAllowed, ElasticNotSetUp, ElasticRefused
from app.transcripts.elastic_login import Role
from app.transcripts.fields import SCHEMA_VERSION, mapping

PRIORITY = 500
"""Over templates with patterns such as `*`, whose priority is usually 0."""
SETTINGS = {"index": {"auto_expand_replicas": "0-1"}}
"""A copy on a second node, as soon as there is one."""

PRIVILEGES: dict[Role, tuple[list[str], list[str]]] = {
    "writer": (["monitor"], ["create_doc", "read", "view_index_metadata", "auto_configure"]),
    "setup": (["manage_index_templates"], ["manage"]),
    "erase": ([], ["read", "delete", "maintenance"]),
}
"""The least that each key needs: on the cluster, on the index."""


def key_request(role: Role, index: str) -> dict[str, Any]:
    """The body of `POST /_security/api_key` for a key that may do just what this role does."""
    cluster, privileges = PRIVILEGES[role]
    name = f"{index}-{role}"
    descriptor = {"cluster": cluster, "indices": [{"names": [index], "privileges": privileges}]}
    return {"name": name, "role_descriptors": {name: descriptor}}


def template_name(index: str) -> str:
    return f"{index}-template"


def check(connection: Connection) -> None:
    """See that it is Elasticsearch 9 and that documents would get the right types. Raises `ElasticError`."""
    _check_version(connection)
    if _schema_is_there(connection):
        return
    template = _template(connection)
    if template is None:
        raise errors.not_set_up(connection.index)
    _check_schema(connection, template["template"].get("mappings", {}))


def set_up(connection: Connection) -> list[str]:
    """Install template and index, where they are not there yet. What was done, a line each. Safe to repeat."""
    # The key for this need not be one that may ask for the version; one that is wrong is told by the next call.
    with suppress(ElasticNotAllowed):
        _check_version(connection)
    exists = _schema_is_there(connection)
    lines = [_install_template(connection)]
    lines.append(_add_fields(connection) if exists else _make_index(connection))
    return lines


def _check_version(connection: Connection) -> None:
    version = connection.call(lambda client: client.info(), "ask for the version").body.get("version", {})
    number = str(version.get("number", ""))
    if number.partition(".")[0] != "9" and version.get("build_flavor") != "serverless":
        raise errors.wrong_version(connection.address, number or None)


def _schema_is_there(connection: Connection) -> bool:
    """Whether the index is there. Raises `ElasticRefused` if it has other documents than ours."""
    found = _mappings(connection)
    for mappings in found:
        _check_schema(connection, mappings)
    return bool(found)


def _mappings(connection: Connection) -> list[dict[str, Any]]:
    """Several, if ES_INDEX is an alias of several. Empty: there is no index."""
    index = connection.index
    try:
        answer = connection.call(lambda client: client.indices.get_mapping(index=index), "read the mapping of {index}")
    except ElasticNotSetUp:
        return []
    return [found["mappings"] for found in answer.body.values()]


def _check_schema(connection: Connection, found: dict[str, Any]) -> None:
    version = found.get("_meta", {}).get("schema_version")
    if version != SCHEMA_VERSION:
        raise errors.wrong_mapping(connection.index, version)


def _template(connection: Connection) -> dict[str, Any] | None:
    name = template_name(connection.index)
    found = connection.call(
        lambda client: client.options(ignore_status=404).indices.get_index_template(name=name),
        "read the template of {index}",
    )
    templates = found.body.get("index_templates", []) if isinstance(found.body, dict) else []
    return templates[0]["index_template"] if templates else None


def _install_template(connection: Connection) -> str:
    name = template_name(connection.index)
    present = _template(connection)
    if present and present["template"].get("mappings") == mapping():
        return f"template {name}: it is there already"
    connection.call(
        lambda client: client.indices.put_index_template(
            name=name,
            index_patterns=[connection.index],
            priority=PRIORITY,
            template={"settings": SETTINGS, "mappings": mapping()},
            meta={"schema_version": SCHEMA_VERSION},
        ),
        "install the template of {index}",
    )
    return f"template {name}: {'brought up to date' if present else 'installed'}"


def _make_index(connection: Connection) -> str:
    index = connection.index
    try:
        connection.call(lambda client: client.indices.create(index=index), "create {index}")
    except ElasticRefused as error:
        # Somebody else was faster; that it is the right one is checked before anything is written.
        if "resource_already_exists_exception" not in str(error):
            raise
        return f"index {index}: it is there already"
    return f"index {index}: made"


def _add_fields(connection: Connection) -> str:
    """Fields that a later version of this server added; their types never change within a schema version."""
    index, properties = connection.index, mapping()["properties"]
    if all(found.get("properties") == properties for found in _mappings(connection)):
        return f"index {index}: it is there already"
    connection.call(lambda client: client.indices.put_mapping(index=index, properties=properties), "change {index}")
    return f"index {index}: it is there already, brought up to date"
