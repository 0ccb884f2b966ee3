"""How a connection comes by its identity: by a user token, a token, the ids of an older page, or a fresh one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs

from app.chat.identity import Identity, Tokens, new_identity
from app.chat.user_tokens import UserTokens
from app.errors import ChatError, Code
from app.transcripts.journal import SqlJournal
from ws.clients import Client
from ws.payloads import Hello, well_formed_uuid

log = logging.getLogger(__name__)

SAY_AGAIN = 60.0
"""Seconds for which the log does not repeat why user tokens are refused: a page does it for each of its visitors."""
NOT_YOURS = ChatError(Code.NOT_YOURS, "This conversation is not there, or belongs to somebody else.")
BEING_ERASED = ChatError(Code.ERASED, "Your conversations are just being erased. Please try again.", retry_after=5)


class Entrance:
    """Who a client is, by what it says of itself. `erased`: whether somebody, or a conversation, is forgotten."""

    def __init__(
        self, tokens: Tokens, user_tokens: UserTokens, journal: SqlJournal, *, trust_client_ids: bool,
        erased: Callable[[Identity], bool],
    ) -> None:  # fmt: skip
        self._tokens = tokens
        self._user_tokens = user_tokens
        self._journal = journal
        self._trust_client_ids = trust_client_ids
        self._erased = erased
        self._said: dict[str, float] = {}

    def client(self, hello: Hello, query: str) -> Client:
        """Raises `ChatError`: `bad_user_token`, `not_yours`, `erased`, `journal_unavailable`."""
        if hello.user_token is not None:
            client = self._signed_in(hello, self._user_id(hello.user_token))
        elif hello.token is not None:
            client = self._opened_by_token(hello, hello.token)
        else:
            client = self._named_by_query(hello, query) or Client(new_identity(), after=hello.after)
        client = self._anew(client) if self._erased(client.identity) else client
        return replace(client, older=hello.protocol is None)

    def _user_id(self, user_token: str) -> str:
        try:
            return self._user_tokens.open(user_token)
        except ChatError as error:
            now = time.monotonic()
            if now - self._said.get(error.message, -SAY_AGAIN) >= SAY_AGAIN:
                self._said[error.message] = now
                log.warning("user tokens are refused: %s", error.message)
            raise

    def _signed_in(self, hello: Hello, user_id: str) -> Client:
        if hello.conversation_uuid is not None:
            chosen = Identity(hello.conversation_uuid, user_id, signed_in=True)
            if self._journal.owner_of(chosen.conversation) != chosen or self._erased(chosen):
                raise NOT_YOURS
            return Client(chosen, after=hello.after)
        fresh = new_identity(user_id)
        opened = self._tokens.open(hello.token) if hello.token is not None else fresh
        if not isinstance(opened, Identity):
            return Client(fresh, renewed=opened)
        if (opened.user_id, opened.signed_in) != (user_id, True):
            # Somebody else's, who used this browser before, or theirs from before they signed in.
            return Client(fresh)
        return Client(opened, after=hello.after)

    def _opened_by_token(self, hello: Hello, token: str) -> Client:
        opened = self._tokens.open(token)
        if not isinstance(opened, Identity):
            return Client(new_identity(), renewed=opened)
        # Who signed out has left it in the browser; the next one there may be anybody.
        return Client(new_identity()) if opened.signed_in else Client(opened, after=hello.after)

    def _named_by_query(self, hello: Hello, query: str) -> Client | None:
        if not self._trust_client_ids or hello.protocol is not None:
            return None
        ids = parse_qs(query)
        conversation = well_formed_uuid(ids.get("conversationId", [""])[0])
        user_id = well_formed_uuid(ids.get("userId", [""])[0])
        if conversation is None or user_id is None:
            return None
        owner = self._journal.owner_of(conversation)
        identity = Identity(conversation, user_id, by_client=True)
        if owner is not None and owner != identity:
            raise ChatError(Code.NOT_YOURS, "This conversation belongs to somebody else.")
        return Client(identity, after=hello.after)

    def _anew(self, client: Client) -> Client:
        """Another conversation in the place of one that was erased."""
        old = client.identity
        fresh = old.in_new_conversation() if old.signed_in else new_identity()
        if self._erased(fresh):
            raise BEING_ERASED
        return Client(fresh, renewed="invalid")
