"""An index by which a turn finds the earlier ones of its conversation that have not ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "unfinished_of_conversation",
        "turns",
        ["conversation_uuid", "turn_index"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
