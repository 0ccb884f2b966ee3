"""Maps a server's reason for the end of an answer to `complete`, `truncated` or an error.

Servers use more words than any list has. An unknown word after text counts as an end, unless it looks like a limit, a
filter or a fault: a shortened answer must never be `complete`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.assistants.upstream_errors import REFUSED, SENTENCES, UNAVAILABLE
from app.errors import AssistantError, Code

log = logging.getLogger(__name__)

Ending = Literal["complete", "truncated"]

WHOLE = frozenset(
    (
        "stop", "eos", "eos_token", "end", "end_turn", "end_of_turn", "stop_sequence", "stop_token",
        "complete", "completed", "done", "finished", "normal",
        "tool_calls", "tool_call", "tool_use", "function_call",
    )
)  # fmt: skip
LIMIT = re.compile(
    r"max|length|limit|budget|truncat|incomplete|context|window|exhaust|exceed|partial|unfinished|cut_?off|overflow|pause"
    r"|out_of_|^tokens?$"
)
FILTER = re.compile(
    r"filter|safety|block|moderat|policy|sensitiv|prohibit|recitation|guardrail|refus|spii|language|harm|censor"
)
FAULT = re.compile(
    r"error|fail|abort|cancel|time_?out|deadline|unavailab|insufficient|interrupt|overload|malformed|disconnect|crash"
    r"|kill|shutdown|preempt|exception|internal|oom\b|unload"
)


def ending_of(reason: object) -> Ending | Literal["unknown"] | None:
    """How an answer ended, by the reason given for it; None: none is given.

    Raises `AssistantError` where the reason is a filter or a fault.
    """
    word = _word(reason)
    if not word:
        return None
    if word in WHOLE:
        return "complete"
    if FAULT.search(word):
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=f"the answer ended with {shown(word)}")
    if FILTER.search(word):
        detail = f"the answer ended with {shown(word)}"
        raise AssistantError(Code.CONTENT_FILTERED, SENTENCES[Code.CONTENT_FILTERED], detail=detail)
    return "truncated" if LIMIT.search(word) else "unknown"


class Endings:
    """The reasons of one stream. `ending`: how it ended; None while it has not."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self._unknown: object = None
        self._no_ends: set[str] = set()

    def text_came(self) -> None:
        """Text came: a word before it was none for an end."""
        if self._unknown is not None:
            self._no_ends.add(_word(self._unknown))
            self._unknown = None

    def take(self, reason: object, *, with_text: bool) -> None:
        """A reason, in a chunk `with_text` or without. Raises `AssistantError` for a filter or a fault."""
        found = ending_of(reason)
        if found == "unknown":
            # Beside text it may be said of every chunk: only `[DONE]` tells then that it is over.
            if not with_text and _word(reason) not in self._no_ends:
                self._unknown = reason
        elif found and self.ending != "truncated":
            self.ending = found

    @property
    def ended(self) -> bool:
        return self.ending is not None or self._unknown is not None

    def last(self, *, after_text: bool) -> Ending:
        """How it ended, now that it is over. Raises `AssistantError` if that means nothing."""
        if self.ending is not None:
            return self.ending
        if self._unknown is not None:
            word = shown(_word(self._unknown))
            if not after_text:
                raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"it ended with {word} and without text")
            log.warning("the model's server ended an answer with %s, which is taken for an end", word)
        return "complete"


def used_up(usage: dict[str, int] | None, sent: Mapping[str, Any], limits: Sequence[str]) -> bool:
    """Whether an answer has all the tokens that it could have, by one of the `limits` that were `sent`.

    Some servers (llama.cpp by Responses, LitServe) call such an answer whole: only the number of tokens tells.
    """
    limit = next((sent[name] for name in limits if name in sent), None)
    return limit is not None and (usage or {}).get("output_tokens", 0) >= limit


def shown(word: str) -> str:
    """A server's word if it is safe to log."""
    return word if re.fullmatch(r"[a-z_]{1,40}", word) else "a word of its own"


def _word(reason: object) -> str:
    if isinstance(reason, dict):
        reason = reason.get("type") or reason.get("reason")
    if reason is None or isinstance(reason, str):
        return (reason or "").strip().lower().replace("-", "_").replace(" ", "_")
    return repr(reason)[:40].lower()
