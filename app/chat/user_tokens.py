"""Users of the host page: the JWT by which its backend vouches for one (docs/users.md).

HS256 only (RFC 7519, RFC 7518 3.2), with `exp` and `sub`; `nbf` and `iat` are honoured, other claims ignored. Knows
nothing of conversations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt

from app.chat.identity import MAX_USER_ID, usual_form
from app.errors import ChatError, Code

MILLISECONDS = 100_000_000_000
"""An `exp` from here on counts milliseconds, and would let a token live for thousands of years."""
LEEWAY = 10
"""Seconds by which the clocks of the two servers may differ."""
OPTIONS: jwt.types.Options = {"require": ["exp", "sub"], "verify_aud": False, "verify_iss": False, "verify_jti": False}
REASONS: dict[type[Exception], str] = {
    jwt.InvalidSignatureError: "The user token was signed with another secret.",
    jwt.ExpiredSignatureError: "The sign-in for this chat has expired. Please reload the page.",
    jwt.ImmatureSignatureError: "The user token is not valid yet: the clocks of the two servers differ.",
    jwt.InvalidAlgorithmError: "The user token must be signed with HS256.",
    jwt.MissingRequiredClaimError: "The user token needs the claims sub and exp.",
    jwt.exceptions.InvalidSubjectError: "The user token's sub must be a string.",
}
NO_SECRET = "This chat server takes no user tokens: its USER_TOKEN_SECRET is not set."
NO_TOKEN = "The user token cannot be read: it has to be a JSON Web Token, and its times numbers."
IN_MILLISECONDS = "The user token's exp must count seconds, not milliseconds."
NO_USER_ID = f"The user token's sub must have 1 to {MAX_USER_ID} characters in one line, no white space at its ends."


class UserTokens:
    """Verifies user tokens. `secrets`: any of them may have signed; none: no token is accepted."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets

    def open(self, token: str) -> str:
        """The user id that a token vouches for. Raises `ChatError`: `bad_user_token`, never with a part of it."""
        try:
            claims = self._claims(token)
            user_id, in_seconds = usual_form(claims["sub"]), int(claims["exp"]) < MILLISECONDS
        except (jwt.InvalidTokenError, ValueError, ArithmeticError, TypeError, RecursionError) as error:
            # What the library does not foresee, such as an `exp` of infinity or a header nested thousands deep.
            raise _bad(REASONS.get(type(error), NO_TOKEN)) from None
        if not in_seconds:
            raise _bad(IN_MILLISECONDS)
        if user_id is None:
            raise _bad(NO_USER_ID)
        return user_id

    def _claims(self, token: str) -> dict[str, Any]:
        for secret in self._secrets:
            try:
                return jwt.decode(token, secret, algorithms=["HS256"], options=OPTIONS, leeway=LEEWAY)
            except jwt.InvalidSignatureError:
                continue
        if not self._secrets:
            raise _bad(NO_SECRET)
        raise jwt.InvalidSignatureError


def _bad(sentence: str) -> ChatError:
    return ChatError(Code.BAD_USER_TOKEN, sentence)
