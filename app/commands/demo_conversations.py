"""Plausible conversations for a demonstration: made of fixed texts and chance, by a seed. Pure: writes nothing."""

from __future__ import annotations

import math
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from app.chat.turns import Turn, TurnError, TurnState
from app.transcripts.whole_rows import Rating, Written

TEXTS = Path(__file__).with_name("demo_texts.toml")
SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
USER_PREFIX = "de300000-"
"""How the user id of every demonstration conversation begins."""

HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 14, 20, 23, 22, 19, 20, 22, 21, 19, 18, 17, 18, 19, 15, 9, 4)
"""How busy each hour of the day is (UTC); the weekend has 55 % of it."""
MODELS = (
    ("gpt-5-mini", "responses", 70, 750, 95),
    ("gpt-5", "responses", 18, 1600, 55),
    ("llama3.2", "chat", 12, 400, 40),
)
"""Name, assistant, weight, median milliseconds to the first token, tokens a second."""
OUTCOMES = {
    TurnState.COMPLETE: 905, TurnState.STOPPED: 38, TurnState.FAILED: 32, TurnState.TRUNCATED: 14,
    TurnState.INTERRUPTED: 11,
}  # fmt: skip
AGAIN = (TurnState.FAILED, TurnState.INTERRUPTED)
"""After these, every second visitor asks the same once more."""
FAILURES = (
    ("assistant_busy", "The assistant has too much to do at the moment. Please try again shortly."),
    ("assistant_unavailable", "The assistant cannot be reached at the moment. Please try again."),
    ("deadline_exceeded", "The answer took too long and was ended."),
    ("content_filtered", "The service's filter stopped this answer."),
)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
)
SOURCES = ("returns.pdf", "delivery-and-customs.md", "catalogue-2026.pdf", "terms.pdf")


@dataclass(frozen=True, slots=True)
class _Talk:
    """What stays the same within a conversation."""

    conversation: str
    user_id: str
    language: dict[str, Any]
    page: list[str]
    agent: str
    ip: str
    model: tuple[str, str, int, int, int]
    thread: str | None


def conversations(count: int, seed: int, now: int) -> Iterator[Written]:
    """`count` conversations of the 30 days before `now` (milliseconds since 1970), all ended.

    Who says what is the same for a seed at any time; `now` decides when, and what is not over yet is left out.
    """
    return Conversations(seed, now).make(count)


