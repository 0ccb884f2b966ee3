"""The application with other times than its own, in seconds: for tests that cannot wait so long, or must not be late.

TEST_TRANSFER: in which a body or a response has to move. TEST_PING: between pings, and for their answer.
TEST_SHIPPING: for the last records at the end.
"""

from __future__ import annotations

import os

from ws import departure, transfers

if "TEST_TRANSFER" in os.environ:
    transfers.BODY_PATIENCE = transfers.RESPONSE_PATIENCE = float(os.environ["TEST_TRANSFER"])
if "TEST_SHIPPING" in os.environ:
    departure.SHIPPING = float(os.environ["TEST_SHIPPING"])

from app.main import app_instance

if "TEST_PING" in os.environ:
    _engine = app_instance.extensions["socketio"].server.eio
    _engine.ping_interval = _engine.ping_timeout = float(os.environ["TEST_PING"])
