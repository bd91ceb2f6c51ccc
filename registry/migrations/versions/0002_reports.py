"""What the checks of a run found, and where its report is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Goes to this revision."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("checks", _JSON, nullable=True))
        runs.add_column(sa.Column("report", sa.Text(), nullable=True))


def downgrade() -> None:
    """Goes back."""
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("report")
        runs.drop_column("checks")
