"""Lists for programs, a slice at a time: each goes on behind the key of the line before, whatever was added meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from db.disputes import texts_of
from db.doubts import DISPUTE
from db.report import SessionLine, session_lines
from db.reviews import review_mark
from db.schema import Course, Enrolment, JudgementRow, ReviewRow, SessionRow, Student

__all__ = [
    "ReviewItem",
    "StudentItem",
    "courses_after",
    "review_item",
    "reviews_after",
    "sessions_after",
    "student_item",
    "students_after",
]


@dataclass(frozen=True, slots=True)
class StudentItem:
    """A student with the codes of their courses, of those that the reader may see."""

    student_no: str
    name: str
    email: str
    courses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A review as `db.report.ReviewLine` has it, with its session and course. `text`: a dispute's; empty: none."""

    id: int
    session_id: int
    course: str
    kind: str
    at: datetime
    state: str
    student_no: str | None
    student_name: str | None
    rival_no: str | None
    rival_name: str | None
    settled_no: str | None
    settled_name: str | None
    guest: str
    settled_by: str | None
    settled_at: datetime | None
    reason: str
    text: str
    mark: str


def sessions_after(
    session: Session,
    after: tuple[datetime, int] | None,
    limit: int,
    courses: Collection[int] | None = None,
    code: str | None = None,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> list[SessionLine]:
    """Sessions, the newest first, behind the one that begins at that moment and has that id.

    `courses`: ids of those to look in, None: all; `code`: of one course. `from_at`, `until_at`: begins from, before.
    """
    row = SessionRow
    query = select(row.id).order_by(row.starts_at.desc(), row.id.desc()).limit(limit)
    if after is not None:
        at, key = after
        # The first condition says no more than the second, but lets an index begin there.
        query = query.where(row.starts_at <= at, or_(row.starts_at < at, row.id < key))
    if courses is not None:
        query = query.where(row.course_id.in_(courses))
    if code is not None:
        query = query.where(row.course_id == select(Course.id).where(Course.code == code).scalar_subquery())
    if from_at is not None:
        query = query.where(row.starts_at >= from_at)
    if until_at is not None:
        query = query.where(row.starts_at < until_at)
    return session_lines(session, session.scalars(query).all())


def courses_after(
    session: Session, after: str | None, limit: int, courses: Collection[int] | None = None
) -> list[Course]:
    """Courses in the order of their codes, behind that code."""
    query = select(Course).order_by(Course.code).limit(limit)
    if after is not None:
        query = query.where(Course.code > after)
    if courses is not None:
        query = query.where(Course.id.in_(courses))
    return list(session.scalars(query))


def students_after(
    session: Session,
    after: str | None,
    limit: int,
    courses: Collection[int] | None = None,
    code: str | None = None,
) -> list[StudentItem]:
    """Students in the order of their numbers, behind that number; of one course where a code is given."""
    query = select(Student).where(Student.removed_at.is_(None)).order_by(Student.student_no).limit(limit)
    if after is not None:
        query = query.where(Student.student_no > after)
    if courses is not None:
        query = query.where(_enrolled(Enrolment.course_id.in_(courses)))
    if code is not None:
        one = select(Course.id).where(Course.code == code).scalar_subquery()
        query = query.where(_enrolled(Enrolment.course_id == one))
    return _student_items(session, list(session.scalars(query)), courses)


def student_item(session: Session, student: Student, courses: Collection[int] | None = None) -> StudentItem:
    """One student as they stand in the list."""
    return _student_items(session, [student], courses)[0]


def reviews_after(
    session: Session,
    after: tuple[datetime, int] | None,
    limit: int,
    courses: Collection[int] | None = None,
    state: str | None = None,
    session_id: int | None = None,
) -> list[ReviewItem]:
    """Reviews, the oldest first, behind the one raised at that moment that has that id. `state`: `open`, `settled`."""
    row = ReviewRow
    query = select(row.id).order_by(row.at, row.id).limit(limit)
    if after is not None:
        at, key = after
        query = query.where(row.at >= at, or_(row.at > at, row.id > key))
    if courses is not None:
        query = query.join(SessionRow, SessionRow.id == row.session_id).where(
            SessionRow.course_id.in_(courses)
        )
    if state is not None:
        query = query.where(row.state == "open" if state == "open" else row.state != "open")
    if session_id is not None:
        query = query.where(row.session_id == session_id)
    return _review_items(session, session.scalars(query).all())


def review_item(session: Session, session_id: int, review_id: int) -> ReviewItem | None:
    """One review; None where the session has none of that number."""
    found = _review_items(session, [review_id])
    return found[0] if found and found[0].session_id == session_id else None


def _enrolled(where: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(Enrolment.id).where(Enrolment.student_id == Student.id, where).exists()


def _student_items(
    session: Session, students: list[Student], courses: Collection[int] | None
) -> list[StudentItem]:
    query = (
        select(Enrolment.student_id, Course.code)
        .join(Course, Course.id == Enrolment.course_id)
        .where(Enrolment.student_id.in_([student.id for student in students]))
        .order_by(Course.code)
    )
    if courses is not None:
        query = query.where(Course.id.in_(courses))
    codes: dict[int, list[str]] = {}
    for student_id, code in session.execute(query):
        codes.setdefault(student_id, []).append(code)
    return [
        StudentItem(one.student_no, one.name, one.email, tuple(codes.get(one.id, ()))) for one in students
    ]


def _review_items(session: Session, ids: Collection[int]) -> list[ReviewItem]:
    query = (
        select(ReviewRow, Course.code)
        .join(SessionRow, SessionRow.id == ReviewRow.session_id)
        .join(Course, Course.id == SessionRow.course_id)
        .options(
            *(
                joinedload(ReviewRow.student),
                joinedload(ReviewRow.rival),
                joinedload(ReviewRow.settled_student),
            )
        )
        .where(ReviewRow.id.in_(ids))
        .order_by(ReviewRow.at, ReviewRow.id)
    )
    rows = session.execute(query).all()
    guests = _guests(session, [row for row, _ in rows if row.state == "guest"])
    disputed = {row.session_id for row, _ in rows if row.kind == DISPUTE}
    texts = texts_of(session, disputed) if disputed else {}
    return [
        ReviewItem(
            id=row.id,
            session_id=row.session_id,
            course=code,
            kind=row.kind,
            at=row.at,
            state=row.state,
            student_no=row.student.student_no if row.student else None,
            student_name=row.student.name if row.student else None,
            rival_no=row.rival.student_no if row.rival else None,
            rival_name=row.rival.name if row.rival else None,
            settled_no=row.settled_student.student_no if row.settled_student else None,
            settled_name=row.settled_student.name if row.settled_student else None,
            guest=guests.get((row.session_id, row.kind, row.subject), ""),
            settled_by=row.settled_by,
            settled_at=row.settled_at,
            reason=row.reason or "",
            text=texts.get(row.subject, "") if row.kind == DISPUTE else "",
            mark=review_mark(row),
        )
        for row, code in rows
    ]


def _guests(session: Session, reviews: list[ReviewRow]) -> dict[tuple[int, str, str], str]:
    """The names that staff last gave to those whom these reviews are about."""
    if not reviews:
        return {}
    row = JudgementRow
    about = or_(
        *(
            and_(row.session_id == review.session_id, row.subject == review.subject, row.kind == review.kind)
            for review in reviews
        )
    )
    query = select(row.session_id, row.kind, row.subject, row.name).where(about).order_by(row.id)
    return {(session_id, kind, subject): name for session_id, kind, subject, name in session.execute(query)}
