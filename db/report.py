"""A session as read from the ledger: for the report command, the portal and its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload, selectinload

from db.judgements import reviews_of
from db.rules import Interval
from db.schema import (
    AttendanceRow,
    Enrolment,
    IntervalRow,
    JudgementRow,
    LookRow,
    ReviewRow,
    SessionRow,
    Student,
)
from db.sessions import find_session

__all__ = [
    "LookLine",
    "ReviewLine",
    "SessionLine",
    "SessionReport",
    "StudentLine",
    "list_sessions",
    "session_report",
    "student_record",
]

CAME = ("present", "late", "left_early")


@dataclass(frozen=True, slots=True)
class StudentLine:
    """An attendance entry. `minutes` present; `confidence` 0 to 1, None where the student was never named."""

    student_no: str
    name: str
    status: str
    joined_at: datetime | None
    joined_after: datetime | None
    last_seen_at: datetime | None
    left_before: datetime | None
    minutes: float
    confidence: float | None
    source: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class LookLine:
    """One look's balance: headcount = identified + unknown. `searches` were sent to an engine, `paid` are billed.

    `reviewed`: those of the unknown whom staff settled.
    """

    taken_at: datetime
    trigger: str
    headcount: int
    identified: int
    unknown: int
    searches: int
    paid: int
    reviewed: int = 0

    @property
    def is_verified(self) -> bool:
        """Whether every head has a name, or staff have settled it."""
        return self.identified + self.reviewed == self.headcount


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A review. `rival_name`: the second student of a small margin; `guest`: the name staff gave, empty for none."""

    kind: str
    student_no: str | None
    student_name: str | None
    at: datetime
    state: str
    rival_name: str | None = None
    guest: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session in a list. `looks`, `present` (seen, whatever the status) and `open_reviews` are counts."""

    id: int
    course: str
    title: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    students: int
    looks: int
    present: int
    open_reviews: int


@dataclass(frozen=True, slots=True)
class SessionReport:
    session: SessionLine
    students: tuple[StudentLine, ...]
    looks: tuple[LookLine, ...]
    reviews: tuple[ReviewLine, ...]


def session_report(session: Session, session_id: int) -> SessionReport:
    """Everything about one session, students in the order of their names. Raises NotFoundError."""
    row = find_session(session, session_id)
    return SessionReport(
        session=_lines(session, [row])[0],
        students=_students(session, row),
        looks=tuple(
            LookLine(
                look.taken_at,
                look.trigger,
                look.headcount,
                look.identified,
                look.unknown,
                look.searches,
                look.paid,
                look.reviewed,
            )
            for look in session.scalars(
                select(LookRow).where(LookRow.session_id == row.id).order_by(LookRow.taken_at, LookRow.uid)
            )
        ),
        reviews=_reviews(session, row.id),
    )


def _reviews(session: Session, session_id: int) -> tuple[ReviewLine, ...]:
    judged = session.scalars(
        select(JudgementRow).where(JudgementRow.session_id == session_id).order_by(JudgementRow.made_at)
    )
    guests = {(row.kind, row.subject): row.name for row in judged}
    return tuple(
        ReviewLine(
            review.kind,
            review.student.student_no if review.student else None,
            review.student.name if review.student else None,
            review.at,
            review.state,
            review.rival.name if review.rival else None,
            guests.get((review.kind, review.subject), ""),
            review.id,
        )
        for review in reviews_of(session, session_id)
    )


def list_sessions(session: Session, limit: int = 200) -> list[SessionLine]:
    """The newest sessions first."""
    query = (
        select(SessionRow)
        .options(joinedload(SessionRow.course))
        .order_by(SessionRow.starts_at.desc())
        .limit(limit)
    )
    return _lines(session, session.scalars(query).all())


def student_record(session: Session, student_id: int) -> list[tuple[SessionLine, StudentLine]]:
    """One student's entries, newest session first."""
    rows = session.scalars(
        select(AttendanceRow)
        .join(SessionRow, SessionRow.id == AttendanceRow.session_id)
        .options(selectinload(AttendanceRow.intervals), joinedload(AttendanceRow.student))
        .where(AttendanceRow.student_id == student_id)
        .order_by(SessionRow.starts_at.desc())
    ).all()
    meetings = session.scalars(
        select(SessionRow)
        .options(joinedload(SessionRow.course))
        .where(SessionRow.id.in_([row.session_id for row in rows]))
    ).all()
    lines = {line.id: line for line in _lines(session, meetings)}
    return [(lines[row.session_id], _student_line(row.student, row)) for row in rows]


def _students(session: Session, row: SessionRow) -> tuple[StudentLine, ...]:
    entries = {
        entry.student_id: entry
        for entry in session.scalars(
            select(AttendanceRow)
            .options(selectinload(AttendanceRow.intervals))
            .where(AttendanceRow.session_id == row.id)
        )
    }
    # Who left the roster keeps their entry; who joined it since shows up as not verified.
    query = (
        select(Student).join(Enrolment, isouter=True).distinct().order_by(Student.name, Student.student_no)
    )
    students = session.scalars(
        query.where((Enrolment.course_id == row.course_id) | (Student.id.in_(entries.keys())))
    ).all()
    return tuple(_student_line(student, entries.get(student.id)) for student in students)


def _student_line(student: Student, entry: AttendanceRow | None) -> StudentLine:
    if entry is None:
        return StudentLine(
            student.student_no, student.name, "unverified", None, None, None, None, 0.0, None, "system", ()
        )
    return StudentLine(
        student_no=student.student_no,
        name=student.name,
        status=entry.status,
        joined_at=entry.joined_at,
        joined_after=entry.joined_after,
        last_seen_at=entry.last_seen_at,
        left_before=entry.left_before,
        minutes=entry.minutes,
        confidence=entry.confidence,
        source=entry.source,
        intervals=tuple(map(_interval, entry.intervals)),
    )


def _interval(row: IntervalRow) -> Interval:
    return Interval(row.seen_from, row.seen_to, row.not_before, row.not_after)


def _lines(session: Session, rows: Sequence[SessionRow]) -> list[SessionLine]:
    ids = [row.id for row in rows]
    looks = _counts(session, LookRow.session_id, LookRow.session_id.in_(ids))
    reviews = _counts(session, ReviewRow.session_id, ReviewRow.session_id.in_(ids), ReviewRow.state == "open")
    present = _counts(
        session, AttendanceRow.session_id, AttendanceRow.session_id.in_(ids), AttendanceRow.status.in_(CAME)
    )
    enrolled = _counts(session, Enrolment.course_id, Enrolment.course_id.in_([row.course_id for row in rows]))
    return [
        SessionLine(
            id=row.id,
            course=row.course.code,
            title=row.title,
            time_zone=row.course.time_zone,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            students=enrolled.get(row.course_id, 0),
            looks=looks.get(row.id, 0),
            present=present.get(row.id, 0),
            open_reviews=reviews.get(row.id, 0),
        )
        for row in rows
    ]


def _counts(
    session: Session, key: InstrumentedAttribute[int], *conditions: ColumnElement[bool]
) -> dict[int, int]:
    """How many rows there are for each value of a column."""
    counted = session.execute(select(key, func.count()).where(*conditions).group_by(key))
    return {value: count for value, count in counted}  # noqa: C416 - dict() does not know a row for a pair
