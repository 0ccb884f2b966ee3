"""The messages that a tab has to send until each is acknowledged: rules 5 and 6 for clients in docs/protocol.md."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.evidence import Evidence, Promise
from tests.faults.messages import Message

AGAIN_LATER = ("busy", "journal_unavailable", "restarting", "not_connected")
"""Codes after which the same is sent again; after others too, so that the visit goes on, but they are a fault."""


@dataclass
class Post:
    """A message to be sent. `hasty`: at once, though the one before it is not acknowledged (no good client does it)."""

    message: Message
    hasty: bool = False
    sent_at: float | None = None
    not_before: float = 0.0


class Outbox:
    """`patience`: seconds without an acknowledgement after which a message is sent again."""

    def __init__(self, evidence: Evidence, patience: float) -> None:
        self._evidence = evidence
        self._patience = patience
        self._posts: list[Post] = []
        self._asked: dict[int, Post] = {}
        self._lock = threading.Lock()

    def give(self, *posts: Post) -> None:
        """From any thread."""
        with self._lock:
            self._posts += posts

    @property
    def empty(self) -> bool:
        return not self._posts

    def reconnected(self) -> None:
        """What was not acknowledged before the cut is sent again."""
        self._asked.clear()
        for post in list(self._posts):
            post.sent_at = None

    def send_due(self, emit: Callable[[str, dict[str, Any]], int]) -> None:
        """Send the first message if it is due, and those behind it that are hasty."""
        now = time.monotonic()
        for number, post in enumerate(list(self._posts)):
            if number and not post.hasty:
                return
            if now < post.not_before or (post.sent_at is not None and now - post.sent_at < self._patience):
                continue
            if post.sent_at is not None:
                self._evidence.count("sent again for want of an acknowledgement")
            post.sent_at = now
            self._evidence.count("messages sent")
            asked = emit("user_message", {"text": post.message.text, "client_id": post.message.client_id})
            self._asked[asked] = post

    def acknowledged(self, number: int, answer: dict[str, Any]) -> str | None:
        """Take an acknowledgement. The turn to ask for, if it was a repeat."""
        post = self._asked.pop(number, None)
        if post is None or not any(post is one for one in self._posts):
            return None
        if not answer["ok"]:
            self._refused(post, answer["error"])
            return None
        with self._lock:
            self._posts = [one for one in self._posts if one is not post]
        if answer["client_id"] != post.message.client_id:
            self._evidence.fault(Promise.MANNERS, f"{post.message.client_id} was taken for {answer['client_id']}")
        self._evidence.acknowledged(post.message, answer["turn_id"], duplicate=answer["duplicate"])
        return str(answer["turn_id"]) if answer["duplicate"] else None

    def _refused(self, post: Post, error: dict[str, Any]) -> None:
        self._evidence.count(f"refused: {error['code']}")
        if error["code"] not in AGAIN_LATER:
            self._evidence.fault(Promise.MANNERS, f"{post.message.client_id} was refused: {error}")
        post.sent_at, post.not_before = None, time.monotonic() + error.get("retry_after", 0.5)
