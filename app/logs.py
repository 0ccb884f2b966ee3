"""How the server logs: one line an event on stderr, with ids, never with message text or keys."""

from __future__ import annotations

import logging
import re

LIBRARIES = ("openai", "httpx2", "httpcore2", "sqlalchemy", "alembic", "elasticsearch", "elastic_transport", "urllib3")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class OneLine(logging.Formatter):
    """Plain lines. What came from outside cannot begin a line of its own: control characters are shown as escapes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), record.message)
        return super().formatMessage(record)


def configure(level: str) -> None:
    """Set up logging of this process. `level` is `LOG_LEVEL` of the settings.

    The libraries' own loggers stay at WARNING: at DEBUG some of them print whole request bodies.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
    for name in ("app", "ws"):
        logging.getLogger(name).setLevel(level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # One line for each failed call; the shipper has one for an outage.
    logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
