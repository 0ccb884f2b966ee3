"""How Kibana is reached: its address, the credentials, and in one sentence for the operator what went wrong."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from socket import gaierror
from typing import Any
from urllib.parse import urlsplit

import httpx2

from app.errors import ChatServerError
from app.settings_elasticsearch import ElasticsearchSettings

WORDS = 300
"""Characters that are shown of what Kibana says itself."""
REFUSALS = {
    "conflict": "something else with this id is there and was not replaced",
    "ambiguous_conflict": "several copies of it are there; delete those that you do not need",
    "unsupported_type": "this Kibana does not know such objects",
}


class KibanaError(ChatServerError):
    """The import did not work; the text is for the operator's terminal, without keys or passwords."""


class NotReadyError(KibanaError):
    """Kibana starts, or is not there yet; the same may work in a moment."""


def address_of(url: str | None) -> str:
    """Kibana's address without the page that somebody copied along with it."""
    if url is None:
        raise KibanaError("KIBANA_URL: set it to Kibana's address, such as http://localhost:5601")
    parts = urlsplit(url)
    path = re.sub(r"/app(/.*)?$", "", parts.path).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def credentials_of(settings: ElasticsearchSettings) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Headers, and user and password; an API key comes first, and a Kibana without security needs neither."""
    if settings.kibana_api_key:
        return {"Authorization": f"ApiKey {settings.kibana_api_key.get_secret_value()}"}, None
    if settings.kibana_username and settings.kibana_password:
        return {}, (settings.kibana_username, settings.kibana_password.get_secret_value())
    return {}, None


def unreachable(address: str, error: Exception) -> KibanaError:
    """The error for a request that got no answer."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return KibanaError(
            f"The certificate of {address} is not trusted; name the PEM file of its certificate authority in the "
            "environment as SSL_CERT_FILE"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return KibanaError(f"{address} does not speak TLS as expected; is it http:// instead?")
    if any(isinstance(cause, gaierror) for cause in causes):
        return KibanaError(f"The host of {address} is not known; see that KIBANA_URL is right")
    if isinstance(error, (httpx2.RemoteProtocolError, httpx2.ReadError)):
        return KibanaError(f"{address} ended the connection without an answer; is it https:// instead?")
    if isinstance(error, (httpx2.TransportError, OSError)):
        return NotReadyError(f"Nothing answers at {address} ({type(error).__name__})")
    return KibanaError(f"KIBANA_URL: {address} cannot be asked ({type(error).__name__})")


def refused(address: str, answer: httpx2.Response) -> KibanaError:
    """The error for an answer that is none of success."""
    if "x-elastic-product" in answer.headers or answer.status_code == HTTPStatus.NOT_FOUND:
        return not_kibana(address, answer)
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        return KibanaError(
            f"Kibana at {address} does not accept these credentials (401); see that KIBANA_API_KEY is the encoded form "
            "of a valid key, or that KIBANA_USERNAME and KIBANA_PASSWORD are right"
        )
    if answer.status_code == HTTPStatus.FORBIDDEN:
        return KibanaError(
            f"These credentials may not import into Kibana (403: {words_of(answer)}); their role needs the Kibana "
            "privilege Saved Objects Management: All in that space (docs/kibana.md)"
        )
    if answer.has_redirect_location:
        return KibanaError(
            f"{address} sends on to {re.split('[?#]', answer.headers['location'])[0]}; set KIBANA_URL to Kibana's own "
            "address, with its base path or space (/s/name) if it has one"
        )
    return KibanaError(f"Kibana at {address} refused the request ({answer.status_code}): {words_of(answer)}")


def not_kibana(address: str, answer: httpx2.Response) -> KibanaError:
    """The error for an answer that Kibana would not give."""
    what = "is Elasticsearch" if "x-elastic-product" in answer.headers else "does not answer as Kibana does"
    return KibanaError(
        f"{address} {what} ({answer.status_code}); set KIBANA_URL to Kibana's address, usually port 5601, with its "
        "base path or space (/s/name) if it has one"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refused_object(error: dict[str, Any]) -> str:
    """What Kibana says of one object that it did not take."""
    reason = error.get("error") or {}
    missing = ", ".join(f"{item.get('type')} {item.get('id')}" for item in reason.get("references") or [])
    words = REFUSALS.get(reason.get("type", ""), str(reason.get("message") or reason.get("type") or "no reason"))
    if missing:
        words = f"it needs {missing}, which is not there"
    title = (error.get("meta") or {}).get("title") or error.get("id")
    return f"{error.get('type')} {title!r}: {words[:WORDS]}"


def words_of(answer: httpx2.Response) -> str:
    """Kibana's own words: the `message` of its error, else the beginning of the body."""
    try:
        text = str(answer.json()["message"])
    except (ValueError, TypeError, KeyError):
        text = answer.text
    return " ".join(text.split())[:WORDS]
