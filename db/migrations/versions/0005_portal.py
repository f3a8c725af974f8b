"""What the portal keeps: instructors of courses, timetables, photographs, disputes, tokens, webhooks."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from db.types import Identifier, UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
TABLE: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("key_hash", Identifier(length=64), nullable=False),
        sa.Column("request_sha256", Identifier(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", LONG, nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_replies")),
        **TABLE,
    )
    op.create_index(op.f("ix_replies_made_at"), "replies", ["made_at"])
    op.create_table(
        "throttles",
        sa.Column("bucket", Identifier(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("counted_since", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_throttles")),
        **TABLE,
    )
    op.create_index(op.f("ix_throttles_counted_since"), "throttles", ["counted_since"])
    op.create_table(
        "erasures",
        sa.Column("id", KEY, nullable=False),
        sa.Column("student_id", KEY, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("outcome", Identifier(length=16), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.String(length=254), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_erasures_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        **TABLE,
    )
    op.create_index(op.f("ix_erasures_student_id"), "erasures", ["student_id"])
    op.create_table(
        "photos",
        sa.Column("id", KEY, nullable=False),
        sa.Column("student_id", KEY, nullable=False),
        sa.Column("face_id", Identifier(length=64), nullable=True),
        sa.Column("digest", Identifier(length=64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.Column("added_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["evidence_blobs.digest"], name=op.f("fk_photos_digest")),
        sa.ForeignKeyConstraint(
            ["face_id"], ["faces.face_id"], name=op.f("fk_photos_face_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_photos_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        **TABLE,
    )
    op.create_index(op.f("ix_photos_digest"), "photos", ["digest"])
    op.create_index(op.f("ix_photos_face_id"), "photos", ["face_id"])
    op.create_index(op.f("ix_photos_student_id"), "photos", ["student_id"])
    op.create_table(
        "timetable",
        sa.Column("id", KEY, nullable=False),
        sa.Column("course_id", KEY, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("begins", Identifier(length=5), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("from_on", Identifier(length=10), nullable=False),
        sa.Column("until_on", Identifier(length=10), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_timetable_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timetable")),
        **TABLE,
    )
    op.create_index(op.f("ix_timetable_course_id"), "timetable", ["course_id"])
    op.create_table(
        "planned",
        sa.Column("slot_id", KEY, autoincrement=False, nullable=False),
        sa.Column("week", Identifier(length=10), nullable=False),
        sa.Column("session_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_planned_session_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["slot_id"], ["timetable.id"], name=op.f("fk_planned_slot_id")),
        sa.PrimaryKeyConstraint("slot_id", "week", name=op.f("pk_planned")),
        **TABLE,
    )
    op.create_index(op.f("ix_planned_session_id"), "planned", ["session_id"])
    op.create_table(
        "course_staff",
        sa.Column("id", KEY, nullable=False),
        sa.Column("course_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_course_staff_course_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_course_staff_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_staff")),
        sa.UniqueConstraint("course_id", "user_id", name=op.f("uq_course_staff_course_id")),
        **TABLE,
    )
    op.create_index(op.f("ix_course_staff_user_id"), "course_staff", ["user_id"])
    op.create_table(
        "disputes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("student_id", KEY, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_disputes_session_id")),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_disputes_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        **TABLE,
    )
    op.create_index("ix_disputes_session_student", "disputes", ["session_id", "student_id"])
    op.create_index(op.f("ix_disputes_student_id"), "disputes", ["student_id"])
    op.create_table(
        "password_links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token_hash", Identifier(length=64), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_links_token_hash")),
        **TABLE,
    )
    op.create_index(op.f("ix_password_links_user_id"), "password_links", ["user_id"])
    op.create_table(
        "tokens",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("token_hash", Identifier(length=64), nullable=False),
        sa.Column("scopes", Identifier(length=255), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("course_id", KEY, nullable=True),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_tokens_course_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
        **TABLE,
    )
    op.create_index(op.f("ix_tokens_course_id"), "tokens", ["course_id"])
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"])
    op.create_table(
        "webhooks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=255), nullable=False),
        sa.Column("events", Identifier(length=255), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("course_id", KEY, nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("told_seq", KEY, server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_webhooks_course_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_webhooks_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        **TABLE,
    )
    op.create_index(op.f("ix_webhooks_course_id"), "webhooks", ["course_id"])
    op.create_index(op.f("ix_webhooks_user_id"), "webhooks", ["user_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("webhook_id", KEY, nullable=False),
        sa.Column("uid", Identifier(length=36), nullable=False),
        sa.Column("event", Identifier(length=40), nullable=False),
        sa.Column("body", LONG, nullable=False),
        sa.Column("state", Identifier(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("uid", name=op.f("uq_deliveries_uid")),
        **TABLE,
    )
    op.create_index("ix_deliveries_state_next", "deliveries", ["state", "next_at"])
    op.create_index(op.f("ix_deliveries_webhook_id"), "deliveries", ["webhook_id"])
    with op.batch_alter_table("courses") as batch_op:
        batch_op.add_column(sa.Column("title", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("attendance_limit", sa.Double(), nullable=True))
    with op.batch_alter_table("students") as batch_op:
        batch_op.add_column(sa.Column("removed_at", UTCDateTime(), nullable=True))
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("totp_secret", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        for column in ("totp_step", "totp_secret", "name"):
            batch_op.drop_column(column)
    with op.batch_alter_table("students") as batch_op:
        batch_op.drop_column("removed_at")
    with op.batch_alter_table("courses") as batch_op:
        for column in ("attendance_limit", "title"):
            batch_op.drop_column(column)
    for table in (
        "deliveries",
        "webhooks",
        "tokens",
        "password_links",
        "disputes",
        "course_staff",
        "planned",
        "timetable",
        "photos",
        "erasures",
        "throttles",
        "replies",
    ):
        op.drop_table(table)
