"""Conversations, turns and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("by_client", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("conversations_of_user", "conversations", ["user_id", "created_at"])
    op.create_table(
        "turns",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("conversation_uuid", sa.Text, sa.ForeignKey("conversations.uuid"), nullable=False),
        sa.Column("turn_index", sa.Integer, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("first_piece_at", sa.BigInteger),
        sa.Column("stop_requested_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("citations", sa.JSON),
        sa.Column("usage", sa.JSON),
        sa.Column("model", sa.Text),
        sa.Column("response_id", sa.Text),
        sa.Column("corrected", sa.Boolean, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("page_url", sa.Text),
        sa.Column("page_title", sa.Text),
        sa.UniqueConstraint("conversation_uuid", "client_id", name="one_turn_of_a_client_id"),
        sa.UniqueConstraint("conversation_uuid", "turn_index", name="one_turn_of_an_index"),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "one_running_turn",
        "turns",
        ["conversation_uuid"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    unfinished = sa.text("finished_at IS NULL")
    op.create_index("unfinished_turns", "turns", ["owner"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "feedback",
        sa.Column("turn_id", sa.Text, sa.ForeignKey("turns.id"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("rating", sa.Text),
        sa.Column("comment", sa.Text),
        sa.Column("given_at", sa.BigInteger, nullable=False),
    )
    probe = op.create_table(
        "probe",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("written_at", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(probe, [{"id": 1, "written_at": 0}])
