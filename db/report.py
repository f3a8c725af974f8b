"""A session as read from the ledger: for the report command, the portal and its files."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from db.disputes import texts_of
from db.doubts import DISPUTE
from db.judgements import reviews_of
from db.lines import line_of_all
from db.names import name_order
from db.reviews import review_mark
from db.rules import Interval
from db.schema import (
    AttendanceRow,
    EditRow,
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
    "line_of",
    "looks_in",
    "own_entries",
    "review_lines",
    "session_line",
    "session_lines",
    "session_report",
]

CAME = ("present", "late", "left_early")
ENTRY = (
    *(
        "status",
        "joined_at",
        "joined_after",
        "last_seen_at",
        "left_before",
        "minutes",
        "confidence",
        "source",
    ),
    *("machine_status", "remark", "version"),
)
"""Columns of an entry, in the order in which `_line_of` takes them."""


@dataclass(frozen=True, slots=True)
class StudentLine:
    """An attendance entry. See `db.presence.Entry` for the fields. `enrolled`: the student is still on the roster.

    `said`: the status that staff said, in reports of sessions and sheets of entries; empty where they left it to the machine.
    """

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
    machine_status: str = "unverified"
    remark: str = ""
    version: int = 1
    enrolled: bool = True
    said: str = ""


@dataclass(frozen=True, slots=True)
class LookLine:
    """One look's balance: headcount = identified + unknown. `searches` were sent to an engine, `paid` are billed.

    `reviewed`: those of the unknown whom staff settled; `causes` explain the unknown, see `db.rules.Balance`.
    """

    taken_at: datetime
    trigger: str
    headcount: int
    identified: int
    unknown: int
    searches: int
    paid: int
    reviewed: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    id: int = field(default=0, compare=False)

    @property
    def is_verified(self) -> bool:
        """Whether every head has a name, or staff have settled it."""
        return self.unknown >= 0 and self.identified + self.reviewed == self.headcount


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A review. `rival_name`: the second student of a small margin; `guest`: the name staff gave, empty for none.

    `settled_name`: who it is, as staff said; `settled_by` and `settled_at`: None while it is open. `mark`: see
    `db.reviews.review_mark`; `text`: what a student says in a dispute.
    """

    kind: str
    student_no: str | None
    student_name: str | None
    at: datetime
    state: str
    rival_name: str | None = None
    guest: str = ""
    id: int = 0
    settled_name: str | None = None
    settled_by: str | None = None
    settled_at: datetime | None = None
    reason: str = ""
    rival_no: str | None = None
    mark: str = ""
    text: str = ""

    @property
    def is_settled(self) -> bool:
        return self.state != "open"


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
    students, looks, reviews = (
        _students(session, row),
        looks_in(session, row.id),
        review_lines(session, reviews_of(session, row.id)),
    )
    line = _line(
        row,
        students=sum(student.enrolled for student in students),
        looks=len(looks),
        present=sum(student.status in CAME for student in students),
        open_reviews=sum(review.state == "open" for review in reviews),
    )
    return SessionReport(line, students, looks, reviews)


def looks_in(session: Session, session_id: int) -> tuple[LookLine, ...]:
    """The looks at a session in order of time; none for a session that is none."""
    row = LookRow
    columns = (row.taken_at, row.trigger, row.headcount, row.identified, row.unknown, row.searches, row.paid)
    query = select(*columns, row.reviewed, row.causes, row.id).where(row.session_id == session_id)
    found = session.execute(query.order_by(row.taken_at, row.uid)).mappings()
    return tuple(LookLine(**{**look, "causes": json.loads(look["causes"] or "{}")}) for look in found)


