"""Where a request comes from. A proxy on this machine is believed when it says for whom it asks; nobody else is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def remote_address(environ: Mapping[str, Any]) -> str:
    """The address of whoever asks, as text; empty if it is not known."""
    remote = str(environ.get("REMOTE_ADDR") or "")
    if remote in ("127.0.0.1", "::1"):
        return str(environ.get("HTTP_X_FORWARDED_FOR", remote)).rpartition(",")[2].strip()
    return remote
