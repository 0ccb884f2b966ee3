"""What a model thought before it answered, and what was found out about the model that answers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("turns", sa.Column("reasoning", sa.JSON))
    op.create_table(
        "model_facts",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("facts", sa.JSON, nullable=False),
    )
