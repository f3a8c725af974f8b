"""judgements, and what reviews need to tell their kinds apart."""

import sqlalchemy as sa
from alembic import op

from db.types import Identifier, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "judgements",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("subject", Identifier(length=64), nullable=False),
        sa.Column("kind", Identifier(length=32), nullable=False),
        sa.Column("verdict", Identifier(length=16), nullable=False),
        sa.Column("student_id", KEY, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("holds_since", UTCDateTime(), nullable=True),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("template", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_judgements_session_id")),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_judgements_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgements")),
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    with op.batch_alter_table("judgements") as batch_op:
        batch_op.create_index("ix_judgements_session_subject", ["session_id", "subject"], unique=False)
        batch_op.create_index(batch_op.f("ix_judgements_student_id"), ["student_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_judgements_expires_at"), ["expires_at"], unique=False)

    with op.batch_alter_table("looks") as batch_op:
        batch_op.add_column(sa.Column("reviewed", sa.Integer(), server_default="0", nullable=False))
    with op.batch_alter_table("sightings") as batch_op:
        batch_op.add_column(sa.Column("cue", Identifier(length=16), nullable=True))
    with op.batch_alter_table("namings") as batch_op:
        batch_op.add_column(sa.Column("margin_pct", sa.Double(), nullable=True))
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.add_column(sa.Column("rival_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("beside", Identifier(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_reviews_rival_id"), ["rival_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_reviews_rival_id"), "students", ["rival_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_reviews_rival_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_reviews_rival_id"))
        batch_op.drop_column("beside")
        batch_op.drop_column("rival_id")
    with op.batch_alter_table("namings") as batch_op:
        batch_op.drop_column("margin_pct")
    with op.batch_alter_table("sightings") as batch_op:
        batch_op.drop_column("cue")
    with op.batch_alter_table("looks") as batch_op:
        batch_op.drop_column("reviewed")
    op.drop_table("judgements")
