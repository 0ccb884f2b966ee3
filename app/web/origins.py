"""Which pages may talk to this server: the rule behind `CORS_ALLOWED_ORIGINS`, for Socket.IO and for HTTP."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

NAMED = re.compile(r"https?://[a-z0-9.\[\]:-]{1,200}")
REMEMBERED = 100
"""Refused origins that are logged, each once; a flood of made-up ones does not fill the log."""


class Origins:
    """`allowed`: origins, `https://*.example.com` for all subdomains, `*` for everybody.

    The server's own host on its own ports is always allowed: `own_ports` is filled when they are known.
    """

    def __init__(self, allowed: Sequence[str], own_ports: Sequence[int] = ()) -> None:
        self.own_ports: set[int] = set(own_ports)
        self._allowed = allowed
        self._patterns = [re.compile(_pattern(origin)) for origin in allowed]
        self._refused: set[str] = set()

    def allows(self, origin: str | None, environ: Mapping[str, Any]) -> bool:
        """Whether a page of `origin` may connect by this request. Without an origin it is no page."""
        if origin is None:
            return True
        origin = origin.lower()
        if self.is_own(origin, environ) or any(pattern.fullmatch(origin) for pattern in self._patterns):
            return True
        self._tell(origin)
        return False

    def is_own(self, origin: str, environ: Mapping[str, Any]) -> bool:
        """Whether `origin` is this server's own, whatever else is allowed."""
        origin = origin.lower()
        host = str(environ.get("HTTP_HOST", "")).lower()
        try:
            page, own = urlsplit(origin), urlsplit(f"//{host}")
            port = page.port or {"http": 80, "https": 443}.get(page.scheme)
            return page.netloc == host or (page.hostname == own.hostname and port in self.own_ports)
        except ValueError:
            return False

    def _tell(self, origin: str) -> None:
        if origin in self._refused or len(self._refused) >= REMEMBERED:
            return
        self._refused.add(origin)
        shown = origin[:200].encode("unicode_escape").decode()
        if NAMED.fullmatch(origin):
            line = ",".join([*self._allowed, origin])
            log.warning("a page of %s was refused; to allow it, set CORS_ALLOWED_ORIGINS=%s", shown, line)
        else:
            log.warning("a page of %s was refused; that is no address that could be allowed", shown)


def _pattern(origin: str) -> str:
    if origin == "*":
        return ".*"
    return re.escape(origin).replace(r"://\*\.", r"://([a-z0-9-]+\.)+")
