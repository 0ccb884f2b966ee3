"""Generated conversations, the same for the same seed: turns as the journal has them, with the ratings given."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.chat.turns import Turn, TurnError, TurnState
from app.transcripts.records import Document, Service, feedback_document, start_document, turn_document

START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
END = int(datetime(2026, 3, 31, tzinfo=UTC).timestamp() * 1000)
SERVICE = Service("assistant-chat-server", "0.1.0", "openai")
STATES = [*TurnState][2:]
CODES = ["assistant_unavailable", "assistant_busy", "deadline_exceeded", "internal"]
MODELS = ["model-a", "model-b", "model-c", None]


@dataclass(frozen=True)
class Told:
    """A turn, when the one before it ended, and its ratings: rating and moment."""

    turn: Turn
    previous_ended_at: int | None
    ratings: tuple[tuple[str | None, int], ...]

    @property
    def pause(self) -> int | None:
        """Milliseconds between the end of the answer before and this message."""
        if self.previous_ended_at is None or self.turn.accepted_at < self.previous_ended_at:
            return None
        return self.turn.accepted_at - self.previous_ended_at


def generated(seed: int, conversations: int) -> list[Told]:
    chance = random.Random(seed)
    return [told for _ in range(conversations) for told in _conversation(chance)]


def documents(turns: list[Told]) -> list[Document]:
    found = {}
    for told in turns:
        made = [turn_document(told.turn, SERVICE, told.previous_ended_at)]
        if told.turn.index == 0:
            made.append(start_document(told.turn, told.turn.accepted_at, SERVICE))
        ratings = enumerate(told.ratings)
        made += [feedback_document(told.turn, n, rating, None, at, SERVICE) for n, (rating, at) in ratings]
        found.update({document.id: document for document in made})
    return list(found.values())


def _conversation(chance: random.Random) -> list[Told]:
    uuid, user = _uuid(chance), f"user-{chance.randrange(25)}"
    moment = chance.randrange(START, END - 3_600_000)
    previous = None
    turns = []
    for index in range(chance.choice([1, 1, 2, 3, 4, 6, 9, 14])):
        told = _turn(chance, uuid, user, index, moment, previous)
        turns.append(told)
        previous = told.turn.finished_at
        assert previous is not None
        # Some messages are sent before the answer's end, some right after it, most after reading it.
        moment = max(moment + 1, previous + chance.choice([-500, 4_000, 29_999, 30_000, 45_000, 120_000]))
    return turns


def _turn(
    chance: random.Random, conversation: str, user: str, index: int, accepted_at: int, previous: int | None
) -> Told:
    state = chance.choices(STATES, weights=[70, 12, 10, 3, 5])[0]
    started_at = max(accepted_at, previous or 0)
    first = None if state is TurnState.FAILED else started_at + int(chance.lognormvariate(6.5, 0.7))
    finished_at = (first or started_at) + int(chance.lognormvariate(8.5, 0.8))
    answered = state in (TurnState.COMPLETE, TurnState.TRUNCATED)
    model = chance.choice(MODELS)
    usage = {"input_tokens": chance.randrange(20, 4000), "output_tokens": chance.randrange(1, 900)}
    turn = Turn(
        _uuid(chance), conversation, user, index, f"client-{index}", f"Question {index} of {user}", accepted_at,
        state=state, answer="" if first is None else f"Answer {index}", started_at=started_at,
        first_piece_at=first, finished_at=finished_at, model=model, usage=usage if answered and model else None,
        error=TurnError(chance.choice(CODES), "A sentence.") if state is TurnState.FAILED else None,
    )  # fmt: skip
    given = chance.choices([[], ["up"], ["down"], ["up", "down"], ["down", None]], weights=[70, 15, 9, 3, 3])[0]
    # Some are given at once, some when the conversation has gone on.
    later = chance.choice([5_000, 900_000])
    ratings = tuple((rating, finished_at + later * (n + 1)) for n, rating in enumerate(given))
    return Told(turn, previous, ratings)


def _uuid(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))
