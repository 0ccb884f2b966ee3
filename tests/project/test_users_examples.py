"""The examples of docs/users.md sign tokens that the server accepts: run as they stand there, by what they are for."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from app.chat import user_tokens
from app.chat.user_tokens import UserTokens
from tests.conftest import need
from tests.project.test_documents import fenced, text_of
from tests.user_tokens import SECRET

USERS = ["ada+news@example.com", 'Zoë "42" \\ <b>/日本🙂', "7"]
ATTRIBUTE = re.compile(r'data-user-token="([^"]*)"')
TOKENS = UserTokens([SECRET])


def run(*command: str, cwd: Path) -> str:
    environment = {"USER_TOKEN_SECRET": SECRET, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def flask_example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module of the Flask example has."""
    monkeypatch.setenv("USER_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("FLASK_SECRET_KEY", "a key for the tests' cookies")
    (example,) = fenced("docs/users.md", "python")
    module: dict[str, Any] = {"__name__": "site"}
    exec(compile(example, "docs/users.md", "exec"), module)
    return module


@pytest.fixture
def site(flask_example: dict[str, Any]) -> Any:
    """Its application, as a browser sees it."""
    return flask_example["app"].test_client()


@pytest.mark.parametrize("user", USERS)
def test_the_flask_example_vouches_for_who_is_signed_in(site: Any, user: str) -> None:
    with site.session_transaction() as session:
        session["user_id"] = user
    page = site.get("/account")
    (attribute,) = ATTRIBUTE.findall(page.get_data(as_text=True))
    assert TOKENS.open(html.unescape(attribute)) == user
    renewed = site.get("/chat-token")
    assert TOKENS.open(renewed.json["token"]) == user
    assert page.headers["Cache-Control"] == renewed.headers["Cache-Control"] == "no-store"


def test_the_flask_example_vouches_for_nobody_else(site: Any) -> None:
    assert "data-user-token" not in site.get("/account").get_data(as_text=True)
    assert site.get("/chat-token").status_code == 401


@pytest.mark.node
@pytest.mark.parametrize("user", USERS)
def test_the_node_example_signs_what_the_server_accepts(tmp_path: Path, user: str) -> None:
    node = need(shutil.which("node"), "node")
    (tmp_path / "user-token.mjs").write_text(fenced("docs/users.md", "javascript")[0], encoding="utf-8")
    call = f"import {{ userToken }} from './user-token.mjs'; process.stdout.write(userToken({json.dumps(user)}))"
    (tmp_path / "call.mjs").write_text(call, encoding="utf-8")
    assert TOKENS.open(run(node, "call.mjs", cwd=tmp_path)) == user


@pytest.mark.node
def test_the_express_example_gives_tokens_to_who_is_signed_in_and_to_nobody_else(tmp_path: Path) -> None:
    """With a stand-in for Express that only keeps the routes: nothing has to be installed."""
    node = need(shutil.which("node"), "node")
    token, routes = fenced("docs/users.md", "javascript")[:2]
    (tmp_path / "user-token.mjs").write_text(token, encoding="utf-8")
    (tmp_path / "routes.mjs").write_text(routes, encoding="utf-8")
    express = tmp_path / "node_modules" / "express"
    express.mkdir(parents=True)
    (express / "package.json").write_text('{"name": "express", "type": "module", "main": "index.js"}')
    (express / "index.js").write_text(
        "const kept = {}; export default { Router: () => ({ ...kept, get(path, work) { this[path] = work; } }) };"
    )
    (tmp_path / "call.mjs").write_text(
        """
        import { chatRoutes } from "./routes.mjs";
        const said = [];
        const response = {
          set() { return this; },
          send(page) { said.push(page); },
          json(body) { said.push(body.token); },
          sendStatus(status) { said.push(status); },
        };
        for (const user of [{ id: 7 }, null]) {
          const routes = chatRoutes(() => user);
          routes["/account"]({}, response);
          routes["/chat-token"]({}, response);
        }
        process.stdout.write(JSON.stringify(said));
        """
    )
    page, renewed, anonymous, refused = json.loads(run(node, "call.mjs", cwd=tmp_path))
    assert [TOKENS.open(one) for one in (*ATTRIBUTE.findall(page), renewed)] == ["7", "7"]
    assert "data-user-token" not in anonymous
    assert refused == 401


@pytest.mark.parametrize("user", USERS)
def test_the_php_example_vouches_for_who_is_signed_in(tmp_path: Path, user: str) -> None:
    php = need(shutil.which("php"), "php")
    token, page = fenced("docs/users.md", "php")
    (tmp_path / "user_token.php").write_text(token, encoding="utf-8")
    (tmp_path / "page.php").write_text(page, encoding="utf-8")
    signed_in = "".join(f"\\u{{{ord(character):x}}}" for character in user)
    (tmp_path / "call.php").write_text(
        f'<?php ob_start(); session_save_path({json.dumps(str(tmp_path))}); session_id("x"); session_start(); '
        f'$_SESSION["user_id"] = "{signed_in}"; session_write_close(); require "page.php";'
    )
    (attribute,) = ATTRIBUTE.findall(run(php, "-d", "display_errors=stderr", "call.php", cwd=tmp_path))
    assert TOKENS.open(html.unescape(attribute)) == user
    anonymous = run(php, "page.php", cwd=tmp_path)
    assert "chat-widget.js" in anonymous
    assert "data-user-token" not in anonymous


def test_the_examples_tokens_live_for_the_quarter_of_an_hour_that_is_advised(
    flask_example: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.time() - 900 - user_tokens.LEEWAY - 1
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: long_ago)
        token = flask_example["user_token"](7)
    with pytest.raises(user_tokens.ChatError, match="expired"):
        TOKENS.open(token)
    assert text_of("docs/users.md").count("+ 900") == 3


def test_every_reason_for_a_refusal_stands_in_the_document() -> None:
    document = text_of("docs/users.md")
    written = [start.rstrip(" …") for start in re.findall(r"^\| `(T[^`]+)` \|", document, re.M)]
    constants = (value for name, value in vars(user_tokens).items() if name.isupper() and isinstance(value, str))
    sentences = [*user_tokens.REASONS.values(), *constants]
    assert len(sentences) == len(written)
    for sentence in sentences:
        assert sum(sentence.startswith(start) for start in written) == 1, sentence
