"""Why a model stopped, in whichever words its server says it.

The lists of other people's words are never whole. So an unknown word after text is an end, unless it sounds like a
limit, a filter or a fault: no shortened answer may be taken for a whole one.
"""

from __future__ import annotations

import logging
import re
from typing import Literal

from app.assistants.refusals import REFUSED, SENTENCES, UNAVAILABLE
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
LIMIT = re.compile(r"max|length|limit|budget|truncat|incomplete|context|window|exhaust|exceed")
FILTER = re.compile(
    r"filter|safety|block|moderat|policy|sensitiv|prohibit|recitation|guardrail|refus|spii|language|harm|censor"
)
FAULT = re.compile(
    r"error|fail|abort|cancel|time_?out|unavailab|insufficient|interrupt|overload|malformed|disconnect|crash"
)


def ending_of(reason: object, *, after_text: bool) -> Ending | None:
    """How an answer ended, by the reason given for it; None: none is given.

    Raises `AssistantError` where the reason is a filter or a fault, or means nothing and nothing was said.
    """
    word = _word(reason)
    if not word:
        return None
    if word in WHOLE:
        return "complete"
    shown = word if re.fullmatch(r"[a-z_]{1,40}", word) else "a word of its own"
    if FAULT.search(word):
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=f"the answer ended with {shown}")
    if FILTER.search(word):
        raise AssistantError(Code.CONTENT_FILTERED, SENTENCES[Code.CONTENT_FILTERED], detail=f"it ended with {shown}")
    if LIMIT.search(word):
        return "truncated"
    if not after_text:
        raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"it ended with {shown} and without text")
    log.warning("the model's server ended an answer with %s, which is taken for an end", shown)
    return "complete"


def _word(reason: object) -> str:
    if isinstance(reason, dict):
        reason = reason.get("type") or reason.get("reason")
    if reason is None or isinstance(reason, str):
        return (reason or "").strip().lower().replace("-", "_").replace(" ", "_")
    return repr(reason)[:40].lower()
