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
    false,
    text,
)

metadata = MetaData()
UNSHIPPED = text("shipped_at IS NULL AND refused IS NULL")
REFUSED = text("refused IS NOT NULL")

conversations = Table(
    "conversations",
    metadata,
    Column("uuid", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    # The page chose the ids itself (TRUST_CLIENT_IDS); a conversation begun with a token is never opened this way.
    Column("by_client", Boolean, nullable=False),
    # The page's backend vouched for the user: only such conversations are in a user's list, or opened by their id.
    Column("by_user_token", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    # When the last message was accepted; kept only where a list is in that order, that is, by user token.
    Column("last_at", BigInteger),
    # When Elasticsearch confirmed its document, or why it never will. So for turns and feedback, too.
    Column("shipped_at", BigInteger),
    Column("refused", Text),
    Index("conversations_of_user", "user_id", "created_at"),
    Index(
        "conversations_of_signed_in",
        "user_id",
        "last_at",
        "uuid",
        sqlite_where=text("by_user_token = 1"),
        postgresql_where=text("by_user_token"),
    ),
    Index("unshipped_conversations", "created_at", sqlite_where=UNSHIPPED, postgresql_where=UNSHIPPED),
    Index("refused_conversations", "created_at", sqlite_where=REFUSED, postgresql_where=REFUSED),
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
    # What the model thought before it answered, and for how long; kept where it is shown.
    Column("reasoning", JSON(none_as_null=True)),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("page_url", Text),
    Column("page_title", Text),
    Column("client_ip", Text),
    Column("user_agent", Text),
    Column("shipped_at", BigInteger),
    Column("refused", Text),
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
    # The transcript viewer's order: newest first.
    Index("turns_by_time", "accepted_at", "id"),
    Index("unshipped_turns", "finished_at", sqlite_where=UNSHIPPED, postgresql_where=UNSHIPPED),
    Index("refused_turns", "finished_at", sqlite_where=REFUSED, postgresql_where=REFUSED),
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
    Column("shipped_at", BigInteger),
    Column("refused", Text),
    Index("unshipped_feedback", "given_at", sqlite_where=UNSHIPPED, postgresql_where=UNSHIPPED),
    Index("refused_feedback", "given_at", sqlite_where=REFUSED, postgresql_where=REFUSED),
)

# Who may do what only one may do at a time, such as shipping; by the holder's worker id.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# What is to be forgotten: one conversation, everything of a user, or everything older than a moment. Stays, so that
# nothing that was erased is taken for new; has ids and no content. See app/transcripts/tombstones.py.
tombstones = Table(
    "tombstones",
    metadata,
    Column("id", Integer, primary_key=True),
    # conversation, user, age; aged: one conversation that an age has found; there: what an assistant has of it
    Column("kind", Text, nullable=False),
    # The id; of `age` the moment before which conversations are forgotten, in milliseconds since 1970.
    Column("subject", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    # The last step of the erasure that is done.
    Column("step", Text, nullable=False),
    Column("done_at", BigInteger),
    Index("tombstones_of_subject", "kind", "subject"),
)

# What was found out about the model that answers: one row, of the server's address and the model's name.
model_facts = Table(
    "model_facts",
    metadata,
    Column("model", Text, primary_key=True),
    Column("facts", JSON, nullable=False),
)

# One row that is written to find out whether the journal can be written to.
probe = Table(
    "probe", metadata, Column("id", Integer, primary_key=True), Column("written_at", BigInteger, nullable=False)
)
