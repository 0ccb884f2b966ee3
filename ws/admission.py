"""Who may still connect: a limit for clients, and none at all while the worker is going away.

Without it the next client beyond what the worker can hold would be left hanging, neither served nor refused.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from app.settings import Settings

RETRY_AFTER = "5"
"""Seconds, as in the header of that name."""
OTHER_REQUESTS = 500
"""Connections besides those of the chat's clients: pages, scripts, health checks, refusals."""
MOST_THREADS = 200
"""Clients with `ASYNC_MODE=threading`, where each of them has a thread of the operating system."""
SPARE_THREADS = 32
OWN_FILES = 100
"""Files and sockets that the worker itself has open."""


class Admission:
    """`sessions`: the connected clients. `closed`: nobody else is let in."""

    def __init__(self, sessions: Mapping[str, Any], most: int) -> None:
        self._sessions = sessions
        self._most = most
        self.closed = False

    def refuses(self, environ: Mapping[str, Any]) -> bool:
        """Whether this request to Engine.IO would open one session too many."""
        if not self.closed and len(self._sessions) < self._most:
            return False
        return not sid_of(environ)

    def knows(self, environ: Mapping[str, Any]) -> bool:
        """Whether this request names a session that there is."""
        return sid_of(environ) in self._sessions

    def has_ended(self, environ: Mapping[str, Any]) -> bool:
        """Whether its session was closed and is only not forgotten yet; the library stumbles over those."""
        session = self._sessions.get(sid_of(environ))
        return session is not None and bool(session.closed)


def sid_of(environ: Mapping[str, Any]) -> str:
    """The Engine.IO session of a request; empty if it names none."""
    return str(parse_qs(environ.get("QUERY_STRING", "")).get("sid", [""])[0])


def most_clients(settings: Settings) -> int:
    """How many clients may be connected, as far as it is up to the settings."""
    return min(settings.max_connections, MOST_THREADS if settings.async_mode == "threading" else sys.maxsize)


def make_room(clients: int, answers: int) -> int:
    """Raise this process's limit of open files so far that `clients` and `answers` fit. How many clients do."""
    reserve = OTHER_REQUESTS + OWN_FILES + answers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = clients + reserve if hard == resource.RLIM_INFINITY else min(clients + reserve, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, min(clients, allowed - reserve))
