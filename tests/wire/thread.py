"""Assistants v2: a thread and its messages, and which of its runs is active."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answers import Mark, Prompt
from .frames import Json
from .ids import now, short_id

if TYPE_CHECKING:
    from .thread_runs import Run

OVER = ("completed", "incomplete", "failed", "cancelled", "expired")


@dataclass
class Thread:
    """A conversation on the server's side."""

    id: str
    created_at: int
    metadata: Json
    messages: list[Json] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def active(self) -> Run | None:
        """The run that is not over, if any."""
        return next((run for run in self.runs if run.status not in OVER), None)

    def prompt(self, instructions: str, outputs: tuple[str, ...] = ()) -> Prompt:
        """What the model is given."""
        texts = [(message["role"], text_of(message)) for message in self.messages]
        users = tuple(text for role, text in texts if role == "user")
        return Prompt(users, len(instructions) + sum(len(text) for _, text in texts), outputs)

    def message(self, role: str, content: list[Json], run: Run | None = None, **more: Any) -> Json:
        """A message object, not yet in the thread."""
        ours = {"run_id": run.id if run else None, "assistant_id": run.assistant_id if run else None}
        base = {
            "id": short_id("msg"),
            "object": "thread.message",
            "created_at": now(),
            "thread_id": self.id,
            "role": role,
        }
        return base | {"content": content, "attachments": [], "metadata": {}} | ours | more


def text_of(message: Json) -> str:
    """All text of a message object."""
    return "".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")


def annotation(mark: Mark) -> Json:
    """A citation as Assistants v2 writes it."""
    place = {"text": mark.text, "start_index": mark.start, "end_index": mark.end}
    if mark.url:
        return {"type": "url_citation", "url_citation": {"url": mark.url, "title": mark.title}} | place
    return {"type": "file_citation", "file_citation": {"file_id": mark.file_id}} | place
