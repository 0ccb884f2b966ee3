"""Which certificates of Elasticsearch are trusted: those of ES_CA_CERTS, or of the authority with ES_CA_FINGERPRINT.

The client library compares fingerprints with a chain whose signatures nobody checked, so that anybody who has seen
the authority's certificate could pass (measured with Python 3.11). Here the certificate with the fingerprint is taken
out of what the server shows and becomes the one that is trusted; the signatures are then checked as always.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic_errors import ElasticRefused, wrong_fingerprint

SECONDS = 10.0


def context_of(settings: ElasticsearchSettings) -> ssl.SSLContext | None:
    """What the settings trust; None is what everybody trusts. With a fingerprint it asks the server for its chain.

    Raises `ElasticRefused`, and `OSError` when the server cannot be reached.
    """
    if settings.es_ca_fingerprint:
        return _pinned(settings.es_address or "", settings.es_ca_fingerprint, settings.es_verify_certs)
    if not settings.es_verify_certs:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if settings.es_ca_certs:
        try:
            return ssl.create_default_context(cafile=str(settings.es_ca_certs))
        except OSError:
            raise ElasticRefused(
                f"ES_CA_CERTS: {settings.es_ca_certs} cannot be read as certificates; write the path of a PEM file"
            ) from None
    return None


def _pinned(address: str, fingerprint: str, check_hostname: bool) -> ssl.SSLContext:
    """Trusts the certificate with this fingerprint and what it signed."""
    wanted = fingerprint.replace(":", "").lower()
    shown = _shown(address)
    pinned = next((der for der in shown if hashlib.sha256(der).hexdigest() == wanted), None)
    if pinned is None:
        raise wrong_fingerprint(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pinned)
    # It may be an intermediate authority's or the server's own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # A server's own certificate, pinned, says whose it is by being that one.
    context.check_hostname = check_hostname and pinned != shown[0]
    return context


def _shown(address: str) -> list[bytes]:
    """The certificates that the server shows, its own first, whoever signed them."""
    parts = urlsplit(address)
    curious = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    curious.check_hostname = False
    curious.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((parts.hostname or "", parts.port or 443), SECONDS) as plain,
        curious.wrap_socket(plain, server_hostname=parts.hostname) as secured,
    ):
        own = secured.getpeercert(binary_form=True) or b""
        return [own, *(der for der in _chain(secured) if der != own)]


def _chain(secured: Any) -> list[bytes]:
    if hasattr(secured, "get_unverified_chain"):
        return list(secured.get_unverified_chain())
    # Before Python 3.13 it is there, but not public; 2 is the encoding DER.
    if not hasattr(secured._sslobj, "get_unverified_chain"):
        return []
    return [certificate.public_bytes(2) for certificate in secured._sslobj.get_unverified_chain() or ()]
