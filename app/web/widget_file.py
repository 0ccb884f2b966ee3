"""The widget's one file as browsers get it: packed once at the start, under a stable and under a versioned name.

Our own and not WhiteNoise, which sends a packed or a versioned copy only if somebody has put it on the disk beside the
file, with a tag made of time and size. Conditions and qualities are werkzeug's; `routes.py` opens /static to all
origins.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, request, url_for

from app.errors import SettingsError

NAME = "chat-widget.js"
PATH = Path(__file__).resolve().parent.parent.parent / "static" / NAME
VERSION_LENGTH = 12

STABLE = "public, max-age=600"
"""Nothing is asked for again within a visit, and ten minutes after an upgrade all pages have it."""
FOR_EVER = "public, max-age=31536000, immutable"
"""For a name that never means other bytes."""


@dataclass(frozen=True, slots=True)
class Form:
    """The bytes that are sent for one `Content-Encoding`, and their tag."""

    encoding: str
    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class WidgetFile:
    """Both forms, packed and plain. `version` is in the versioned name, `integrity` for the attribute beside it."""

    forms: tuple[Form, ...]
    version: str
    integrity: str

    @property
    def versioned_name(self) -> str:
        return NAME.replace(".js", f".{self.version}.js")


def read_widget(path: Path = PATH) -> WidgetFile:
    """Read and pack the file. Raises `SettingsError` where it is missing."""
    try:
        plain = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"static/{NAME} cannot be read ({error.strerror}); `make widget` builds it") from error
    version = hashlib.sha256(plain).hexdigest()[:VERSION_LENGTH]
    integrity = f"sha384-{b64encode(hashlib.sha384(plain).digest()).decode()}"
    bodies = {"gzip": gzip.compress(plain, 9, mtime=0), "identity": plain}
    forms = [Form(encoding, body, hashlib.sha256(body).hexdigest()) for encoding, body in bodies.items()]
    return WidgetFile(tuple(forms), version, integrity)


def add_widget(flask: Flask, widget: WidgetFile) -> None:
    """Add both names, and `widget_url()` for templates: the versioned one, new with every build."""
    routes = Blueprint("widget", __name__)

    @routes.get(f"/static/{NAME}")
    def stable() -> Response:
        return _file(widget, STABLE)

    @routes.get(f"/static/{NAME.replace('.js', '')}.<string(length={VERSION_LENGTH}):version>.js")
    def versioned(version: str) -> Response:
        if version == widget.version:
            return _file(widget, FOR_EVER)
        # A page from before an upgrade goes on working; one with an integrity attribute is refused by its browser.
        # Relative: a proxy may have put this server under a path of its own.
        return Response(status=302, headers={"Location": NAME, "Cache-Control": "no-cache"})

    flask.register_blueprint(routes)
    flask.add_template_global(lambda: url_for("widget.versioned", version=widget.version), "widget_url")


def _file(widget: WidgetFile, cache_control: str) -> Response:
    best = request.accept_encodings.best_match([form.encoding for form in widget.forms], "identity")
    form = next(form for form in widget.forms if form.encoding == best)
    response = Response(form.body, content_type="text/javascript; charset=utf-8")
    if form.encoding != "identity":
        response.content_encoding = form.encoding
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = cache_control
    # For pages that load nothing without this word (Cross-Origin-Embedder-Policy: require-corp).
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.set_etag(form.etag)
    response.make_conditional(request)
    return response
