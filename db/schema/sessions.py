"""Class meetings and what was seen in them: facts that are added and never changed."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.schema.base import Base, table_args
from db.schema.people import Course
from db.types import Identifier, Key, Real, UTCDateTime

__all__ = ["DueRow", "LookRow", "NamingRow", "PlannedRow", "RecognisableRow", "SessionRow", "SightingRow"]


class SessionRow(Base):
    """One class meeting and its planned span.

    The rules and thresholds that were adopted for this session alone by a replay; None: the course's, the settings'.
    """

    __tablename__ = "sessions"
    __table_args__ = table_args(Index("ix_sessions_course_starts", "course_id", "starts_at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    title: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    late_after_s: Mapped[int | None] = mapped_column(Integer)
    left_early_s: Mapped[int | None] = mapped_column(Integer)
    min_presence: Mapped[float | None] = mapped_column(Real)
    match_threshold_pct: Mapped[float | None] = mapped_column(Real)
    match_margin_pct: Mapped[float | None] = mapped_column(Real)

    course: Mapped[Course] = relationship()


class DueRow(Base):
    """A session whose records changed since its ledger was folded: what was stored is durable, the ledger follows."""

    __tablename__ = "due_folds"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), primary_key=True, autoincrement=False)
    since: Mapped[datetime] = mapped_column("due_since", UTCDateTime)


class PlannedRow(Base):
    """That a week's session of a slot of the timetable was planned: it is planned once, whatever becomes of it.

    `week`: its Monday in the course's time zone, as `2026-11-16`. `session_id`: None: somebody removed it.
    """

    __tablename__ = "planned"

    slot_id: Mapped[int] = mapped_column(ForeignKey("timetable.id"), primary_key=True, autoincrement=False)
    week: Mapped[str] = mapped_column(Identifier(10), primary_key=True)
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"), index=True)


class RecognisableRow(Base):
    """A student whose face an engine knew when a look of the session was stored: who is not seen there may be absent.

    Kept, for later enrolments and erasures must not change what a session of long ago says.
    """

    __tablename__ = "recognisable"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), primary_key=True, autoincrement=False)
    student_id: Mapped[int] = mapped_column(
        ForeignKey("students.id"), primary_key=True, autoincrement=False, index=True
    )


class LookRow(Base):
    """One settled look at the grid. `uid` is chosen by the agent: the same look may arrive twice.

    `identified`, `unknown`, `reviewed` and `causes` are folded, see `db.rules.Balance`; all else never changes. `causes`:
    a JSON object of what explains the unknown heads, and how many each.
    """

    __tablename__ = "looks"
    __table_args__ = table_args(
        UniqueConstraint("session_id", "uid"),
        # What a month's looks would have cost is read from it alone.
        Index("ix_looks_session_taken", "session_id", "taken_at", "id", "headcount", "searches"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    uid: Mapped[str] = mapped_column(Identifier(36))
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    taken_at: Mapped[datetime] = mapped_column(UTCDateTime)
    trigger: Mapped[str] = mapped_column("look_trigger", Identifier(16))
    headcount: Mapped[int] = mapped_column(Integer)
    identified: Mapped[int] = mapped_column(Integer)
    unknown: Mapped[int] = mapped_column("unknown_heads", Integer)
    searches: Mapped[int] = mapped_column(Integer)
    paid: Mapped[int] = mapped_column(Integer)
    reviewed: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    causes: Mapped[str | None] = mapped_column(Text)


class SightingRow(Base):
    """A head seen at a look. `track` names the occupant of a tile, whoever it is; boxes are pixels, xyxy.

    `cue`: what the agent noticed of the tile's picture (`still_picture`, `loop`), None for nothing.
    """

    __tablename__ = "sightings"
    __table_args__ = table_args(UniqueConstraint("look_id", "track"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    look_id: Mapped[int] = mapped_column(ForeignKey("looks.id"))
    track: Mapped[str] = mapped_column(Identifier(48))
    x1: Mapped[int] = mapped_column(Integer)
    y1: Mapped[int] = mapped_column(Integer)
    x2: Mapped[int] = mapped_column(Integer)
    y2: Mapped[int] = mapped_column(Integer)
    cue: Mapped[str | None] = mapped_column(Identifier(16))


class NamingRow(Base):
    """What was concluded when a tracked face was asked about, with all that led to it."""

    __tablename__ = "namings"
    __table_args__ = table_args(UniqueConstraint("look_id", "track"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    look_id: Mapped[int] = mapped_column(ForeignKey("looks.id"))
    track: Mapped[str] = mapped_column(Identifier(48))
    verdict: Mapped[str] = mapped_column(Identifier(16))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    face_id: Mapped[str | None] = mapped_column(Identifier(64))
    similarity_pct: Mapped[float | None] = mapped_column(Real)
    runner_up_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    runner_up_pct: Mapped[float | None] = mapped_column(Real)
    threshold_pct: Mapped[float] = mapped_column(Real)
    margin_pct: Mapped[float | None] = mapped_column(Real)
    looks: Mapped[int] = mapped_column("looks_averaged", Integer)
    engine: Mapped[str] = mapped_column(Identifier(32))
    model: Mapped[str] = mapped_column(String(120))
