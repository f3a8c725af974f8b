"""Who there is: students, users, courses, consents and faces."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.schema.base import Base, table_args
from db.types import Identifier, Key, Real, UTCDateTime

__all__ = [
    "Consent",
    "Course",
    "CourseStaff",
    "Enrolment",
    "ExcuseRow",
    "FaceRow",
    "PhotoRow",
    "SignIn",
    "SlotRow",
    "Student",
    "User",
]


class Student(Base):
    """A person whose attendance is taken. `removed_at`: since when only a number without a person stands here."""

    __tablename__ = "students"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_no: Mapped[str] = mapped_column(Identifier(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(Identifier(254))
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class User(Base):
    """Somebody who signs in to the portal. `email` is lower case; students are tied to their record.

    `totp_secret`: of the second factor, encrypted; None: there is none. `totp_step`: the last time step whose code was
    taken, so that none is taken twice.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    email: Mapped[str] = mapped_column(Identifier(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(Identifier(16))
    student_id: Mapped[int | None] = mapped_column(ForeignKey("students.id"), index=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    name: Mapped[str | None] = mapped_column(String(200))
    totp_secret: Mapped[str | None] = mapped_column(String(255))
    totp_step: Mapped[int | None] = mapped_column(Integer)

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
    """A course with its time zone and its attendance rules (seconds, and a share of the class time).

    `title`: None: its code is all there is. `attendance_limit`: the share of sessions below which staff and student are
    warned; None: they are not.
    """

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(Identifier(64), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    late_after_s: Mapped[int] = mapped_column(Integer, default=600)
    left_early_s: Mapped[int] = mapped_column(Integer, default=600)
    min_presence: Mapped[float] = mapped_column(Real, default=0.1)
    title: Mapped[str | None] = mapped_column(String(200))
    attendance_limit: Mapped[float | None] = mapped_column(Real)


class CourseStaff(Base):
    """An instructor of a course, who sees that course and no other."""

    __tablename__ = "course_staff"
    __table_args__ = table_args(UniqueConstraint("course_id", "user_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)

    user: Mapped[User] = relationship()


class SlotRow(Base):
    """When a course meets every week, in its own time zone. `weekday`: 0 is Monday. `begins`: as `09:15`.

    `from_on`, `until_on`: first and last day, as `2026-11-20`.
    """

    __tablename__ = "timetable"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    weekday: Mapped[int] = mapped_column(Integer)
    begins: Mapped[str] = mapped_column(Identifier(5))
    minutes: Mapped[int] = mapped_column(Integer)
    from_on: Mapped[str] = mapped_column(Identifier(10))
    until_on: Mapped[str] = mapped_column(Identifier(10))
    title: Mapped[str] = mapped_column(String(200), default="")


class Enrolment(Base):
    """A student on a course's roster. `enrolled_at`: when they joined it late; None: from the beginning."""

    __tablename__ = "enrolments"
    __table_args__ = table_args(UniqueConstraint("course_id", "student_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    enrolled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ExcuseRow(Base):
    """A span of time for which a student is excused, from one course or (`course_id` None) from all."""

    __tablename__ = "excuses"
    __table_args__ = table_args(Index("ix_excuses_student_from", "student_id", "from_at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"))
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"), index=True)
    from_at: Mapped[datetime] = mapped_column(UTCDateTime)
    until_at: Mapped[datetime] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Consent(Base):
    """What a student agreed to, and where the institute holds the agreement."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    note: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class FaceRow(Base):
    """An indexed face: the engine knows `face_id`, this row knows whose it is. `quality`: 0 to 1; None: not measured."""

    __tablename__ = "faces"

    face_id: Mapped[str] = mapped_column(Identifier(64), primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    engine: Mapped[str] = mapped_column(Identifier(32))
    model: Mapped[str] = mapped_column(String(120))
    photo: Mapped[str] = mapped_column(String(255))
    photo_sha256: Mapped[str] = mapped_column(Identifier(64))
    quality: Mapped[float | None] = mapped_column(Real)
    indexed_at: Mapped[datetime] = mapped_column(UTCDateTime)

    student: Mapped[Student] = relationship()


class PhotoRow(Base):
    """An enrolment photograph, kept encrypted beside the evidence for as long as its face is indexed.

    `digest`: names it in the evidence store. `face_id`: None while no face of it is indexed.
    """

    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    face_id: Mapped[str | None] = mapped_column(ForeignKey("faces.face_id", ondelete="SET NULL"), index=True)
    digest: Mapped[str] = mapped_column(ForeignKey("evidence_blobs.digest"), index=True)
    bytes: Mapped[int] = mapped_column(Integer)
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    added_by: Mapped[str] = mapped_column(String(254))
