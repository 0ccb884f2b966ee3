"""Ids that look like OpenAI's, and the time as it tells it."""

from __future__ import annotations

import secrets
import string
import time

ALPHABET = string.ascii_letters + string.digits


def long_id(prefix: str) -> str:
    """As in Responses: `resp_` and 48 hexadecimal digits."""
    return f"{prefix}_{secrets.token_hex(24)}"


def short_id(prefix: str, separator: str = "_", length: int = 24) -> str:
    """As in Assistants and Chat Completions: `run_` and 24 letters and digits."""
    return prefix + separator + "".join(secrets.choice(ALPHABET) for _ in range(length))


def now() -> int:
    """Unix seconds."""
    return int(time.time())
