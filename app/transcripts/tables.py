"""The journal's tables as the code sees them. The migrations make them; a test compares the two.

Times are milliseconds since 1970 (UTC), ids are UUIDs as text.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("uuid", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    # The page chose the ids itself (TRUST_CLIENT_IDS); a conversation begun with a token is never opened this way.
    Column("by_client", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("conversations_of_user", "user_id", "created_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("conversation_uuid", Text, ForeignKey("conversations.uuid"), nullable=False),
    Column("turn_index", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("first_piece_at", BigInteger),
    Column("stop_requested_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("citations", JSON),
    Column("usage", JSON),
    Column("assistant", Text),
    Column("model", Text),
    Column("response_id", Text),
    # Where the turn is on the other side: the thread that has it, and the run that may have to be cancelled.
    Column("thread_id", Text),
    Column("run_id", Text),
    Column("request_ids", JSON),
    Column("corrected", Boolean, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("page_url", Text),
    Column("page_title", Text),
    UniqueConstraint("conversation_uuid", "client_id", name="one_turn_of_a_client_id"),
    UniqueConstraint("conversation_uuid", "turn_index", name="one_turn_of_an_index"),
    # One running turn of a conversation, whatever the code above believes.
    Index(
        "one_running_turn",
        "conversation_uuid",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    # What has to end before a turn may start.
    Index(
        "unfinished_of_conversation",
        "conversation_uuid",
        "turn_index",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    Index(
        "unfinished_turns",
        "owner",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)

feedback = Table(
    "feedback",
    metadata,
    Column("turn_id", Text, ForeignKey("turns.id"), primary_key=True),
    # Counts the ratings of a turn from 0; the last one counts.
    Column("n", Integer, primary_key=True),
    Column("rating", Text),
    Column("comment", Text),
    Column("given_at", BigInteger, nullable=False),
)

# One row that is written to find out whether the journal can be written to.
probe = Table(
    "probe", metadata, Column("id", Integer, primary_key=True), Column("written_at", BigInteger, nullable=False)
)
