"""The text in what a server calls content: a string, or parts of which some are thoughts. And `<think>` tags in it.

Models that think aloud write their thoughts before the answer, between tags that only some servers take out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.assistants.fields import mapping, sequence
from app.chat.interfaces import Delta, Reasoning

THOUGHTS = ("thinking", "reasoning", "reasoning_text", "summary_text", "thought", "redacted_thinking")
"""Types of parts that are no part of the answer."""

NAMES = "think|thinking|thought|thoughts|reasoning|seed:think"
OPENING = re.compile(rf"<(?P<name>{NAMES})>|\[(?P<upper>THINK)\]", re.I)
CLOSING = re.compile(rf"</(?:{NAMES})>|\[/THINK\]", re.I)
TAGS = [f"{before}{name}{after}" for name in NAMES.split("|") for before, after in (("<", ">"), ("</", ">"))]
TAGS += ["[think]", "[/think]"]
LONGEST_TAG = max(map(len, TAGS))
MOST_HELD = 100_000
"""Characters after a tag in the middle of an answer that wait for the closing one."""


def split_content(content: object) -> tuple[str, str]:
    """(text, thoughts) of content: a string, a part, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    texts, thoughts = [], []
    for part in [content] if isinstance(content, dict) else sequence(content):
        if isinstance(part, str):
            texts.append(part)
        elif mapping(part).get("type") in THOUGHTS or "thinking" in mapping(part):
            thoughts.append(_text_in(part))
        else:
            texts.append(_text_in(part))
    return "".join(texts), "".join(thoughts)


def thoughts_of(fields: dict[str, Any]) -> str:
    """The reasoning of a delta or of a message, under whichever of its names."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        text, thoughts = split_content(fields.get(name))
        if text or thoughts:
            return text or thoughts
    return "".join(_text_in(part) for part in sequence(fields.get("reasoning_details")))


def _text_in(part: object) -> str:
    """The text of one part, however deep it stands."""
    if isinstance(part, str):
        return part
    for name in ("text", "refusal", "thinking", "reasoning", "content", "summary", "value"):
        value = mapping(part).get(name)
        if isinstance(value, list):
            return "".join(_text_in(one) for one in value)
        if value:
            return _text_in(value)
    return ""


class ThinkTags:
    """Takes thoughts out of a text that comes in deltas.

    A tag counts at the beginning of the text; in its middle only at the beginning of a line, outside of a block of
    code, and only once it is closed. A closing tag on a line of its own without an opening one means that all before
    it was thought: some templates open the tag themselves. `misled` then says that text was given that is none.
    """

    def __init__(self) -> None:
        self._held = ""
        self._said = ""
        self._thought = ""
        self._inside = False
        self._late = False
        self._opened = False
        self._after_thoughts = False
        self.misled = False

    @property
    def said(self) -> str:
        """The answer so far, without what is held."""
        return self._said

    def feed(self, text: str) -> Iterator[Delta | Reasoning]:
        self._held += text
        while self._held:
            before = len(self._held)
            yield from self._thinking() if self._inside else self._talking()
            if len(self._held) == before:
                return

    def end(self) -> Iterator[Delta | Reasoning]:
        """What was held for a tag that did not come."""
        held, self._held = self._held, ""
        if self._late:
            # Nobody closed it: it was no thought.
            held, self._thought, self._inside, self._late = self._thought + held, "", False, False
        if held and self._inside:
            yield Reasoning(held)
        elif held and (self._said or held.strip()):
            yield self._say(held)

    def _thinking(self) -> Iterator[Delta | Reasoning]:
        found = CLOSING.search(self._held)
        if found:
            thought, self._held = self._held[: found.start()], self._held[found.end() :]
            yield from self._think(thought)
            if self._late:
                yield Reasoning(self._thought)
            self._inside, self._late, self._thought, self._after_thoughts = False, False, "", True
            return
        keep = _held_back(self._held)
        thought, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._think(thought)
        if self._late and len(self._thought) > MOST_HELD:
            held, self._thought, self._inside, self._late = self._thought, "", False, False
            yield self._say(held)

    def _think(self, text: str) -> Iterator[Reasoning]:
        if self._late:
            self._thought += text
        elif text:
            yield Reasoning(text)

    def _talking(self) -> Iterator[Delta | Reasoning]:
        if self._after_thoughts:
            # Empty lines between thoughts and answer are neither.
            self._held = self._held.lstrip()
            self._after_thoughts = not self._held
        found = self._tag()
        if found is None:
            keep = _held_back(self._held)
            if not self._said and not self._held[: len(self._held) - keep].strip():
                # Empty lines before thoughts are no answer either, as far as it is known what follows.
                return
            text, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
            if text:
                yield self._say(text)
            return
        before, after = self._held[: found.start()], self._held[found.end() :]
        if found.re is CLOSING:
            yield from self._take_back(before, after)
            return
        self._held = after
        self._late = bool(self._said or before.strip())
        if self._late:
            self._thought = found[0]
            if before:
                yield self._say(before)
        self._inside = self._opened = True

    def _take_back(self, before: str, after: str) -> Iterator[Delta | Reasoning]:
        """All that was said was thought."""
        self.misled = self.misled or bool(self._said)
        thought, self._said, self._held = self._said + before, "", after
        self._opened = self._after_thoughts = True
        yield Reasoning(thought)

    def _tag(self) -> re.Match[str] | None:
        """The first tag in what is held that counts as one."""
        closing = None if self._opened else CLOSING.search(self._held)
        for found in sorted(filter(None, [OPENING.search(self._held), closing]), key=lambda match: match.start()):
            before = self._said + self._held[: found.start()]
            first = not before.strip()
            if first or (before.rstrip(" \t").endswith("\n") and before.count("```") % 2 == 0):
                return found
        return None

    def _say(self, text: str) -> Delta:
        self._said += text
        return Delta(text)


def without_thoughts(text: str) -> str:
    """A whole text without its thoughts."""
    tags = ThinkTags()
    for _ in tags.feed(text):
        pass
    for _ in tags.end():
        pass
    return tags.said


def _held_back(text: str) -> int:
    """How many characters at the end of a text may be the beginning of a tag."""
    tail = text[-LONGEST_TAG:].lower()
    starts = (place for place, char in enumerate(tail) if char in "<[")
    return next((len(tail) - place for place in starts if any(tag.startswith(tail[place:]) for tag in TAGS)), 0)
