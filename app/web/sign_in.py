"""How an operator gets into the transcript viewer: `ADMIN_TOKEN` once, in a form; then a signed session cookie.

The token is never in an address, a page or a log. Other sites' pages can neither send the cookie
(`SameSite=Strict`) nor press the buttons (the `Origin` of a POST must be this server's own).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

from flask import Response, request
from itsdangerous import BadSignature, TimestampSigner
from pydantic import SecretStr

from app.web.visitors import remote_address

COOKIE = "transcripts_session"
PATH = "/transcripts"
LASTS = 12 * 3600
"""Seconds that a session lasts after the sign-in."""


class Sessions:
    """Signs and verifies session cookies. `keys`: the first one signs, all verify.

    The token is a part of each key: with another `ADMIN_TOKEN`, everybody has to sign in again.
    """

    def __init__(self, keys: Sequence[str], token: SecretStr) -> None:
        self._token = token.get_secret_value().encode()
        # itsdangerous signs with the last of a list.
        bound = [f"{key}\0{token.get_secret_value()}" for key in reversed(keys)]
        self._signer = TimestampSigner(bound, salt="transcripts-session-1")
        self._ended: dict[str, float] = {}

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(errors="replace"), self._token)

    def is_open(self) -> bool:
        """Whether the request's cookie is of a session that goes on."""
        name = self._name(request.cookies.get(COOKIE, ""))
        return name is not None and name not in self._ended

    def begin(self, response: Response) -> None:
        value = self._signer.sign(secrets.token_hex(16)).decode()
        # A proxy that ends TLS may not say so; the browser says what kind of page it has.
        https = request.is_secure or request.headers.get("Origin", "").startswith("https://")
        response.set_cookie(COOKIE, value, max_age=LASTS, path=PATH, secure=https, httponly=True, samesite="Strict")

    def end(self, response: Response) -> None:
        """End the session for good, for whoever may have a copy of the cookie (until this process ends)."""
        now = time.monotonic()
        self._ended = {name: at for name, at in self._ended.items() if now - at < LASTS}
        if name := self._name(request.cookies.get(COOKIE, "")):
            self._ended[name] = now
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")

    def _name(self, cookie: str) -> str | None:
        try:
            return self._signer.unsign(cookie, max_age=LASTS).decode()
        except BadSignature:
            return None


class Attempts:
    """Counts wrong tokens of each address; after `most` of them it is refused for `seconds`. Bounded memory."""

    def __init__(
        self, most: int = 10, seconds: float = 600, addresses: int = 1000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._most = most
        self._seconds = seconds
        self._addresses = addresses
        self._clock = clock
        self._lock = threading.Lock()
        # Address -> (when the first wrong one came, how many since); the oldest address stands first.
        self._wrong: dict[str, tuple[float, int]] = {}

    def wait(self, address: str) -> int:
        """Seconds for which this address is refused; 0: it may try."""
        since, count = self._wrong.get(address, (0.0, 0))
        left = since + self._seconds - self._clock()
        return int(left) + 1 if count >= self._most and left > 0 else 0

    def count(self, address: str) -> None:
        """There was a wrong one."""
        with self._lock:
            now = self._clock()
            since, count = self._wrong.pop(address, (now, 0))
            self._wrong[address] = (since, count + 1) if now - since < self._seconds else (now, 1)
            while len(self._wrong) > self._addresses:
                del self._wrong[next(iter(self._wrong))]


def client_address() -> str:
    """Whose attempt this is: an IPv4 address, or the network of an IPv6 one."""
    try:
        ip = ip_address(remote_address(request.environ))
    except ValueError:
        return "unknown"
    return str(ip if ip.version == 4 else ip_network((ip, 64), strict=False))


def safe_target(target: str) -> str:
    """Where to go after the sign-in: a page of the viewer and nothing else."""
    inside = target == PATH or target.startswith((f"{PATH}/", f"{PATH}?"))
    plain = len(target) < 2000 and target.isascii() and target.isprintable() and "\\" not in target
    return target if inside and plain and not target.startswith(f"{PATH}/sign-") else PATH
