"""What is said: from a prompt and a scenario to the pieces of an answer and the citations in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .directives import plain
from .scenario import Ending, Scenario

TOKEN = re.compile(r"\s*\S+|\s+")
MARKER = re.compile(r"【\d+:\d+†([^】]*)】")
LINK = re.compile(r"\(\[([^\]]*)\]\((https?://[^)\s]*)\)\)")
LONGEST_PIECE = 24
SPLIT_MARKER = 3
OPENING, CLOSING = ("<th", "ink>", "\n"), ("\n</", "think", ">\n", "\n")


@dataclass(frozen=True)
class Prompt:
    """What the assistant was given: the user's texts, oldest first, the size of all, and tool outputs since then."""

    users: tuple[str, ...]
    chars: int
    outputs: tuple[str, ...] = ()

    @property
    def last(self) -> str:
        """The last user text, with its directives."""
        return self.users[-1] if self.users else ""

    @property
    def tokens(self) -> int:
        """A plausible number of input tokens: a quarter of the characters."""
        return self.chars // 4 + 1


@dataclass(frozen=True)
class Mark:
    """One citation in the text; offsets count code points."""

    start: int
    end: int
    text: str
    title: str
    url: str = ""

    @property
    def file_id(self) -> str:
        """An id that tells the file's name to `filename_of`."""
        return f"file-{self.title.encode().hex()}"


@dataclass(frozen=True)
class Answer:
    """What is streamed, how it ends, and what the done items say."""

    pieces: tuple[str, ...]
    completed: str
    ending: Ending | None
    reason: str | int | None  # the code of an error, or why it is incomplete
    thoughts: tuple[str, ...] = ()  # reasoning before it that is not part of its text

    @property
    def text(self) -> str:
        """Everything that is streamed."""
        return "".join(self.pieces)


def filename_of(file_id: str) -> str | None:
    """The name behind a file id of this double, or None."""
    try:
        return bytes.fromhex(file_id.removeprefix("file-")).decode()
    except ValueError:
        return None


def answer_for(prompt: Prompt, scenario: Scenario, limit: int | None) -> Answer:
    """The answer to `prompt`, in at most `limit` deltas."""
    pieces = tuple(split(text_for(prompt, scenario), scenario))
    ending, reason = scenario.ending, scenario.code
    if ending is not None:
        pieces = pieces[: scenario.after]
    if limit is not None and len(pieces) > limit:
        pieces, ending, reason = pieces[:limit], "incomplete", None
    pieces = () if scenario.only_thoughts else pieces
    completed = "".join(pieces) if scenario.completed is None else scenario.completed
    thoughts = tuple(split(scenario.thoughts or "", Scenario()))
    if thoughts and scenario.thoughts_in == "tags":
        tagged = (*OPENING, *thoughts, *CLOSING)
        return Answer((*tagged, *pieces), "".join(tagged) + completed, ending, reason)
    return Answer(pieces, completed, ending, reason, thoughts)


def text_for(prompt: Prompt, scenario: Scenario) -> str:
    """The whole text, before any ending shortens it."""
    if scenario.say is not None:
        text = scenario.say
    elif scenario.deltas is not None:
        text = " ".join(f"w{number}" for number in range(1, scenario.deltas + 1))
    else:
        text = proof(prompt)
    if scenario.cite == "file":
        return text + " See 【4:0†policy.pdf】."
    return text + " See ([Refunds](https://example.com/refunds))." if scenario.cite else text


def proof(prompt: Prompt) -> str:
    """A text that cannot be said without the history."""
    users = [plain(text) for text in prompt.users] or [""]
    text = f"You said: {users[-1]}. This is turn {len(users)} of our conversation"
    text += f"; before it you said: {' | '.join(users[:-1])}." if len(users) > 1 else "."
    return text + (f" The tool said: {' | '.join(prompt.outputs)}." if prompt.outputs else "")


def split(text: str, scenario: Scenario) -> Iterator[str]:
    """The text in pieces like tokens (or exactly `scenario.deltas`), with markers torn apart."""
    if scenario.say is not None and scenario.deltas:
        count = min(scenario.deltas, len(text)) or 1
        yield from (text[len(text) * i // count : len(text) * (i + 1) // count] for i in range(count))
        return
    for token in TOKEN.findall(text):
        size = SPLIT_MARKER if "【" in token else LONGEST_PIECE
        yield from (token[start : start + size] for start in range(0, len(token), size))


def marks(text: str) -> list[Mark]:
    """The citations in a text, in order."""
    files = [Mark(found.start(), found.end(), found[0], found[1]) for found in MARKER.finditer(text)]
    links = [Mark(found.start(), found.end(), found[0], found[1], found[2]) for found in LINK.finditer(text)]
    return sorted(files + links, key=lambda mark: mark.start)
