"""Indexes that hold all that reports read of thousands of rows."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BILL = ["ended_at", "session_id", "engine", "operation", "outcome", "currency", "billed", "price_micros"]
WIDER = (
    ("ix_attendance_session_status", "attendance", ["session_id", "status"], ["student_id", "source"]),
    ("ix_looks_session_taken", "looks", ["session_id", "taken_at"], ["id", "headcount", "searches"]),
)
"""Index, table, columns, and those it has more from now on."""


def upgrade() -> None:
    for name, table, columns, more in WIDER:
        op.drop_index(name, table)
        op.create_index(name, table, [*columns, *more])
    op.create_index("ix_engine_calls_bill", "engine_calls", BILL)
    op.drop_index("ix_engine_calls_ended_at", "engine_calls")


def downgrade() -> None:
    op.create_index("ix_engine_calls_ended_at", "engine_calls", ["ended_at"])
    op.drop_index("ix_engine_calls_bill", "engine_calls")
    for name, table, columns, _ in WIDER:
        op.drop_index(name, table)
        op.create_index(name, table, columns)
