"""How the server logs: one line an event on stderr, with ids, never with message text or keys."""

from __future__ import annotations

import logging

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Set up logging of this process. `level` is one of `LEVELS`.

    The libraries' own loggers stay at WARNING: at DEBUG some of them print whole request bodies.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    for name in ("app", "ws"):
        logging.getLogger(name).setLevel(level.upper())
    for name in ("openai", "httpx2", "httpcore2", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
