"""The transcript viewer at `/transcripts`: a list with search, one conversation, charts. Server-made pages, no script.

What is shown was written by strangers: it is text and nothing else (Jinja escapes it), Markdown is not
rendered, addresses are no links, and the policy would let nothing run or load anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Protocol
from urllib.parse import quote

from flask import Blueprint, Response, render_template, request
from pydantic import SecretStr

from app.errors import ChatServerError
from app.web import filters, shown
from app.web.charts import Day, charts
from app.web.origins import Origins
from app.web.sign_in import COOKIE, PATH, Attempts, Sessions, client_address, safe_target

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # With `no-referrer`, browsers would send forms with `Origin: null`. To other sites, nothing goes either way.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
DAYS = 30
ON_A_PAGE = 25
TURNS_ON_A_PAGE = 50
CHARS_ON_A_PAGE = 500_000
MOST_FORM = 10_000
"""Bytes of a form."""

View = Callable[..., Response]


class Reader(Protocol):
    """The journal as operators read it. Raises `ChatServerError`."""

    def find(self, *, before: tuple[int, str] | None, limit: int, **criteria: Any) -> Any: ...

    def conversation(self, uuid: str, start: int, *, limit: int, max_chars: int) -> Any | None: ...


def transcript_routes(
    reader: Reader, days: Callable[[int], Sequence[Day]], *, keys: Sequence[str], token: SecretStr, origins: Origins,
    attempts: Attempts | None = None,
) -> Blueprint:  # fmt: skip
    """The viewer's routes. `days`: the figures of the last so many days. `keys` sign the session cookies."""
    routes = Blueprint("transcripts", __name__, url_prefix=PATH)
    sessions = Sessions(keys, token)
    attempts = attempts or Attempts()
    for function in (shown.clock, shown.date, shown.stamp, shown.duration, shown.count, shown.marked, shown.snippet):
        routes.add_app_template_filter(function, f"transcripts_{function.__name__}")

    def signed_in(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Response:
            if sessions.is_open():
                return view(**arguments)
            asked = request.full_path.rstrip("?")
            return _to(f"{PATH}/sign-in" + (f"?next={_quoted(asked)}" if asked != PATH else ""))

        return guarded

    def from_own_page(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Response:
            origin = request.headers.get("Origin")
            if origin is None or not origins.is_own(origin, request.environ):
                return _trouble(403, "That did not come from this page", "Open the page again and try once more.")
            return view(**arguments)

        return guarded

    @routes.get("", strict_slashes=False)
    @signed_in
    def conversations() -> Response:
        wanted = filters.read(request.args)
        before = filters.read_cursor(request.args.get("before", ""))
        now = time.time_ns() // 1_000_000
        found = reader.find(before=before, limit=ON_A_PAGE, **wanted.criteria(now))
        drawn = None if wanted.active or before else charts(days(DAYS))
        return _page(
            "list.html", found=found, filters=wanted, charts=drawn, first=before is None,
            by_day=not wanted.scattered, groups=_grouped(found.conversations, wanted, now),
            older=wanted.query(before=f"{found.after[0]}.{found.after[1]}") if found.after else None,
        )  # fmt: skip

    @routes.get("/<uuid:conversation>")
    @signed_in
    def conversation(conversation: Any) -> Response:
        wanted = filters.read(request.args)
        given = request.args.get("from", "0")
        start = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
        whole = reader.conversation(str(conversation), start, limit=TURNS_ON_A_PAGE, max_chars=CHARS_ON_A_PAGE)
        if whole is None:
            return _trouble(404, "There is no such conversation", "It may have been erased.")
        return _page("conversation.html", whole=whole, filters=wanted, start=start)

    @routes.get("/sign-in")
    def sign_in() -> Response:
        target = safe_target(request.args.get("next", PATH))
        return _to(target) if sessions.is_open() else _page("sign_in.html", target=target, problem=None)

    @routes.post("/sign-in")
    @from_own_page
    def begin() -> Response:
        request.max_content_length = MOST_FORM
        target = safe_target(request.form.get("next", PATH))
        address = client_address()
        if wait := attempts.wait(address):
            minutes = -(-wait // 60)
            problem = f"Too many wrong tokens. Try again in {minutes} {'minute' if minutes == 1 else 'minutes'}."
            response = _page("sign_in.html", 429, target=target, problem=problem)
            response.headers["Retry-After"] = str(wait)
            return response
        if not sessions.knows(request.form.get("token", "").strip()):
            attempts.count(address)
            return _page("sign_in.html", 401, target=target, problem="That is not the token.")
        response = _to(target)
        sessions.begin(response)
        return response

    @routes.post("/sign-out")
    @from_own_page
    def end() -> Response:
        response = _to(f"{PATH}/sign-in")
        sessions.end(response)
        return response

    @routes.errorhandler(ChatServerError)
    def explain(_error: ChatServerError) -> Response:
        return _trouble(503, "The journal cannot be read at the moment", "Please try again shortly.")

    @routes.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return routes


def _page(template: str, status: int = 200, **values: Any) -> Response:
    names = {"outcomes": filters.OUTCOMES, "feedback_names": filters.FEEDBACK, "spans": filters.SPANS}
    text = render_template(f"transcripts/{template}", signed_in=COOKIE in request.cookies, **names, **values)
    return Response(text, status)


def _trouble(status: int, title: str, text: str) -> Response:
    return _page("trouble.html", status, title=title, text=text)


def _to(target: str) -> Response:
    """See other: also after a POST, the browser gets the page."""
    return Response(status=303, headers={"Location": target})


def _quoted(target: str) -> str:
    return quote(target, safe="/")


def _grouped(found: Sequence[Any], wanted: filters.Filters, now: int) -> list[tuple[str, list[Any]]]:
    """The rows in their order, under their days; what was looked for stands together."""
    if wanted.scattered:
        return [("Found, newest first", list(found))] if found else []
    groups: list[tuple[str, list[Any]]] = []
    for row in found:
        name = shown.day_name(row.at, now)
        if not groups or groups[-1][0] != name:
            groups.append((name, []))
        groups[-1][1].append(row)
    return groups
