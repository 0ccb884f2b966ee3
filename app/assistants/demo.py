"""The built-in demo: a guide to this server that needs no network and no key.

It picks one of a few texts by the words of the question and streams it word by word. It also counts, so that
anybody can see whether a word was lost. How fast, and whether it is long or fails, are settings, so that tests and
demonstrations can choose.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

from app.chat.interfaces import Citation, Delta, Event, Finished, Question
from app.errors import AssistantError, Code

TEXTS = Path(__file__).with_name("demo_texts")
LONG_WORDS = 2000
FAILS_AFTER = 12
"""Words that a failing answer has before it fails."""

TOPICS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("about", re.compile(r"\b(what is this|what are you|who are you|about this)\b", re.I)),
    ("embed", re.compile(r"\b(embed|embedding|site|website|widget|script|tag|page|html)\b", re.I)),
    ("model", re.compile(r"\b(models?|openai|gpt|key|ollama|vllm|llama|connect|api)\b", re.I)),
    ("operate", re.compile(r"\b(deploy|run|running|docker|gunicorn|production|operate|metrics|health|port)\b", re.I)),
    (
        "reliable",
        re.compile(r"\b(lost|lose|reload|reconnect|cuts?|offline|tab|resume|reliab\w+|restarts?|kill)\b", re.I),
    ),
    ("kept", re.compile(r"\b(kept|keep|stored?|transcripts?|history|journal|privacy|data|database)\b", re.I)),
)
SOURCES = {
    "embed": "docs/embedding.md",
    "model": "docs/assistants.md",
    "operate": "docs/operations.md",
    "reliable": "docs/reliability.md",
    "kept": "docs/transcripts.md",
}
COUNT = re.compile(r"\bcount (?:up )?to (\d{1,9})", re.I)
COUNT_MOST = 2000
GREETING = re.compile(r"^\W*(hi|hello|hey|hallo|hola|bonjour|salut|good (morning|evening))\b", re.I)


class DemoAssistant:
    """`pace`: words a second, 0 for all at once. `kind`: the guide, a long text, or one that breaks off."""

    name = "demo"

    def __init__(self, pace: float, kind: Literal["guide", "long", "failing"] = "guide") -> None:
        self._pace = pace
        self._kind = kind
        self._guide = {path.stem: path.read_text(encoding="utf-8").strip() for path in TEXTS.glob("*.md")}

    def ready(self) -> bool:
        return True

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events. Raises `AssistantError` only when it is set to fail."""
        words, source = self._answer(question)
        for count, word in enumerate(_paced(words, self._pace, question.cancellation.wait)):
            if self._kind == "failing" and count == FAILS_AFTER:
                sentence = "The demo was asked to fail, and so it does (DEMO_ANSWER=failing)."
                raise AssistantError(Code.ASSISTANT_UNAVAILABLE, sentence, detail="DEMO_ANSWER=failing")
            yield Delta(word)
        if question.cancellation.cancelled:
            return
        yield Citation(filename=source)
        yield Finished(model="demo", usage={"input_tokens": len(question.text.split()), "output_tokens": len(words)})

    def _answer(self, question: Question) -> tuple[list[str], str]:
        """The words of the answer, and the document that it goes back to."""
        if count := COUNT.search(question.text):
            return _numbers(max(1, min(int(count[1]), COUNT_MOST))), SOURCES["reliable"]
        topic = self._topic(question)
        return self._words(topic), SOURCES.get(topic, "README.md")

    def _words(self, topic: str) -> list[str]:
        """The text of a topic in words, each with the space after it, so that together they are the text."""
        words = re.findall(r"\S+\s*", self._guide[topic])
        if self._kind == "long":
            return list(itertools.islice(itertools.cycle([*words, "\n\n"]), LONG_WORDS))
        return words

    @staticmethod
    def _topic(question: Question) -> str:
        if GREETING.search(question.text) and len(question.text) < 40:
            return "hello"
        for topic, words in TOPICS:
            if words.search(question.text):
                return topic
        return "about" if len(question.history) % 2 == 0 else "more"


def _numbers(last: int) -> list[str]:
    """1 to `last`, ten to a line and a hundred to a paragraph, each with the space after it but the last."""
    spaces = ("\n\n" if number % 100 == 0 else "\n" if number % 10 == 0 else " " for number in range(1, last))
    return [*(f"{number}{space}" for number, space in enumerate(spaces, 1)), str(last)]


def _paced(words: list[str], pace: float, wait: Callable[[float], bool]) -> Iterator[str]:
    """`words` at `pace` a second; ends early when `wait` says that nobody waits any more."""
    begun = time.monotonic()
    for count, word in enumerate(words):
        if pace and count:
            late = time.monotonic() - begun - count / pace
            if wait(max(0.0, -late)):
                return
        yield word
