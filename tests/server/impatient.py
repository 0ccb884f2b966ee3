"""The application with short times, for tests that cannot wait for the real ones. TEST_PING: its pings', in seconds."""

from __future__ import annotations

import os

from ws import transfers

transfers.BODY_PATIENCE = transfers.RESPONSE_PATIENCE = 1.0

from app.main import app_instance  # noqa: E402

_engine = app_instance.extensions["socketio"].server.eio
_engine.ping_interval = _engine.ping_timeout = float(os.environ.get("TEST_PING", "25"))
