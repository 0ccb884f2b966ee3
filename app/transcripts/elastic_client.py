"""The connection to Elasticsearch, and the border where the client library's errors become ours.

Nothing is connected before the first call. The library's own retries are off: whoever calls knows better whether and
when to try again. Every call has an end: a time limit, and one for getting one of the few connections, because the
library's pool would wait for ever.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from elastic_transport import (
    ApiError,
    ConnectionTimeout,
    NodeConfig,
    SerializationError,
    TransportError,
    Urllib3HttpNode,
)
from elasticsearch import Elasticsearch, UnsupportedProductError

from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts import elastic_errors as errors
from app.transcripts.elastic_errors import ElasticError, ElasticNotAllowed, ElasticUnavailable
from app.transcripts.elastic_login import Login, Role
from app.transcripts.elastic_tls import context_of

CONNECTIONS = 4
SECONDS = 10.0
"""For a call that says nothing else."""
PATIENCE = 10.0
"""Seconds to wait for one of the connections."""

NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""How OpenSSL names an answer that is no TLS."""

Result = TypeVar("Result")


class Node(Urllib3HttpNode):
    """Trusts what its `ssl_context` trusts. The library would add the well-known authorities, and check host names."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        pool: Any = self.pool
        if config.ssl_context:
            pool.ca_certs = None
        if config.ssl_context and not config.ssl_context.check_hostname:
            pool.assert_hostname = False


class Connection:
    """Calls of one role. Safe to use from several threads, green or not. Every call raises `ElasticError`."""

    def __init__(self, settings: ElasticsearchSettings, role: Role) -> None:
        self.address = settings.es_address or ""
        self.index = settings.es_index
        self._settings = settings
        self._login = Login(settings, role)
        self._client: Elasticsearch | None = None
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def call(self, work: Callable[[Elasticsearch], Result], doing: str, *, seconds: float | None = None) -> Result:
        """Do `work`, once more if the file with the key has something new. `doing`: such as `write to {index}`."""
        seconds = SECONDS if seconds is None else seconds
        if not self._free.acquire(timeout=PATIENCE):
            raise errors.no_answer(self.address, f"all {CONNECTIONS} connections are busy")
        try:
            return self._once(work, doing, seconds)
        except ElasticNotAllowed:
            if not self._login.renew():
                raise
            return self._once(work, doing, seconds)
        finally:
            self._free.release()

    def not_permitted(self, doing: str) -> ElasticNotAllowed:
        """For an answer that is no error as a whole, but says so of each document."""
        return errors.not_permitted(self.index, self._login.account().names, doing)

    def _once(self, work: Callable[[Elasticsearch], Result], doing: str, seconds: float) -> Result:
        account = self._login.account()
        try:
            self._client = self._client or self._connect()
            return work(self._client.options(request_timeout=seconds, **account.options))
        # `from None`: what is translated here may quote documents, and a traceback would show it.
        except UnsupportedProductError:
            raise errors.not_elasticsearch(self.address) from None
        except ApiError as error:
            raise self._answered(error, account.names, doing) from None
        except (TransportError, OSError) as error:
            raise self._not_answered(error, seconds) from None

    def _connect(self) -> Elasticsearch:
        tls: dict[str, Any] = {}
        if self.address.startswith("https:") and (context := context_of(self._settings)):
            tls = {"ssl_context": context, "verify_certs": context.verify_mode != ssl.CERT_NONE, "ssl_show_warn": False}
        return Elasticsearch(
            [self.address],
            node_class=Node,
            max_retries=0,
            retry_on_timeout=False,
            connections_per_node=CONNECTIONS,
            **tls,
        )

    def _answered(self, error: ApiError, names: tuple[str, ...], doing: str) -> ElasticError:
        status, headers = error.meta.status, error.meta.headers
        kind = errors.kind_of(error.body.get("error") if isinstance(error.body, dict) else None)
        if status in (408, 429) or status >= 500:
            return ElasticUnavailable(
                f"Elasticsearch at {self.address} cannot take it at the moment ({status})",
                retry_after=_seconds(headers.get("retry-after")),
            )
        if kind == "media_type_header_exception":
            return errors.wrong_version(self.address, None)
        if status == 401:
            return errors.not_accepted(self.address, names)
        if kind == "cluster_block_exception":
            return errors.not_writable(self.index, kind)
        if status == 403:
            return errors.not_permitted(self.index, names, doing)
        if headers.get("x-elastic-product") != "Elasticsearch":
            return errors.not_elasticsearch(self.address)
        if kind == "index_not_found_exception":
            return errors.not_set_up(self.index)
        return errors.refused(self.address, status, kind)

    def _not_answered(self, error: TransportError | OSError, seconds: float) -> ElasticError:
        if isinstance(error, (ConnectionTimeout, TimeoutError)):
            return errors.no_answer(self.address, f"no answer within {seconds:g} seconds")
        if isinstance(error, SerializationError):
            return errors.not_elasticsearch(self.address)
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return errors.untrusted(self.address, cause.verify_code, cause.verify_message)
            if isinstance(cause, ssl.SSLError) and cause.reason in NO_TLS:
                return errors.no_tls(self.address)
            if type(cause) is http.client.BadStatusLine:
                return errors.not_elasticsearch(self.address)
            if why := _why(cause):
                return errors.no_answer(self.address, why)
        return errors.no_answer(self.address, "the connection was lost")


def _causes(error: object) -> Iterator[BaseException]:
    """An error and what it came from, down to the operating system's. Some are kept as an argument only."""
    while isinstance(error, BaseException):
        yield error
        error = error.__cause__ or next((part for part in error.args if isinstance(part, BaseException)), None)


def _why(cause: BaseException) -> str | None:
    if isinstance(cause, socket.gaierror):
        return "its host name is not known"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(cause, http.client.RemoteDisconnected):
        return "it closed the connection without an answer; if it speaks TLS, write https into ES_URL"
    if isinstance(cause, ssl.SSLError):
        return "the TLS connection was broken off"
    return "it broke off the connection" if isinstance(cause, ConnectionError) else None


def _seconds(retry_after: str | None) -> float | None:
    """A `Retry-After` header, which has seconds or a date."""
    if not retry_after:
        return None
    try:
        if retry_after.strip().isdigit():
            return float(retry_after)
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
