"""The ledger, and what staff say about it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.schema.base import Base, table_args
from db.schema.people import Student
from db.types import Identifier, Key, Real, UTCDateTime

__all__ = ["AttendanceRow", "DisputeRow", "EditRow", "IntervalRow", "JudgementRow", "ReviewRow"]


class AttendanceRow(Base):
    """The ledger's entry for a student at a session, folded from the records.

    `machine_status`: what the status would be without staff. `source`: `staff` where an edit holds, else `system`.
    `version`: 1 and one more for each edit, the optimistic lock of editors.
    """

    __tablename__ = "attendance"
    __table_args__ = table_args(
        UniqueConstraint("session_id", "student_id"),
        # How many came to each of many sessions, and who, is read from it alone.
        Index("ix_attendance_session_status", "session_id", "status", "student_id", "source"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    status: Mapped[str] = mapped_column(Identifier(16))
    machine_status: Mapped[str] = mapped_column(
        Identifier(16), default="unverified", server_default="unverified"
    )
    joined_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    joined_after: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    left_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    minutes: Mapped[float] = mapped_column(Real)
    confidence: Mapped[float | None] = mapped_column(Real)
    source: Mapped[str] = mapped_column(Identifier(16))
    remark: Mapped[str] = mapped_column(String(500), default="", server_default=text("''"))
    version: Mapped[int] = mapped_column(Integer)

    student: Mapped[Student] = relationship()
    intervals: Mapped[list["IntervalRow"]] = relationship(
        order_by="IntervalRow.seen_from", cascade="all, delete-orphan", passive_deletes=True
    )


class EditRow(Base):
    """What staff wrote over an entry, and who, when and why; rows are added, never changed. The last one holds.

    A field that is None is left to the machine; one with none at all hands the entry back to it. `uid`: chosen by who
    hands it in, so that the same edit sent twice counts once.
    """

    __tablename__ = "edits"
    __table_args__ = table_args(Index("ix_edits_session_student", "session_id", "student_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Identifier(36), unique=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    status: Mapped[str | None] = mapped_column(Identifier(16))
    joined_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    minutes: Mapped[float | None] = mapped_column(Real)
    remark: Mapped[str] = mapped_column(String(500), default="")
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)


class IntervalRow(Base):
    """A stay: first and last look that saw the student, and the looks around it that did not."""

    __tablename__ = "intervals"
    __table_args__ = table_args(UniqueConstraint("attendance_id", "seen_from"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    attendance_id: Mapped[int] = mapped_column(ForeignKey("attendance.id", ondelete="CASCADE"))
    seen_from: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_to: Mapped[datetime] = mapped_column(UTCDateTime)
    not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ReviewRow(Base):
    """A doubt for staff to settle. `subject` is the track it is about, for a headcount the look that began it, for a
    dispute `dispute:` and its id.

    `rival_id`: a second student whom the face resembles; `beside`: the other track of two tiles. `state`: `open`, or as
    staff settled it `confirmed` (it is the suspected student; a headcount is explained), `reassigned` (it is
    `settled_student_id` instead), `not_this_person`, `guest`, `dismissed`, or for a dispute `accepted` or `not_accepted`; by whom,
    when and why.
    """

    __tablename__ = "reviews"
    __table_args__ = table_args(
        UniqueConstraint("session_id", "kind", "subject"), Index("ix_reviews_state_at", "state", "raised_at")
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    kind: Mapped[str] = mapped_column(Identifier(32))
    subject: Mapped[str] = mapped_column(Identifier(64))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    rival_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    beside: Mapped[str | None] = mapped_column(Identifier(64))
    at: Mapped[datetime] = mapped_column("raised_at", UTCDateTime)
    state: Mapped[str] = mapped_column(Identifier(16), default="open")
    settled_student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    settled_by: Mapped[str | None] = mapped_column(String(254))
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reason: Mapped[str | None] = mapped_column(Text)

    student: Mapped[Student | None] = relationship(foreign_keys=[student_id])
    rival: Mapped[Student | None] = relationship(foreign_keys=[rival_id])
    settled_student: Mapped[Student | None] = relationship(foreign_keys=[settled_student_id])


class JudgementRow(Base):
    """What staff said about a track, and who, when and why; rows are added, never changed. See `db.tracks.Ruling`.

    `template`: the engine's of the face judged, by which it is known again in other tracks and sessions until
    `expires_at`; None where nothing is to be known again or it was erased. `name`: of a guest.
    """

    __tablename__ = "judgements"
    __table_args__ = table_args(Index("ix_judgements_session_subject", "session_id", "subject"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    subject: Mapped[str] = mapped_column(Identifier(64))
    kind: Mapped[str] = mapped_column(Identifier(32))
    verdict: Mapped[str] = mapped_column(Identifier(16))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    since: Mapped[datetime | None] = mapped_column("holds_since", UTCDateTime)
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
    template: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)


class DisputeRow(Base):
    """A student's word against their entry. It opens a review, whose settling answers it; rows are never changed."""

    __tablename__ = "disputes"
    __table_args__ = table_args(Index("ix_disputes_session_student", "session_id", "student_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    text: Mapped[str] = mapped_column("said", Text)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
