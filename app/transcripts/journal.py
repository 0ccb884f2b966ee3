"""The journal: every conversation and every turn, from acceptance to final state. It decides.

Unique keys make a repeated message the same turn and keep one running turn of a conversation; a final state
is written by compare-and-set, once. It fits `app.chat.interfaces.Journal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, exists, func, insert, select, update

from app.chat.identity import Identity
from app.chat.interfaces import Exchange, Remote, Trace
from app.chat.turns import Turn, TurnState, UserMessage, states_before
from app.errors import ChatError, Code
from app.transcripts.database import Database
from app.transcripts.ownership import identity_of, take
from app.transcripts.tables import conversations, feedback, probe, turns
from app.transcripts.turn_rows import final_values, new_row, turn_of, turn_rows

UNFINISHED = [state for state in TurnState if not state.final]
REPLAYED = [TurnState.COMPLETE, TurnState.STOPPED, TurnState.TRUNCATED, TurnState.INTERRUPTED]
"""The states whose answers an assistant is shown as history."""


class SqlJournal:
    """The journal in a database. `owner`: the id of this worker, by which its turns are found if it dies.

    `changed` is called when there is something new that does not change any more: an ended turn, a rating.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self.owner = owner
        self.changed: Callable[[], None] = lambda: None

    def find(self, conversation: str, client_id: str) -> Turn | None:
        """The turn of a message that was sent before."""
        return self._one(turns.c.conversation_uuid == conversation, turns.c.client_id == client_id)

    def turn(self, conversation: str, turn_id: str) -> Turn | None:
        return self._one(turns.c.conversation_uuid == conversation, turns.c.id == turn_id)

    def accept(self, identity: Identity, message: UserMessage, turn_id: str, now: int) -> Turn:
        """Write a queued turn, and its conversation if this is the first. Raises `not_yours`, `erased`."""

        def work(connection: Connection) -> Turn:
            take(connection, identity, now)
            index = connection.scalar(_next_index(identity.conversation)) or 0
            turn = Turn(
                turn_id, identity.conversation, identity.user_id, index, message.client_id, message.text, now,
                page_url=message.page_url, page_title=message.page_title,
                client_ip=message.client_ip, user_agent=message.user_agent, signed_in=identity.signed_in,
            )  # fmt: skip
            connection.execute(insert(turns).values(new_row(turn, self.owner)))
            return turn

        return self._database.write(work)

    def start(self, turn_id: str, now: int) -> TurnState:
        """Make a queued turn the running one, if it is the conversation's oldest that has not ended.

        The state that it has then: `running`, or still `queued` if another worker has an earlier one; `stopped`
        if it is not to start any more.
        """
        earlier = turns.alias()
        is_oldest = ~exists().where(
            earlier.c.conversation_uuid == turns.c.conversation_uuid,
            earlier.c.turn_index < turns.c.turn_index,
            earlier.c.finished_at.is_(None),
        )
        waits = (turns.c.id == turn_id, turns.c.state == TurnState.QUEUED, turns.c.stop_requested_at.is_(None))

        def work(connection: Connection) -> TurnState:
            started = update(turns).where(*waits, is_oldest).values(state=TurnState.RUNNING, started_at=now)
            if connection.execute(started).rowcount == 1:
                return TurnState.RUNNING
            waiting = connection.execute(select(turns.c.id).where(*waits)).first()
            return TurnState.QUEUED if waiting else TurnState.STOPPED

        return self._database.write(work)

    def keep_texts(self, texts: Sequence[tuple[str, str, int]]) -> None:
        """Keep running turns' texts so far: (turn id, text, seq), all in one transaction."""

        def work(connection: Connection) -> None:
            for turn_id, answer, seq in texts:
                running = (turns.c.id == turn_id, turns.c.state == TurnState.RUNNING)
                connection.execute(update(turns).where(*running).values(answer=answer, seq=seq))

        self._database.write(work)

    def finish(self, turn: Turn) -> bool:
        """Write a turn's final state. False: it has one already, and keeps that."""
        not_ended = (turns.c.id == turn.id, turns.c.state.in_(states_before(turn.state)))
        ended = self._change(not_ended, **final_values(turn))
        self.changed()
        return ended

    def turns(
        self, conversation: str, *, before: str | None = None, limit: int, max_bytes: int
    ) -> tuple[list[Turn], bool]:
        """The last `limit` turns before the turn `before`, oldest first, and whether there are older ones.

        Fewer if their texts are longer than `max_bytes` together (UTF-8), but always at least one.
        """
        query = turn_rows().where(turns.c.conversation_uuid == conversation)
        if before is not None:
            index = select(turns.c.turn_index).where(turns.c.id == before).scalar_subquery()
            query = query.where(turns.c.turn_index < index)
        found: list[Turn] = []
        size = 0
        with self._database.reading() as connection:
            for row in connection.execute(query.order_by(turns.c.turn_index.desc()).limit(limit + 1)):
                thoughts = (row.reasoning or {}).get("text", "")
                size += sum(len(text.encode()) for text in (row.text, row.answer, thoughts))
                if len(found) == limit or (found and size > max_bytes):
                    return found[::-1], True
                found.append(turn_of(row))
        return found[::-1], False

    def history(self, conversation: str, before_index: int, max_chars: int) -> list[Exchange]:
        """What an assistant is shown of the turns before `before_index`: whole ones, oldest first.

        At most `max_chars` characters together; the oldest are left out. Reads no more rows than it gives.
        """
        query = (
            select(turns.c.text, turns.c.answer, turns.c.thread_id)
            .where(turns.c.conversation_uuid == conversation, turns.c.turn_index < before_index)
            .where(turns.c.state.in_(REPLAYED), turns.c.answer != "")
            .order_by(turns.c.turn_index.desc())
        )
        kept: list[Exchange] = []
        with self._database.reading() as connection, connection.execute(query) as rows:
            for row in rows:
                max_chars -= len(row.text) + len(row.answer)
                if max_chars < 0:
                    break
                kept.append(Exchange(row.text, row.answer, row.thread_id))
        return kept[::-1]

    def remote(self, conversation: str, before_index: int, assistant: str) -> Remote:
        """What `assistant`'s other side has of the turns before `before_index`, by the last of them that it has."""
        query = (
            select(turns.c.thread_id, turns.c.run_id, turns.c.state)
            .where(turns.c.conversation_uuid == conversation, turns.c.turn_index < before_index)
            .where(turns.c.assistant == assistant, turns.c.thread_id.is_not(None))
            .order_by(turns.c.turn_index.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            last = connection.execute(query).first()
        if last is None:
            return Remote()
        settled = last.state in (TurnState.COMPLETE, TurnState.TRUNCATED)
        return Remote(last.thread_id, None if settled else last.run_id, settled)

    def trace(self, turn_id: str, assistant: str, trace: Trace) -> None:
        """Record where a running turn is on the other side."""
        found = {"thread_id": trace.thread_id, "run_id": trace.run_id}
        values = {name: value for name, value in found.items() if value}
        self._change((turns.c.id == turn_id,), assistant=assistant, **values)

    def request_stop(self, turn_id: str, now: int) -> None:
        """Record that a turn is to stop; it does not start any more if it has not begun."""
        self._change((turns.c.id == turn_id, turns.c.state.in_(UNFINISHED)), stop_requested_at=now)

    def stop_requests(self) -> list[str]:
        """This worker's turns that somebody wants stopped, also by way of another worker."""
        asked = (turns.c.owner == self.owner, turns.c.finished_at.is_(None), turns.c.stop_requested_at.is_not(None))
        with self._database.reading() as connection:
            return list(connection.scalars(select(turns.c.id).where(*asked)))

    def oldest_unfinished(self, conversation: str) -> Turn | None:
        """The conversation's running turn, or the first that waits, at whichever worker."""
        query = turn_rows().where(turns.c.conversation_uuid == conversation, turns.c.finished_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(turns.c.turn_index).limit(1)).first()
        return turn_of(row) if row else None

    def rate(self, turn_id: str, rating: str | None, comment: str | None, now: int) -> None:
        """Add a rating. None takes an earlier one back. Raises `unknown_turn` when the turn was just erased."""

        def work(connection: Connection) -> None:
            if connection.execute(select(turns.c.id).where(turns.c.id == turn_id)).first() is None:
                raise ChatError(Code.UNKNOWN_TURN, "This conversation has no such message.")
            count = select(func.count()).select_from(feedback).where(feedback.c.turn_id == turn_id)
            row = {"turn_id": turn_id, "n": connection.scalar(count), "rating": rating, "comment": comment}
            connection.execute(insert(feedback).values(row | {"given_at": now}))

        self._database.write(work)
        self.changed()

    def owner_of(self, conversation: str) -> Identity | None:
        """Whose conversation this is; None if nothing was written in it yet."""
        with self._database.reading() as connection:
            row = connection.execute(select(conversations).where(conversations.c.uuid == conversation)).first()
        return identity_of(row) if row else None

    def owners_of_unfinished(self) -> list[str]:
        """The workers that have turns without a final state."""
        with self._database.reading() as connection:
            return list(connection.scalars(select(turns.c.owner).where(turns.c.finished_at.is_(None)).distinct()))

    def interrupt(self, owners: Iterable[str], now: int) -> list[Turn]:
        """End the unfinished turns of dead workers, with the text that was kept. Those turns, as they stand then."""
        theirs = (turns.c.owner.in_(list(owners)), turns.c.finished_at.is_(None), turns.c.state.in_(UNFINISHED))

        def work(connection: Connection) -> list[Turn]:
            ids = list(connection.scalars(select(turns.c.id).where(*theirs)))
            ended = update(turns).where(turns.c.id.in_(ids))
            connection.execute(ended.values(state=TurnState.INTERRUPTED, finished_at=now))
            rows = connection.execute(turn_rows().where(turns.c.id.in_(ids)).order_by(turns.c.accepted_at))
            return [turn_of(row) for row in rows]

        return self._database.write(work)

    def check_writable(self, now: int) -> None:
        """Raise `JournalError` unless a row can be written now."""
        written = update(probe).values(written_at=now)
        self._database.write(lambda connection: connection.execute(written))

    def _one(self, *conditions: Any) -> Turn | None:
        with self._database.reading() as connection:
            row = connection.execute(turn_rows().where(*conditions)).first()
        return turn_of(row) if row else None

    def _change(self, conditions: Sequence[Any], **values: Any) -> bool:
        statement = update(turns).where(*conditions).values(**values)
        return self._database.write(lambda connection: connection.execute(statement).rowcount) == 1


def _next_index(conversation: str) -> Select[Any]:
    return select(func.max(turns.c.turn_index) + 1).where(turns.c.conversation_uuid == conversation)
