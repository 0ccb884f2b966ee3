"""What can go wrong with Elasticsearch, in one sentence each for the operator: which setting, what to write.

Knows no client library. No secret and no text of a document stands in a message: answers of Elasticsearch quote
documents, so only the words that name a kind of error are taken over.
"""

from __future__ import annotations

import re
from typing import Any

from app.errors import ChatServerError
from app.transcripts.fields import FIELDS, SCHEMA_VERSION

KEYS_DOCUMENT = "docs/transcripts.md"
COMMAND = "python -m app setup-elasticsearch"
FIELD_NAMES = frozenset(field.name for field in FIELDS)


class ElasticError(ChatServerError):
    """Elasticsearch did not do what was asked. The message is one sentence for the operator."""


class ElasticUnavailable(ElasticError):
    """It cannot be reached, is overloaded or has a fault: trying again helps. `retry_after`: seconds, if it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ElasticNotAllowed(ElasticError):
    """The key or user is wrong, or may not do this: an operator has to act."""


class ElasticRefused(ElasticError):
    """It does not take this, or is not what this server can use: an operator has to act."""


class ElasticNotSetUp(ElasticRefused):
    """Neither the index nor a template for it is there; `Elastic.set_up` with a key that may helps."""


def not_elasticsearch(address: str) -> ElasticRefused:
    return ElasticRefused(f"ES_URL: what answers at {address} is not Elasticsearch; write the address of one")


def wrong_version(address: str, version: str | None) -> ElasticRefused:
    which = f"is Elasticsearch {version}" if version else "is an older Elasticsearch"
    return ElasticRefused(f"ES_URL: the server at {address} {which}; this chat server needs Elasticsearch 9")


def not_set_up(index: str) -> ElasticNotSetUp:
    return ElasticNotSetUp(f"ES_INDEX: there is no index {index} and no template for it; run {COMMAND}")


def wrong_mapping(index: str, version: object) -> ElasticRefused:
    if isinstance(version, int):
        which = f"has documents of schema version {version}, and this server writes version {SCHEMA_VERSION}"
    else:
        which = "was made by something else, without the fields of this server"
    return ElasticRefused(f"ES_INDEX: the index {index} {which}; name another index")


def not_writable(index: str, kind: str) -> ElasticRefused:
    return ElasticRefused(f"ES_INDEX: the index {index} is blocked ({kind}); remove the block in Elasticsearch")


def not_accepted(address: str, names: tuple[str, ...]) -> ElasticNotAllowed:
    """401. `names`: the settings that have the key, or user name and password; none: nothing was sent."""
    if not names:
        return ElasticNotAllowed(
            f"ES_API_KEY: Elasticsearch at {address} wants to know who asks; set ES_API_KEY, or ES_USERNAME and "
            "ES_PASSWORD"
        )
    if len(names) == 1:
        return ElasticNotAllowed(
            f"{names[0]}: Elasticsearch at {address} does not accept this API key; write one that is valid, in its "
            "encoded form"
        )
    user, password = names
    return ElasticNotAllowed(
        f"{password}: Elasticsearch at {address} does not accept this password of {user}; write the right one"
    )


def not_permitted(index: str, names: tuple[str, ...], doing: str) -> ElasticNotAllowed:
    """403. `doing`: such as `write to {index}`."""
    name = names[0] if names else "ES_API_KEY"
    who = "nobody who is not signed in" if not names else "this key" if len(names) == 1 else "this user"
    may = "may" if not names else "may not"
    return ElasticNotAllowed(f"{name}: {who} {may} {doing.format(index=index)}; see the keys in {KEYS_DOCUMENT}")


def untrusted(address: str, code: int, why: str) -> ElasticRefused:
    """`code`, `why`: as OpenSSL gives them (https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/)."""
    if code in (62, 64):
        return ElasticRefused(
            f"ES_URL: the certificate of {address} is one for other host names; write a name that is in it"
        )
    if code == 10:
        return ElasticRefused(f"ES_CA_CERTS: the certificate of {address} has expired; renew it there")
    return ElasticRefused(
        f"ES_CA_CERTS: the certificate of {address} is not trusted ({why}); write the path of a PEM file with the "
        "certificate authority that signed it"
    )


def wrong_fingerprint(address: str) -> ElasticRefused:
    return ElasticRefused(
        f"ES_CA_FINGERPRINT: no certificate of {address} has this fingerprint; write the SHA-256 fingerprint of its "
        "certificate authority"
    )


def no_tls(address: str) -> ElasticRefused:
    return ElasticRefused(f"ES_URL: the server at {address} speaks no TLS; write http instead of https")


def no_answer(address: str, why: str) -> ElasticUnavailable:
    return ElasticUnavailable(f"Elasticsearch at {address} cannot be reached: {why}")


def refused(address: str, status: int, kind: str) -> ElasticRefused:
    return ElasticRefused(f"Elasticsearch at {address} refuses the request ({status}, {kind})")


def kind_of(error: Any) -> str:
    """The word with which Elasticsearch names this kind of error."""
    kind = error.get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,100}", kind) else "unknown error"


def reason_of(error: Any) -> str:
    """Why a document was refused: kind and field, never a value (Elasticsearch's own reason quotes the document)."""
    text = error.get("reason") if isinstance(error, dict) else None
    named = re.findall(r"\[([\w.@]+)\]", text) if isinstance(text, str) else []
    field = next((name for name in named if name in FIELD_NAMES), None)
    return f"{kind_of(error)} on field {field}" if field else kind_of(error)