def review_lines(session: Session, rows: Sequence[ReviewRow]) -> tuple[ReviewLine, ...]:
    """Reviews as people read them, in the order given; their students are loaded with them."""
    guests = _guests(session, [row for row in rows if row.state == "guest"])
    disputed = {row.session_id for row in rows if row.kind == DISPUTE}
    texts = texts_of(session, disputed) if disputed else {}
    return tuple(
        ReviewLine(
            review.kind,
            review.student.student_no if review.student else None,
            review.student.name if review.student else None,
            review.at,
            review.state,
            review.rival.name if review.rival else None,
            guests.get((review.session_id, review.kind, review.subject), ""),
            review.id,
            review.settled_student.name if review.settled_student else None,
            review.settled_by,
            review.settled_at,
            review.reason or "",
            review.rival.student_no if review.rival else None,
            review_mark(review),
            texts.get(review.subject, ""),
        )
        for review in rows
    )


def _guests(session: Session, rows: Sequence[ReviewRow]) -> dict[tuple[int, str, str], str]:
    """The names that staff gave, by session, kind and subject."""
    if not rows:
        return {}
    judged = session.execute(
        select(JudgementRow.session_id, JudgementRow.kind, JudgementRow.subject, JudgementRow.name)
        .where(
            JudgementRow.session_id.in_({row.session_id for row in rows}),
            JudgementRow.subject.in_({row.subject for row in rows}),
        )
        .order_by(JudgementRow.id)
    )
    return {(number, kind, subject): name for number, kind, subject, name in judged}


def session_line(session: Session, session_id: int) -> SessionLine:
    """One session as it stands in the list. Raises NotFoundError."""
    return line_of(session, find_session(session, session_id))


def line_of(session: Session, row: SessionRow) -> SessionLine:
    """A session, with its course loaded, as it stands in the list; in one statement."""
    present, still_open = AttendanceRow.status.in_(CAME), ReviewRow.state == "open"
    counts = session.execute(
        select(
            select(func.count()).where(Enrolment.course_id == row.course_id).scalar_subquery(),
            select(func.count()).where(LookRow.session_id == row.id).scalar_subquery(),
            select(func.count()).where(AttendanceRow.session_id == row.id, present).scalar_subquery(),
            select(func.count()).where(ReviewRow.session_id == row.id, still_open).scalar_subquery(),
        )
    ).one()
    return _line(row, *counts)


def session_lines(session: Session, ids: Collection[int]) -> list[SessionLine]:
    """These sessions, the newest first."""
    query = select(SessionRow).options(joinedload(SessionRow.course)).where(SessionRow.id.in_(ids))
    newest = (SessionRow.starts_at.desc(), SessionRow.id.desc())
    return _lines(session, session.scalars(query.order_by(*newest)).all())


def own_entries(
    session: Session, student_id: int, session_ids: Collection[int], student_no: str, name: str
) -> dict[int, StudentLine]:
    """A student's entries of these sessions, by session."""
    condition = and_(AttendanceRow.student_id == student_id, AttendanceRow.session_id.in_(session_ids))
    return {
        session_id: _line_of(student_no, name, entry, intervals)
        for (session_id, _), (entry, intervals) in _entries(session, condition).items()
    }


