"""Who speaks in which conversation, and the signed token that proves it.

A token is an itsdangerous signature over both ids. It opens exactly the conversation that it names; a signed-in
user's, only together with that user's token (app/chat/user_tokens.py).
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

SALT = "chat-token-1"
MAX_USER_ID = 200
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user in a conversation. `by_client`: an older page chose the ids itself (`TRUST_CLIENT_IDS`).

    `signed_in`: the page's backend vouches for the user with a user token. Somebody else with the same id, who is
    not, is another user.
    """

    conversation: str
    user_id: str
    by_client: bool = False
    signed_in: bool = False

    def in_new_conversation(self) -> Identity:
        return Identity(str(uuid.uuid4()), self.user_id, signed_in=self.signed_in)


def new_identity(user_id: str | None = None) -> Identity:
    """A fresh conversation: of the signed-in user who has this id, or of a new visitor."""
    return Identity(str(uuid.uuid4()), user_id or str(uuid.uuid4()), signed_in=user_id is not None)


def usual_form(user_id: object) -> str | None:
    """A user's id as it is kept, a UUID in small letters; None if nobody can have it.

    It has 1 to 200 characters, can be written down in one line, and has no white space at its ends.
    """
    if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_USER_ID or user_id != user_id.strip():
        return None
    if any(unicodedata.category(character) in UNPRINTABLE for character in user_id):
        return None
    return user_id.lower() if UUID.fullmatch(user_id) else user_id


class Tokens:
    """Signs and verifies tokens. `keys`: the first one signs, all of them verify. `max_age` in seconds."""

    def __init__(self, keys: Sequence[str], max_age: int) -> None:
        # itsdangerous signs with the last of a list.
        self._serializer = URLSafeTimedSerializer(list(reversed(keys)), salt=SALT)
        self._max_age = max_age

    def sign(self, identity: Identity) -> str:
        fields: dict[str, object] = {"c": identity.conversation, "u": identity.user_id}
        if identity.by_client:
            fields["b"] = 1
        if identity.signed_in:
            fields["s"] = 1
        return str(self._serializer.dumps(fields))

    def open(self, token: str) -> Identity | Literal["invalid", "expired"]:
        """The identity that a token names, or why it names none."""
        try:
            fields = self._serializer.loads(token, max_age=self._max_age)
        except SignatureExpired:
            return "expired"
        except BadSignature:
            return "invalid"
        return Identity(fields["c"], fields["u"], by_client=bool(fields.get("b")), signed_in=bool(fields.get("s")))
