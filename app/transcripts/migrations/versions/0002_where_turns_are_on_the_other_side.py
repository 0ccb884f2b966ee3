"""Which assistant answered a turn, where the turn is on its side, and the ids of the calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("assistant", "thread_id", "run_id"):
        op.add_column("turns", sa.Column(name, sa.Text))
    op.add_column("turns", sa.Column("request_ids", sa.JSON))
