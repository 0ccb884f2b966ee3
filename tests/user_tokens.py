"""User tokens as a site's backend signs them, by hand and not with the library that verifies them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

SECRET = "a secret that the site and the chat server share"
ABSENT = object()


def user_token_of(sub: Any, *, secret: str = SECRET, alg: str = "HS256", **claims: Any) -> str:
    """Valid for a day, longer than any run of the tests, unless `claims` say otherwise; `ABSENT` leaves one out."""
    now = int(time.time())
    everything = {"sub": sub, "iat": now, "exp": now + 86_400, **claims}
    payload = {name: value for name, value in everything.items() if value is not ABSENT}
    return signed(f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(payload)}", secret)


def signed(message: str, secret: str = SECRET) -> str:
    """`message` with its HMAC-SHA256 behind it, whatever it says."""
    return f"{message}.{_base64(hmac.digest(secret.encode(), message.encode(), hashlib.sha256))}"


def encoded(part: Any) -> str:
    return _base64(json.dumps(part).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
