"""edits, excuses, the audit chain, evidence, and sessions whose ledger is due."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from db.types import Identifier, UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
TABLE: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
}

MADE_BEFORE = (
    *("courses", "students", "consents", "enrolments", "faces", "sessions", "users", "attendance", "looks"),
    *("reviews", "sign_ins", "intervals", "namings", "sightings", "engine_calls", "spending", "judgements"),
)
TEXTS: dict[str, dict[str, int | None]] = {
    "courses": {"time_zone": 64},
    "students": {"name": 200},
    "consents": {"note": None},
    "faces": {"model": 120, "photo": 255},
    "sessions": {"title": 200},
    "users": {"password_hash": 255},
    "namings": {"model": 120},
    "judgements": {"name": 200, "made_by": 254, "reason": None},
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        _compare_bytes()
    _make_tables()
    with op.batch_alter_table("enrolments") as batch_op:
        batch_op.add_column(sa.Column("enrolled_at", UTCDateTime(), nullable=True))
    with op.batch_alter_table("faces") as batch_op:
        batch_op.add_column(sa.Column("quality", sa.Double(), nullable=True))
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.add_column(sa.Column("late_after_s", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("left_early_s", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("min_presence", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("match_threshold_pct", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("match_margin_pct", sa.Double(), nullable=True))
        # First the new index: the foreign key needs one at any time.
        batch_op.create_index("ix_sessions_course_starts", ["course_id", "starts_at"], unique=False)
        batch_op.drop_index("ix_sessions_course_id")
    with op.batch_alter_table("looks") as batch_op:
        batch_op.add_column(sa.Column("causes", sa.Text(), nullable=True))
    with op.batch_alter_table("attendance") as batch_op:
        batch_op.add_column(
            sa.Column("machine_status", Identifier(length=16), server_default="unverified", nullable=False)
        )
        batch_op.add_column(sa.Column("remark", sa.String(length=500), server_default="", nullable=False))
        batch_op.create_index("ix_attendance_session_status", ["session_id", "status"], unique=False)
    with op.batch_alter_table("intervals") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_intervals_attendance_id"), ["attendance_id", "seen_from"])
        batch_op.drop_index("ix_intervals_attendance_id")
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.add_column(sa.Column("settled_student_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("settled_by", sa.String(length=254), nullable=True))
        batch_op.add_column(sa.Column("settled_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.Text(), nullable=True))
        batch_op.create_index("ix_reviews_state_at", ["state", "raised_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reviews_settled_student_id"), ["settled_student_id"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_reviews_settled_student_id"), "students", ["settled_student_id"], ["id"]
        )
    op.execute("UPDATE reviews SET state = 'not_this_person' WHERE state = 'rejected'")
    # Whoever an engine knows by now counted as known in every session until here.
    op.execute(
        "INSERT INTO recognisable (session_id, student_id) SELECT DISTINCT s.id, f.student_id FROM sessions s "
        "JOIN enrolments e ON e.course_id = s.course_id JOIN faces f ON f.student_id = e.student_id "
        "WHERE s.id IN (SELECT session_id FROM looks)"
    )
    # What an entry is without staff, and what explains each look, is folded: every session is due.
    op.execute("UPDATE attendance SET machine_status = status, version = 1")
    op.execute(
        "INSERT INTO due_folds (session_id, due_since) SELECT id, starts_at FROM sessions "
        "WHERE id IN (SELECT session_id FROM looks)"
    )


def _compare_bytes() -> None:
    """Give text that had the server's collation, whichever that was, one that compares like SQLite."""
    utf8: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
    for table in MADE_BEFORE:
        op.execute(f"ALTER TABLE {table} DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    for table, columns in TEXTS.items():
        for column, length in columns.items():
            kind = mysql.TEXT(**utf8) if length is None else mysql.VARCHAR(length, **utf8)
            op.alter_column(table, column, type_=kind, existing_nullable=False)
    # Accounts are tied to students by it.
    op.alter_column("students", "email", type_=Identifier(length=254), existing_nullable=False)


def _make_tables() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", KEY, autoincrement=False, nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("action", Identifier(length=40), nullable=False),
        sa.Column("subject", Identifier(length=120), nullable=False),
        sa.Column("detail", LONG, nullable=False),
        sa.Column("detail_sha256", Identifier(length=64), nullable=False),
        sa.Column("prev_hash", Identifier(length=64), nullable=False),
        sa.Column("row_hash", Identifier(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("row_hash", name=op.f("uq_audit_row_hash")),
        **TABLE,
    )
    op.create_index(op.f("ix_audit_made_at"), "audit", ["made_at"])
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"])
    op.create_table(
        "audit_head",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("seq", KEY, nullable=False),
        sa.Column("row_hash", Identifier(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        **TABLE,
    )
    op.execute(f"INSERT INTO audit_head (id, seq, row_hash) VALUES (1, 0, '{'0' * 64}')")
    op.create_table(
        "due_folds",
        sa.Column("session_id", KEY, autoincrement=False, nullable=False),
        sa.Column("due_since", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_due_folds_session_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_due_folds")),
        **TABLE,
    )
    op.create_table(
        "recognisable",
        sa.Column("session_id", KEY, autoincrement=False, nullable=False),
        sa.Column("student_id", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_recognisable_session_id")),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_recognisable_student_id")),
        sa.PrimaryKeyConstraint("session_id", "student_id", name=op.f("pk_recognisable")),
        **TABLE,
    )
    op.create_index(op.f("ix_recognisable_student_id"), "recognisable", ["student_id"])
    op.create_table(
        "edits",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", Identifier(length=36), nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("student_id", KEY, nullable=False),
        sa.Column("status", Identifier(length=16), nullable=True),
        sa.Column("joined_at", UTCDateTime(), nullable=True),
        sa.Column("last_seen_at", UTCDateTime(), nullable=True),
        sa.Column("minutes", sa.Double(), nullable=True),
        sa.Column("remark", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_edits_session_id")),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_edits_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edits")),
        sa.UniqueConstraint("uid", name=op.f("uq_edits_uid")),
        **TABLE,
    )
    op.create_index("ix_edits_session_student", "edits", ["session_id", "student_id"])
    op.create_index(op.f("ix_edits_student_id"), "edits", ["student_id"])
    op.create_table(
        "excuses",
        sa.Column("id", KEY, nullable=False),
        sa.Column("student_id", KEY, nullable=False),
        sa.Column("course_id", KEY, nullable=True),
        sa.Column("from_at", UTCDateTime(), nullable=False),
        sa.Column("until_at", UTCDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_excuses_student_id")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_excuses_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_excuses")),
        **TABLE,
    )
    op.create_index("ix_excuses_student_from", "excuses", ["student_id", "from_at"])
    op.create_index(op.f("ix_excuses_course_id"), "excuses", ["course_id"])
    op.create_table(
        "evidence_blobs",
        sa.Column("digest", Identifier(length=64), nullable=False),
        sa.Column("key_id", Identifier(length=16), nullable=False),
        sa.Column("claimed_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_evidence_blobs")),
        **TABLE,
    )
    for column in ("key_id", "claimed_at"):
        op.create_index(op.f(f"ix_evidence_blobs_{column}"), "evidence_blobs", [column])
    op.create_table(
        "evidence",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("look_id", KEY, nullable=False),
        sa.Column("track", Identifier(length=48), nullable=False),
        sa.Column("digest", Identifier(length=64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("keep_until", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_evidence_session_id")),
        sa.ForeignKeyConstraint(["look_id"], ["looks.id"], name=op.f("fk_evidence_look_id")),
        sa.ForeignKeyConstraint(["digest"], ["evidence_blobs.digest"], name=op.f("fk_evidence_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("look_id", "track", name=op.f("uq_evidence_look_id")),
        **TABLE,
    )
    for column in ("session_id", "digest", "keep_until"):
        op.create_index(op.f(f"ix_evidence_{column}"), "evidence", [column])


def downgrade() -> None:
    op.execute("UPDATE reviews SET state = 'rejected' WHERE state = 'not_this_person'")
    op.execute("UPDATE reviews SET state = 'confirmed' WHERE state IN ('reassigned', 'dismissed')")
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_reviews_settled_student_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_reviews_settled_student_id"))
        batch_op.drop_index("ix_reviews_state_at")
        for column in ("settled_student_id", "settled_by", "settled_at", "reason"):
            batch_op.drop_column(column)
    with op.batch_alter_table("intervals") as batch_op:
        batch_op.create_index("ix_intervals_attendance_id", ["attendance_id"])
        batch_op.drop_constraint(op.f("uq_intervals_attendance_id"), type_="unique")
    with op.batch_alter_table("attendance") as batch_op:
        batch_op.drop_index("ix_attendance_session_status")
        batch_op.drop_column("remark")
        batch_op.drop_column("machine_status")
    with op.batch_alter_table("looks") as batch_op:
        batch_op.drop_column("causes")
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.create_index("ix_sessions_course_id", ["course_id"])
        batch_op.drop_index("ix_sessions_course_starts")
        for column in (
            "late_after_s",
            "left_early_s",
            "min_presence",
            "match_threshold_pct",
            "match_margin_pct",
        ):
            batch_op.drop_column(column)
    with op.batch_alter_table("faces") as batch_op:
        batch_op.drop_column("quality")
    with op.batch_alter_table("enrolments") as batch_op:
        batch_op.drop_column("enrolled_at")
    for table in (
        "evidence",
        "evidence_blobs",
        "excuses",
        "edits",
        "due_folds",
        "recognisable",
        "audit_head",
        "audit",
    ):
        op.drop_table(table)
