"""`python -m app widget --url https://chat.example.com`: what the owner of a site copies to have the chat.

The tag, the tag that pins the widget's bytes, and the lines for a Content Security Policy; docs/embedding.md explains
them.
"""

from __future__ import annotations

import argparse
import re
import sys
from urllib.parse import urlsplit

from app.commands import Commands
from app.errors import SettingsError
from app.settings import load
from app.web.widget_file import NAME, WidgetFile, read_widget

ADDRESS = re.compile(r"https?://[a-z0-9.\[\]:-]+(/[\w.~/-]*)?", re.I | re.A)

TOLD = """\
The tag. It gives the widget that fits this server, also after an upgrade:

  <script src="{address}/static/{name}" defer></script>

The same with its content pinned. After an upgrade browsers refuse it until the new tag is in its place:

  <script src="{address}/static/{versioned_name}"
          integrity="{integrity}"
          crossorigin="anonymous" defer></script>

A page with a Content Security Policy adds to it:

  script-src  {origin}
  connect-src {origin} {websocket_origin}

and, if it has a list of Trusted Types:

  trusted-types assistant-chat

A page on another origin has to be allowed by CORS_ALLOWED_ORIGINS. All of it: docs/embedding.md
"""


def told(address: str, widget: WidgetFile) -> str:
    """The text for a server that browsers reach at `address`."""
    scheme, host = urlsplit(address.lower())[:2]
    websocket = {"http": "ws", "https": "wss"}[scheme]
    return TOLD.format(
        address=address, name=NAME, versioned_name=widget.versioned_name, integrity=widget.integrity,
        origin=f"{scheme}://{host}", websocket_origin=f"{websocket}://{host}",
    )  # fmt: skip


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as https://chat.example.com")
    return text.rstrip("/")


def _run(arguments: argparse.Namespace) -> int:
    try:
        print(told(arguments.url or f"http://localhost:{load().port}", read_widget()), end="")
    except SettingsError as error:
        print(f"!!  {error}", file=sys.stderr)
        return 1
    return 0


def add(commands: Commands) -> None:
    parser = commands.add_parser("widget", help="print the tag that puts the chat on a page, and its CSP lines")
    parser.add_argument(
        "--url", type=_address, metavar="ADDRESS", help="where browsers reach the server (http://localhost:PORT)"
    )
    parser.set_defaults(run=_run)