class Conversations:
    """A source of conversations. Knows the users that were there before: some come back."""

    def __init__(self, seed: int, now: int) -> None:
        self._seed = seed
        self._random: Random
        """Of the conversation that is being made: how many turns the one before had time for depends on the hour."""
        self._times = Random(seed)
        """Apart from what is said: how often it is asked depends on the hour."""
        self._now = now
        self._texts = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
        self._users: list[str] = []

    def make(self, count: int) -> Iterator[Written]:
        for n in range(count):
            self._random = Random(f"{self._seed} {n}")
            yield self._conversation()

    def _conversation(self) -> Written:
        random = self._random
        languages = self._texts["language"]
        language = random.choices(languages, [one["weight"] for one in languages])[0]
        talk = _Talk(
            self._uuid(), self._user(), language, random.choice(language["pages"]), random.choice(AGENTS),
            f"203.0.113.{random.randrange(256)}", random.choices(MODELS, [model[2] for model in MODELS])[0],
            f"thread_{random.getrandbits(96):024x}" if random.random() < 0.5 else None,
        )  # fmt: skip
        at = self._moment()
        turns: list[Turn] = []
        ratings: list[Rating] = []
        todo = list(self._exchanges(language))
        while todo:
            question, answer = todo.pop(0)
            turn = self._turn(talk, turns, question, answer, at)
            turns.append(turn)
            ratings += self._ratings(turn)
            if turn.state in AGAIN and random.random() < 0.5:
                todo.insert(0, (question, answer))
            at = (turn.finished_at or at) + round(random.lognormvariate(math.log(45), 0.8) * SECOND)
            if at > self._now:
                break
        return Written(talk.conversation, talk.user_id, turns[0].accepted_at, turns, ratings)

    def _exchanges(self, language: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Mostly one to four questions, sometimes dozens."""
        random = self._random
        many = random.randrange(15, 60) if random.random() < 0.01 else 1 + min(int(random.expovariate(0.55)), 14)
        for index in range(many):
            pool = self._texts["follow_ups"] if index % 2 and language["code"] == "en" else language["exchanges"]
            question, answer = random.choice(pool)
            yield question, answer

    def _turn(self, talk: _Talk, before: list[Turn], question: str, answer: str, at: int) -> Turn:
        random = self._random
        state = random.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        name, assistant, _, median, pace = talk.model
        # Slower while many people are there.
        busy = 0.7 + HOURS[at // HOUR % 24] / 30
        started = at + (round(random.expovariate(1 / 900)) if random.random() < 0.06 else random.randrange(3, 12))
        first = started + round(median * busy * random.lognormvariate(0, 0.45))
        if state is TurnState.STOPPED or state is TurnState.INTERRUPTED:
            answer = answer[: random.randrange(5, max(6, len(answer) * 3 // 4))]
        elif state is TurnState.TRUNCATED:
            answer = answer[: max(5, len(answer) * 9 // 10)]
        error = TurnError(*random.choice(FAILURES)) if state is TurnState.FAILED else None
        if error:
            answer = ""
        tokens = max(1, len(answer) // 4)
        finished = first + tokens * SECOND // pace + random.randrange(20, 200)
        if error and error.code == "deadline_exceeded":
            finished = started + 300 * SECOND
        history = sum(len(turn.text) + len(turn.answer) for turn in before[-12:]) // 4
        return Turn(
            self._uuid(), talk.conversation, talk.user_id, len(before), self._uuid(), question, at, state=state,
            answer=answer, seq=tokens if answer else -1, started_at=started, first_piece_at=first if answer else None,
            finished_at=finished, citations=({"filename": random.choice(SOURCES)},) if "[1]" in answer else (),
            usage=None if error else {"input_tokens": 180 + history + len(question) // 4, "output_tokens": tokens},
            assistant=assistant, model=None if error else name,
            response_id=None if error else f"resp_{random.getrandbits(96):024x}",
            thread_id=talk.thread, request_ids=(f"req_{random.getrandbits(64):016x}",), error=error,
            page_url=talk.page[0], page_title=talk.page[1], client_ip=talk.ip, user_agent=talk.agent,
        )  # fmt: skip

    def _ratings(self, turn: Turn) -> list[Rating]:
        random = self._random
        if turn.state is TurnState.FAILED or random.random() > 0.11:
            return []
        up = random.random() < (0.68 if turn.state is TurnState.COMPLETE else 0.2)
        at = min((turn.finished_at or turn.accepted_at) + random.randrange(3, 90) * SECOND, self._now)
        comments = self._texts["comments_up" if up else "comments_down"]
        comment = random.choice(comments) if random.random() < (0.15 if up else 0.5) else None
        found = [Rating(turn.id, 0, "up" if up else "down", comment, at)]
        if random.random() < 0.05:
            found.append(Rating(turn.id, 1, random.choice(["up", "down", None]), None, min(at + 5 * SECOND, self._now)))
        return found

    def _moment(self) -> int:
        """A time within the last 30 days: by day, by hour, by chance."""
        random = self._times
        while True:
            day = self._now // DAY * DAY - random.randrange(30) * DAY
            weekend = (day // DAY + 3) % 7 >= 5
            if random.random() < (0.55 if weekend else 1):
                at = day + random.choices(range(24), HOURS)[0] * HOUR + random.randrange(HOUR)
                if at < self._now - 60 * SECOND:
                    return at

    def _user(self) -> str:
        if self._users and self._random.random() < 0.25:
            return self._random.choice(self._users[-500:])
        self._users.append(USER_PREFIX + self._uuid()[9:])
        return self._users[-1]

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
