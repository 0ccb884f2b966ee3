"""The HTTP routes: the pages, `/healthz`, `/readyz`, `/metrics`, `/api/model`, and what a widget elsewhere loads."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask, Response, jsonify, render_template
from flask_cors import CORS
from pydantic import SecretStr

from app.errors import ChatServerError
from app.web.admin import operators_only
from app.web.metrics import Metrics
from app.web.widget_file import add_widget, read_widget

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self' ws: wss:",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types assistant-chat",
    )
)

Check = Callable[[], None]
Detail = Callable[[], dict[str, object]]


def add_routes(
    flask: Flask, *, metrics: Metrics, admin_token: SecretStr | None, checks: dict[str, Check],
    details: dict[str, Detail] | None = None, model: Detail = dict, demo: bool = False,
) -> None:  # fmt: skip
    """Add all routes.

    `checks`: what must work before messages can be taken; each raises if it does not. `details`: what `/readyz` shows
    besides, which changes nothing about being ready. `demo`: the demo answers, so the chat's page offers questions
    that it knows, and there is somebody who counts for `/try/resume`. `model`: what operators are told about the
    model that answers.
    """
    routes = Blueprint("chat", __name__)

    @routes.get("/")
    def page() -> Response:
        return _page("chat.html", demo=demo)

    if demo:

        @routes.get("/try/resume")
        def try_resume() -> Response:
            return _page("try_resume.html")

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> Response:
        results = {name: _result(check) for name, check in checks.items()}
        ready = all(result == "ok" for result in results.values())
        shown = {name: detail() for name, detail in (details or {}).items()}
        response = jsonify(ready=ready, checks=results, **({"details": shown} if shown else {}))
        response.status_code = 200 if ready else 503
        return response

    @routes.get("/metrics")
    @operators_only(admin_token)
    def metrics_text() -> Response:
        text, content_type = metrics.text()
        return Response(text, content_type=content_type)

    @routes.get("/api/model")
    @operators_only(admin_token)
    def about_model() -> Response:
        return jsonify(model())

    flask.register_blueprint(routes)
    add_widget(flask, read_widget())
    flask.after_request(_no_sniffing)
    # What a widget on another site loads is public. No other route is opened to other origins.
    CORS(flask, resources={r"/static/.*": {"origins": "*"}}, send_wildcard=True, methods=["GET"])


def _page(template: str, **names: object) -> Response:
    response = Response(render_template(template, **names))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _result(check: Check) -> str:
    try:
        check()
    except ChatServerError as error:
        return str(error)
    return "ok"


def _no_sniffing(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
