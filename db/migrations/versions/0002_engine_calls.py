"""engine calls."""

import sqlalchemy as sa
from alembic import op

from db.types import Identifier, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "engine_calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=False),
        sa.Column("engine", Identifier(length=32), nullable=False),
        sa.Column("operation", Identifier(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("billed", sa.Integer(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", Identifier(length=3), nullable=False),
        sa.Column("outcome", Identifier(length=64), nullable=False),
        sa.Column("session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_engine_calls_session_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_calls")),
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    with op.batch_alter_table("engine_calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_engine_calls_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index("ix_engine_calls_session_at", ["session_id", "ended_at"], unique=False)

    op.create_table(
        "spending",
        sa.Column("scope", Identifier(length=40), nullable=False),
        sa.Column("spent_micros", sa.BigInteger(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_spending")),
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:

    op.drop_table("spending")
    op.drop_table("engine_calls")
