"""Which conversations were begun with a user token, and an index by which such a user's are listed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    by_user_token = sa.Column("by_user_token", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("conversations", by_user_token)
    op.add_column("conversations", sa.Column("last_at", sa.BigInteger))
    op.create_index(
        "conversations_of_signed_in",
        "conversations",
        ["user_id", "last_at", "uuid"],
        sqlite_where=sa.text("by_user_token = 1"),
        postgresql_where=sa.text("by_user_token"),
    )
