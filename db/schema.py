"""The tables of the ledger, as SQLAlchemy models."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.types import Identifier, Key, Real, UTCDateTime

__all__ = [
    "AttendanceRow",
    "Base",
    "Consent",
    "Course",
    "EngineCallRow",
    "FaceRow",
    "IntervalRow",
    "JudgementRow",
    "LookRow",
    "NamingRow",
    "ReviewRow",
    "SessionRow",
    "SpendingRow",
]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table_args__: object = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}


def table_args(*constraints: object) -> tuple[object, ...]:
    return (*constraints, Base.__table_args__)


class Student(Base):
    """A person whose attendance is taken."""

    __tablename__ = "students"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_no: Mapped[str] = mapped_column(Identifier(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))


class User(Base):
    """Somebody who signs in to the portal. `email` is lower case; students are tied to their record."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    email: Mapped[str] = mapped_column(Identifier(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(Identifier(16))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    student: Mapped[Student | None] = relationship()


class SignIn(Base):
    """One stay of a user in the portal. The cookie holds a random token, this row its SHA-256."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Identifier(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    user: Mapped[User] = relationship()


class Course(Base):
    """A course with its time zone and its attendance rules (seconds, and a share of the class time)."""

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(Identifier(64), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    late_after_s: Mapped[int] = mapped_column(Integer, default=600)
    left_early_s: Mapped[int] = mapped_column(Integer, default=600)
    min_presence: Mapped[float] = mapped_column(Real, default=0.1)


class Enrolment(Base):
    """A student on a course's roster."""

    __tablename__ = "enrolments"
    __table_args__ = table_args(UniqueConstraint("course_id", "student_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)


class Consent(Base):
    """What a student agreed to, and where the institute holds the agreement."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    note: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class FaceRow(Base):
    """An indexed face: the engine knows `face_id`, this row knows whose it is."""

    __tablename__ = "faces"

    face_id: Mapped[str] = mapped_column(Identifier(64), primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    engine: Mapped[str] = mapped_column(Identifier(32))
    model: Mapped[str] = mapped_column(String(120))
    photo: Mapped[str] = mapped_column(String(255))
    photo_sha256: Mapped[str] = mapped_column(Identifier(64))
    indexed_at: Mapped[datetime] = mapped_column(UTCDateTime)

    student: Mapped[Student] = relationship()


class SessionRow(Base):
    """One class meeting: its planned span, and who was found in it."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)

    course: Mapped[Course] = relationship()


class EngineCallRow(Base):
    """One request to a provider, or one that the budget did not allow. `price_micros`: millionths of the currency.

    `session_id` is None for what no session asked for, as enrolling. A search not allowed has no attempts.
    """

    __tablename__ = "engine_calls"
    __table_args__ = table_args(Index("ix_engine_calls_session_at", "session_id", "ended_at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime] = mapped_column("ended_at", UTCDateTime, index=True)
    engine: Mapped[str] = mapped_column(Identifier(32))
    operation: Mapped[str] = mapped_column(Identifier(64))
    attempts: Mapped[int] = mapped_column(Integer)
    billed: Mapped[int] = mapped_column(Integer)
    price_micros: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Identifier(3))
    outcome: Mapped[str] = mapped_column(Identifier(64))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))


class SpendingRow(Base):
    """What a session or a month has spent of its budget, and what searches under way may still spend.

    A running total of `engine_calls`, kept because a budget must be asked and changed in one step.
    """

    __tablename__ = "spending"

    scope: Mapped[str] = mapped_column(Identifier(40), primary_key=True)
    spent_micros: Mapped[int] = mapped_column(BigInteger)
    held_micros: Mapped[int] = mapped_column(BigInteger)


class LookRow(Base):
    """One settled look at the grid. `uid` is chosen by the agent: the same look may arrive twice."""

    __tablename__ = "looks"
    __table_args__ = table_args(
        UniqueConstraint("session_id", "uid"), Index("ix_looks_session_taken", "session_id", "taken_at")
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


class AttendanceRow(Base):
    """The ledger's entry for a student at a session. `version` rises with every change (optimistic lock)."""

    __tablename__ = "attendance"
    __table_args__ = table_args(UniqueConstraint("session_id", "student_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    status: Mapped[str] = mapped_column(Identifier(16))
    joined_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    joined_after: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    left_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    minutes: Mapped[float] = mapped_column(Real)
    confidence: Mapped[float | None] = mapped_column(Real)
    source: Mapped[str] = mapped_column(Identifier(16))
    version: Mapped[int] = mapped_column(Integer)

    student: Mapped[Student] = relationship()
    intervals: Mapped[list["IntervalRow"]] = relationship(
        order_by="IntervalRow.seen_from", cascade="all, delete-orphan", passive_deletes=True
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy reads a plain dict here


class IntervalRow(Base):
    """A stay: first and last look that saw the student, and the looks around it that did not."""

    __tablename__ = "intervals"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    attendance_id: Mapped[int] = mapped_column(ForeignKey("attendance.id", ondelete="CASCADE"), index=True)
    seen_from: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_to: Mapped[datetime] = mapped_column(UTCDateTime)
    not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ReviewRow(Base):
    """A doubt for staff to settle. `subject` is the track it is about, for a headcount the look that began it.

    `rival_id`: a second student whom the face resembles; `beside`: the other track of two tiles. `state`: `open`,
    `confirmed`, `rejected` or `guest`.
    """

    __tablename__ = "reviews"
    __table_args__ = table_args(UniqueConstraint("session_id", "kind", "subject"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    kind: Mapped[str] = mapped_column(Identifier(32))
    subject: Mapped[str] = mapped_column(Identifier(64))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    rival_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    beside: Mapped[str | None] = mapped_column(Identifier(64))
    at: Mapped[datetime] = mapped_column("raised_at", UTCDateTime)
    state: Mapped[str] = mapped_column(Identifier(16), default="open")

    student: Mapped[Student | None] = relationship(foreign_keys=[student_id])
    rival: Mapped[Student | None] = relationship(foreign_keys=[rival_id])


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