def _students(session: Session, row: SessionRow) -> tuple[StudentLine, ...]:
    entries = _entries(session, AttendanceRow.session_id == row.id)
    # Who left the roster keeps their entry; who joined it since shows up as not verified.
    either = union(
        select(Enrolment.student_id).where(Enrolment.course_id == row.course_id),
        select(AttendanceRow.student_id).where(AttendanceRow.session_id == row.id),
    ).subquery()
    place = and_(Enrolment.student_id == Student.id, Enrolment.course_id == row.course_id)
    said = (
        select(EditRow.status)
        .where(EditRow.session_id == row.id, EditRow.student_id == Student.id)
        .order_by(EditRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = (Student.id, Student.student_no, Student.name, Enrolment.id.label("place"))
    students = session.execute(
        select(*columns, said.label("said"))
        .join(either, either.c.student_id == Student.id)
        .outerjoin(Enrolment, place)
    ).all()
    in_order = sorted(students, key=lambda student: (name_order(student.name), student.student_no))
    return tuple(
        _student_line(
            student, entries.get((row.id, student.id)), student.place is not None, student.said or ""
        )
        for student in in_order
    )


def _entries(
    session: Session, condition: ColumnElement[bool]
) -> dict[tuple[int, int], tuple[Any, tuple[Interval, ...]]]:
    """Entries with their stays, by session and student. Plain rows: objects would take several times as long."""
    row, stay = AttendanceRow, IntervalRow
    bounds = [func.coalesce(cast(column, String), "") for column in (stay.not_before, stay.not_after)]
    # A line for each entry: a row for each stay, with its entry beside it, takes the driver five times as long.
    line = line_of_all(stay.seen_from, ",", stay.seen_to, ",", bounds[0], ",", bounds[1], separator=";")
    stays = select(line).where(stay.attendance_id == row.id).scalar_subquery().label("stays")
    query = select(*(getattr(row, name) for name in ("session_id", "student_id", *ENTRY)), stays)
    return {
        (found.session_id, found.student_id): (found, _intervals(found.stays))
        for found in session.execute(query.where(condition))
    }


def _intervals(stays: str | None) -> tuple[Interval, ...]:
    """In the order of time, which is that of its text."""
    if stays is None:
        return ()
    return tuple(Interval(*map(_moment, stay.split(","))) for stay in sorted(stays.split(";")))  # type: ignore[arg-type]


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(f"{text}+00:00") if text else None


def _student_line(
    student: Any, found: tuple[Any, tuple[Interval, ...]] | None, enrolled: bool = True, said: str = ""
) -> StudentLine:
    number, name = student.student_no, student.name
    if found is not None:
        return _line_of(number, name, *found, enrolled, said)
    unseen = (number, name, "unverified", None, None, None, None, 0.0, None, "system", ())
    return StudentLine(*unseen, enrolled=enrolled, said=said)


def _line_of(
    number: str,
    name: str,
    entry: Any,
    intervals: tuple[Interval, ...],
    enrolled: bool = True,
    said: str = "",
) -> StudentLine:
    # By position: of a class of hundreds, names take as long as all the rest.
    status, joined_at, joined_after, last_seen_at, left_before, minutes, confidence, source, *rest = entry[2:]
    machine_status, remark, version = rest[:3]
    return StudentLine(
        *(number, name, status, joined_at, joined_after, last_seen_at, left_before, minutes, confidence),
        *(source, intervals, machine_status, remark, version, enrolled, said),
    )


def _lines(session: Session, rows: Sequence[SessionRow]) -> list[SessionLine]:
    ids = [row.id for row in rows]
    looks = _counts(session, LookRow.session_id, LookRow.session_id.in_(ids))
    reviews = _counts(session, ReviewRow.session_id, ReviewRow.session_id.in_(ids), ReviewRow.state == "open")
    present = _counts(
        session, AttendanceRow.session_id, AttendanceRow.session_id.in_(ids), AttendanceRow.status.in_(CAME)
    )
    enrolled = _counts(session, Enrolment.course_id, Enrolment.course_id.in_([row.course_id for row in rows]))
    return [
        _line(
            row,
            students=enrolled.get(row.course_id, 0),
            looks=looks.get(row.id, 0),
            present=present.get(row.id, 0),
            open_reviews=reviews.get(row.id, 0),
        )
        for row in rows
    ]


def _line(row: SessionRow, students: int, looks: int, present: int, open_reviews: int) -> SessionLine:
    return SessionLine(
        id=row.id,
        course=row.course.code,
        title=row.title,
        time_zone=row.course.time_zone,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        students=students,
        looks=looks,
        present=present,
        open_reviews=open_reviews,
    )


def _counts(
    session: Session, key: InstrumentedAttribute[int], *conditions: ColumnElement[bool]
) -> dict[int, int]:
    """How many rows there are for each value of a column."""
    counted = session.execute(select(key, func.count()).where(*conditions).group_by(key))
    return {value: count for value, count in counted}  # noqa: C416 - dict() does not know a row for a pair
