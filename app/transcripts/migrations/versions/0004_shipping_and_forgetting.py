"""What Elasticsearch has confirmed or refused, who ships, what is to be forgotten, and where a visitor came from.

Also the indexes of the transcript viewer (newest first, and those of a day).
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = {"conversations": "created_at", "turns": "finished_at", "feedback": "given_at"}


def upgrade() -> None:
    for name in ("client_ip", "user_agent"):
        op.add_column("turns", sa.Column(name, sa.Text))
    op.create_index("turns_by_time", "turns", ["accepted_at", "id"])
    unshipped = sa.text("shipped_at IS NULL AND refused IS NULL")
    refused = sa.text("refused IS NOT NULL")
    for table, moment in MOMENT.items():
        op.add_column(table, sa.Column("shipped_at", sa.BigInteger))
        op.add_column(table, sa.Column("refused", sa.Text))
        op.create_index(f"unshipped_{table}", table, [moment], sqlite_where=unshipped, postgresql_where=unshipped)
        op.create_index(f"refused_{table}", table, [moment], sqlite_where=refused, postgresql_where=refused)
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("done_at", sa.BigInteger),
    )
    op.create_index("tombstones_of_subject", "tombstones", ["kind", "subject"])
