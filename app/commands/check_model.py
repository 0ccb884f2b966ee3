"""The model part of `python -m app check`.

It asks two questions in one conversation (some servers refuse the history), sends a conversation as long as the
settings allow (it may not fit into the window), stops an answer, and offers a function. The facts it learns replace the
stored ones: an operator may have changed the model behind its name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.assistants.choose import assistant_for, offering_a_function
from app.assistants.learned import Learned
from app.chat.interfaces import Assistant, Delta, Exchange, Finished, Question, Reasoning, Remote, TakenBack, Trace
from app.chat.text import has_text
from app.errors import AssistantError, Code
from app.settings import Settings

FIRST = "Reply with the word OK."
SECOND = "Thank you. Reply with the word YES."
LONG = "Count from 1 to 300, in words, one number on a line."
FILLER = "This sentence was written to see how much of a conversation fits into the window of the model. "
STOPS_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its text, its last event, and where it is on the other side."""

    text: str
    finished: Finished
    thread_id: str | None = None
    thought: bool = False


class ModelCheck:
    """Asks the assistant that the settings name. Each method gives a line of the report; raises `AssistantError`."""

    def __init__(self, settings: Settings) -> None:
        self.learned = Learned()
        self._settings = settings
        self._assistant = assistant_for(settings, self.learned)
        self._answers: list[Answered] = []

    @property
    def has_our_history(self) -> bool:
        """The conversation is sent along with each question."""
        return self._settings.who_answers in ("responses", "chat") and self._settings.chat_state == "history"

    def two_questions(self) -> str:
        first = _ask(self._assistant, FIRST)
        history = [Exchange(FIRST, first.text, first.thread_id)]
        second = _ask(self._assistant, SECOND, history, Remote(first.thread_id))
        self._answers = [first, second]
        said = " and ".join(str(len(answer.text)) for answer in self._answers)
        model = second.finished.model or "not said"
        return (
            f"{self._assistant.name} answered two questions of one conversation with {said} characters; model: {model}"
        )

    def long_conversation(self) -> str:
        most = self._settings.chat_history_chars
        _ask(self._assistant, FIRST, list(_filled(most)))
        if self.learned.window is None:
            return f"{most} characters of earlier turns fit (CHAT_HISTORY_CHARS)"
        return f"of {most} characters (CHAT_HISTORY_CHARS) about {self.learned.window} fit; older turns are left out"

    def stop(self) -> str:
        question = Question("check-stop", "check-stop", LONG)
        stopped_at: float | None = None
        for event in self._assistant.stream(question):
            if isinstance(event, Finished):
                return "the answer was over before it could be stopped"
            if isinstance(event, Delta | Reasoning) and stopped_at is None:
                stopped_at = time.monotonic()
                question.cancellation.cancel()
        if stopped_at is None:
            raise AssistantError(Code.ASSISTANT_EMPTY, "The answer is empty.", detail="no text came")
        took = time.monotonic() - stopped_at
        if took >= STOPS_WITHIN:
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, f"A stopped answer went on for {took:.0f} s.")
        return f"the answer ended {took:.2f} s after it"

    def abilities(self) -> list[str]:
        """The server's capabilities, as far as the answers show them."""
        api = {"responses": "Responses", "chat": "Chat Completions"}.get(self._assistant.name, self._assistant.name)
        lines = [f"the answers came by {api}"]
        counted = all(answer.finished.usage for answer in self._answers)
        lines.append("tokens are counted (usage)" if counted else "tokens are not counted: it reports no usage")
        if self._assistant.name == "chat":
            refused = "stream_options" in self.learned.replaced("chat")
            lines.append("it takes no stream_options" if refused else "it takes stream_options")
        if any(answer.thought for answer in self._answers):
            lines.append("it tells its reasoning; SHOW_REASONING=true shows it to visitors")
        if self.has_our_history:
            lines.append(self._tools())
        return lines + [f"learned: {sentence}" for sentence in self.learned.sentences()]

    def _tools(self) -> str:
        tried, api = Learned(), self._assistant.name
        try:
            for _ in offering_a_function(self._settings, api, tried).stream(Question("check", "check", FIRST)):
                pass
        except AssistantError as error:
            return f"functions (tools): not known ({error.detail or error.code})"
        refused = "tools" in tried.replaced(api)
        return "functions (tools): refused" if refused else "functions (tools): accepted"


def _ask(assistant: Assistant, text: str, history: Sequence[Exchange] = (), remote: Remote | None = None) -> Answered:
    said: list[str] = []
    finished: Finished | None = None
    thread_id, thought = (remote.thread_id if remote else None), False
    for event in assistant.stream(Question("check", "check", text, history, remote or Remote())):
        if isinstance(event, Delta):
            said.append(event.text)
        elif isinstance(event, TakenBack):
            said.clear()
        elif isinstance(event, Reasoning):
            thought = True
        elif isinstance(event, Trace):
            thread_id = event.thread_id or thread_id
        elif isinstance(event, Finished):
            finished = event
    if finished is None:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, "The answer has no end.")
    answer = finished.text or "".join(said)
    if not has_text(answer):
        detail = "it only thought" if thought else "no text came"
        raise AssistantError(Code.ASSISTANT_EMPTY, "The answer is empty.", detail=detail)
    return Answered(answer, finished, thread_id, thought)


def _filled(chars: int) -> Iterator[Exchange]:
    """Earlier turns of so many characters."""
    for _ in range(chars // (8 * len(FILLER))):
        yield Exchange(4 * FILLER, 4 * FILLER)
