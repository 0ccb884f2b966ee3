"""Separates reasoning between `<think>` tags from the answer. Only some servers do this themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.chat.interfaces import Delta, Reasoning, TakenBack

Spoken = Delta | Reasoning | TakenBack

NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
NAME = "|".join(NAMES)
OPENING = re.compile(rf"<(?:{NAME})(?:\s[^<>]{{0,40}})?>|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>", re.I)
CLOSING = re.compile(
    rf"</(?:{NAME})>|\[/THINK\]|◁/think▷|(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>", re.I
)
"""Tags of DeepSeek, Qwen and many more; of Mistral; of Kimi; and of gpt-oss where its server does not read them."""
TAGS = (
    *(f"<{name}>" for name in NAMES), *(f"</{name}>" for name in NAMES),
    "[think]", "[/think]", "◁think▷", "◁/think▷", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>",
    "<|end|><|channel|>final<|message|>", "<|start|>assistant<|channel|>final<|message|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
)  # fmt: skip
MAY_BEGIN_A_TAG = re.compile("[<[◁]")
HALF_A_TAG = re.compile(rf"<(?:{NAME})\s[^<>]{{0,40}}$", re.I)
LONGEST_TAG = 60
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.M)
QUOTES = "`'\"\u201c\u201d\u2018\u2019"
MOST_HELD = 100_000
"""Characters after a tag in the middle of an answer that wait for the closing one."""


class ThinkTags:
    """Separates reasoning from a text that arrives in deltas.

    A tag counts at the start of the text. Later it counts only at the start of a line, outside of code, and only if it
    is closed. A closing tag without an opening one, unless it is quoted, means that everything before it was reasoning:
    some chat templates write the opening tag themselves. Text that was already sent is then taken back.
    """

    def __init__(self) -> None:
        self._held = ""
        self._before = ""
        self._said: list[str] = []
        self._thought = ""
        self._inside = False
        self._late_tag = ""
        self._opened = False
        self._after_thoughts = False

    @property
    def said(self) -> str:
        """The answer so far, without what is held."""
        return "".join(self._said)

    def feed(self, text: str) -> Iterator[Spoken]:
        if self._said and not (self._held or self._inside or self._after_thoughts) and not MAY_BEGIN_A_TAG.search(text):
            # The way of nearly every delta.
            self._said.append(text)
            yield Delta(text)
            return
        self._held += text
        while self._held:
            before = len(self._held)
            yield from self._thinking() if self._inside else self._talking()
            if len(self._held) == before:
                return

    def end(self) -> Iterator[Spoken]:
        """What was held for a tag that did not come."""
        held, self._held = self._held, ""
        if self._late_tag:
            # It was never closed, so it was no thought.
            held = self._put_back() + held
        if held and self._inside:
            yield Reasoning(held)
        elif held and (self._said or held.strip()):
            yield self._say(held)

    def _thinking(self) -> Iterator[Spoken]:
        found = self._end_of_thoughts()
        if found:
            thought, self._held = self._held[: found.start()], self._held[found.end() :]
            yield from self._think(thought)
            if self._late_tag:
                yield Reasoning(self._thought)
            self._inside, self._late_tag, self._thought, self._after_thoughts = False, "", "", True
            return
        keep = _held_back(self._held)
        thought, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._think(thought)
        if self._late_tag and len(self._thought) > MOST_HELD:
            yield self._say(self._put_back())

    def _put_back(self) -> str:
        """What stands after a tag that turned out to be none, with the tag."""
        text = self._late_tag + self._thought
        self._inside, self._late_tag, self._thought = False, "", ""
        return text

    def _end_of_thoughts(self) -> re.Match[str] | None:
        """The first closing tag that is not quoted."""
        for found in CLOSING.finditer(self._held):
            before = (self._before + self._held[: found.start()])[-1:]
            after = self._held[found.end() :][:1]
            if not (before in QUOTES and before and (after in QUOTES or not after)):
                return found
        return None

    def _think(self, text: str) -> Iterator[Reasoning]:
        self._before = text[-1:] or self._before
        if self._late_tag:
            self._thought += text
        elif text:
            yield Reasoning(text)

    def _talking(self) -> Iterator[Spoken]:
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
        if self._said or before.strip():
            self._late_tag = found[0]
            if before:
                yield self._say(before)
        self._inside = self._opened = True

    def _take_back(self, before: str, after: str) -> Iterator[Spoken]:
        """All that was said was thought."""
        if self._said:
            yield TakenBack()
        thought, self._said, self._held = self.said + before, [], after
        self._opened = self._after_thoughts = True
        yield Reasoning(thought)

    def _tag(self) -> re.Match[str] | None:
        """The first tag in what is held that counts as one."""
        closing = [] if self._opened else list(CLOSING.finditer(self._held))
        for match in sorted([*OPENING.finditer(self._held), *closing], key=lambda match: match.start()):
            before, after = self.said + self._held[: match.start()], self._held[match.end() :]
            counts = _begins_a_line(before) or (match.re is CLOSING and _parts(before, after))
            if not before.strip() or (counts and not _in_code(before)):
                return match
        return None

    def _say(self, text: str) -> Delta:
        self._said.append(text)
        return Delta(text)


def without_thoughts(text: str) -> str:
    """A whole text without its thoughts."""
    tags = ThinkTags()
    for _ in tags.feed(text):
        pass
    for _ in tags.end():
        pass
    return tags.said


def _parts(before: str, after: str) -> bool:
    """Whether a closing tag stands between two texts. One that is written about stands among spaces or in quotes."""
    if before[-1:].isspace() or before[-1:] in QUOTES or not after:
        return False
    return after[0] not in QUOTES and after[0] not in " ,.;:)"


def _begins_a_line(before: str) -> bool:
    line = before[before.rfind("\n") + 1 :]
    return not line.strip() and len(line.expandtabs(4)) < 4


def _in_code(before: str) -> bool:
    """Whether a text ends within a fenced block of code (https://spec.commonmark.org/0.31.2/#fenced-code-blocks)."""
    fence = ""
    for found in FENCE.finditer(before):
        if not fence:
            fence = found[1]
        elif found[1][0] == fence[0] and len(found[1]) >= len(fence):
            fence = ""
    return bool(fence)


def _held_back(text: str) -> int:
    """How many characters at the end of a text may belong to a tag that is not whole, or wait for what follows it."""
    tail = text[-LONGEST_TAG:]
    starts = (place for place, char in enumerate(tail) if char in "<[◁")
    return next((len(tail) - place for place in starts if _may_be_a_tag(tail[place:])), 0)


def _may_be_a_tag(tail: str) -> bool:
    # A whole closing tag at the very end waits for what follows it: it may be quoted.
    lower = tail.lower()
    whole = CLOSING.fullmatch(tail) is not None
    return whole or any(tag.startswith(lower) for tag in TAGS) or HALF_A_TAG.match(tail) is not None
