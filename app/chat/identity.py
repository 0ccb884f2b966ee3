"""Who speaks in which conversation, and the signed token that proves it.

A token is an itsdangerous signature over both ids. It opens exactly the conversation that it names.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

SALT = "chat-token-1"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user in a conversation. `by_client`: an older page chose the ids itself (`TRUST_CLIENT_IDS`)."""

    conversation: str
    user_id: str
    by_client: bool = False

    def in_new_conversation(self) -> Identity:
        return Identity(str(uuid.uuid4()), self.user_id)


def new_identity() -> Identity:
    return Identity(str(uuid.uuid4()), str(uuid.uuid4()))


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
        return str(self._serializer.dumps(fields))

    def open(self, token: str) -> Identity | Literal["invalid", "expired"]:
        """The identity that a token names, or why it names none."""
        try:
            fields = self._serializer.loads(token, max_age=self._max_age)
        except SignatureExpired:
            return "expired"
        except BadSignature:
            return "invalid"
        return Identity(fields["c"], fields["u"], by_client=bool(fields.get("b")))
