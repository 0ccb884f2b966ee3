"""Who is connected: each client's identity, and what is kept of its connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from app.chat.identity import Identity, Tokens
from app.errors import ChatError, Code
from app.web.visitors import remote_address
from ws import payloads
from ws.payloads import Resume

Renewed = Literal["invalid", "expired"]
Kept = Literal["off", "truncated", "full"]
Erased = Callable[[Identity], bool]
MAX_AGENT = 500


@dataclass(frozen=True, slots=True)
class Client:
    """A connected client. `renewed`: why its token did not open what it names. `older`: speaks no protocol version.

    `ip` and `user_agent`: as far as they may be kept.
    """

    identity: Identity
    older: bool = False
    renewed: Renewed | None = None
    after: Resume | None = None
    ip: str | None = None
    user_agent: str | None = None


class Clients:
    """The connected clients of this worker, by Socket.IO session id."""

    def __init__(self, tokens: Tokens, client_ip: Kept = "off", erased: Erased = lambda _identity: False) -> None:
        self._tokens = tokens
        self._erased = erased
        self._client_ip = client_ip
        self._clients: dict[str, Client] = {}

    def welcome(self, sid: str, client: Client, environ: Mapping[str, Any]) -> None:
        """Take a connection that has its identity (ws/entrance.py) among the clients."""
        self._clients[sid] = replace(
            client, ip=address(remote_address(environ), self._client_ip),
            user_agent=environ.get("HTTP_USER_AGENT", "")[:MAX_AGENT] or None,
        )  # fmt: skip

    def get(self, sid: str) -> Client:
        """A connected client. Raises `not_connected`: events can arrive after the connection ended."""
        client = self.find(sid)
        if client is None:
            raise ChatError(Code.NOT_CONNECTED, "This connection has ended; please connect again.")
        return client

    def find(self, sid: str) -> Client | None:
        return self._clients.get(sid)

    def move(self, sid: str, client: Client) -> None:
        """This connection is in another conversation from now on. Raises `not_connected`."""
        self.get(sid)
        self._clients[sid] = client

    def check_not_erased(self, client: Client) -> None:
        """Raises `erased`: between a connection's begin and its place among the clients somebody may have asked."""
        if self._erased(client.identity):
            raise ChatError(Code.ERASED, "This conversation was erased. A new one begins.")

    def of(self, kind: str, subject: str) -> list[str]:
        """Those who are in a conversation, or, of the kind `user`, are that user."""

        def is_meant(identity: Identity) -> bool:
            return (identity.user_id if kind == "user" else identity.conversation) == subject

        return [sid for sid, client in list(self._clients.items()) if is_meant(client.identity)]

    def forget(self, sid: str) -> Client | None:
        return self._clients.pop(sid, None)

    def token(self, client: Client) -> str:
        return self._tokens.sign(client.identity)

    def check_claims(self, client: Client, conversation: object, user_id: object) -> None:
        """With `TRUST_CLIENT_IDS` the ids in a payload must equal the connection's; otherwise they are ignored."""
        identity = client.identity
        if not identity.by_client:
            return
        claims = ((conversation, identity.conversation), (user_id, identity.user_id))
        if any(claim is not None and payloads.well_formed_uuid(claim) != own for claim, own in claims):
            raise ChatError(Code.NOT_YOURS, "These ids are not the ones that this connection was opened with.")


def address(remote: str, kept: Kept) -> str | None:
    """A client's IP address as it may be kept: whole, its network only (/24 or /48), or not at all."""
    try:
        ip = ip_address(remote)
    except ValueError:
        return None
    if kept == "off":
        return None
    bits = 24 if ip.version == 4 else 48
    return str(ip if kept == "full" else ip_network((ip, bits), strict=False).network_address)
