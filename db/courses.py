"""Courses and their rules."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.due import mark_due
from db.errors import GridrollError
from db.names import title_fault
from db.people import check_code, check_time_zone, find_course, make_course
from db.proof import note_record
from db.record_digests import record_digest
from db.schema import Course, Enrolment, ReviewRow, SessionRow
from db.timetable import replanned

__all__ = [
    "CourseCard",
    "CourseConflictError",
    "CourseDetails",
    "CourseLine",
    "add_course",
    "change_course",
    "change_rules",
    "course_cards",
    "course_mark",
    "list_courses",
    "set_rules",
]


class CourseConflictError(GridrollError):
    """Somebody else changed the course since it was read."""


@dataclass(frozen=True, slots=True)
class CourseLine:
    """A course in a list. `students` and `sessions` are counts; `min_presence`: 0 to 1."""

    code: str
    time_zone: str
    students: int
    sessions: int
    late_after_s: int
    left_early_s: int
    min_presence: float


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course in the portal's list. `title`: None: it has none. `next_at`: when it meets next; None: nothing is planned."""

    code: str
    title: str | None
    time_zone: str
    students: int
    sessions: int
    next_at: datetime | None
    open_reviews: int


@dataclass(frozen=True, slots=True)
class CourseDetails:
    """What the office says of a course. `attendance_limit`: 0 to 1; None: nobody is warned."""

    title: str | None
    time_zone: str
    attendance_limit: float | None


def course_cards(session: Session, courses: Collection[int] | None, now: datetime) -> list[CourseCard]:
    """The courses of these ids, None for all, in the order of their codes. Two statements, however many there are."""
    reviews = (
        select(SessionRow.course_id, func.count())
        .join(ReviewRow, ReviewRow.session_id == SessionRow.id)
        .where(ReviewRow.state == "open")
        .group_by(SessionRow.course_id)
    )
    students = select(func.count()).where(Enrolment.course_id == Course.id).scalar_subquery()
    sessions = select(func.count()).where(SessionRow.course_id == Course.id).scalar_subquery()
    coming = select(func.min(SessionRow.starts_at)).where(
        SessionRow.course_id == Course.id, SessionRow.starts_at > now
    )
    query = select(Course, students, sessions, coming.scalar_subquery()).order_by(Course.code)
    if courses is not None:
        query, reviews = query.where(Course.id.in_(courses)), reviews.where(SessionRow.course_id.in_(courses))
    opened = {row[0]: row[1] for row in session.execute(reviews)}
    return [
        CourseCard(row.code, row.title, row.time_zone, enrolled, held, next_at, opened.get(row.id, 0))
        for row, enrolled, held, next_at in session.execute(query)
    ]


def course_mark(course: Course) -> str:
    """Stands for a course as somebody read it."""
    return record_digest(course)[:16]


def add_course(session: Session, code: str, details: CourseDetails, actor: str) -> None:
    """Make a course. Raises GridrollError where there is one of that code, or what is given is none."""
    _check(details)
    check_code(code)
    if session.scalar(select(Course.id).where(Course.code == code)) is not None:
        raise GridrollError(f"there is a course {code} already; take another code, or open that one")
    course = make_course(session, code, details.time_zone, actor)
    if (details.title, details.attendance_limit) != (None, None):
        _write(session, course, details, actor)


def change_course(
    session: Session, code: str, details: CourseDetails, mark: str, actor: str, now: datetime
) -> None:
    """Change what the office says of a course; with its time zone, the sessions of its timetable that are to come.

    `mark`: of the course as it was read. Raises NotFoundError, GridrollError, CourseConflictError.
    """
    _check(details)
    course = find_course(session, code)
    if _details(course) == asdict(details):
        return
    if course_mark(course) != mark:
        raise CourseConflictError("the course was changed while you had it open; look at it, then save again")
    if course.time_zone == details.time_zone:
        _write(session, course, details, actor)
        return
    with replanned(session, course, actor, now):
        _write(session, course, details, actor)


def _write(session: Session, course: Course, details: CourseDetails, actor: str) -> None:
    before = _details(course)
    for name, value in asdict(details).items():
        setattr(course, name, value)
    session.flush()
    note_record(session, actor, "course.changed", course, before, asdict(details))


def _details(course: Course) -> dict[str, object]:
    return {name: getattr(course, name) for name in CourseDetails.__dataclass_fields__}


def _check(details: CourseDetails) -> None:
    """Raises GridrollError."""
    if fault := title_fault(details.title or ""):
        raise GridrollError(fault)
    if details.attendance_limit is not None and not 0 < details.attendance_limit <= 1:
        raise GridrollError(
            f"an attendance limit of {details.attendance_limit:.0%} cannot be; give 1 to 100 %, or leave it empty"
        )
    check_time_zone(details.time_zone)


def list_courses(session: Session) -> list[CourseLine]:
    """All courses in the order of their codes."""
    students = select(func.count()).where(Enrolment.course_id == Course.id).scalar_subquery()
    sessions = select(func.count()).where(SessionRow.course_id == Course.id).scalar_subquery()
    columns = (Course.code, Course.time_zone, students, sessions)
    rules = (Course.late_after_s, Course.left_early_s, Course.min_presence)
    return [CourseLine(*row) for row in session.execute(select(*columns, *rules).order_by(Course.code))]


def change_rules(
    session: Session,
    code: str,
    wanted: Mapping[str, int | float],
    past: bool,
    mark: str,
    made_by: str,
    reason: str,
) -> None:
    """`set_rules` for whoever read the course before; `mark`: of the course as it was read.

    Raises CourseConflictError besides. Where nothing is another rule, nothing is done, so that the same may be sent twice.
    """
    if not wanted and not past:
        return
    if course_mark(find_course(session, code)) != mark:
        raise CourseConflictError("the course was changed while you had it open; look at it, then save again")
    set_rules(session, code, wanted or _rules_of(session, code), past, made_by, reason)


def _rules_of(session: Session, code: str) -> dict[str, int | float]:
    course = find_course(session, code)
    names = ("late_after_s", "left_early_s", "min_presence")
    return {name: getattr(course, name) for name in names}


def set_rules(
    session: Session, code: str, wanted: Mapping[str, int | float], past: bool, made_by: str, reason: str
) -> int:
    """Change a course's rules, by column name; returns how many of its sessions have begun.

    `past`: those are due to be folded with the new rules, whatever they had; else each keeps what it had. Raises NotFoundError, and
    GridrollError without a reason.
    """
    if not reason:
        raise GridrollError("other rules need a reason; say why, for those who read it later")
    course = find_course(session, code)
    query = select(SessionRow.id).where(
        SessionRow.course_id == course.id, SessionRow.starts_at <= datetime.now(UTC)
    )
    # One by one in order of their ids, as all who lock several do: else two of them could wait for each other.
    begun = [session.get_one(SessionRow, one, with_for_update=True) for one in sorted(session.scalars(query))]
    for row in begun:
        held = {name: getattr(row, name) for name in wanted}
        kept = {
            name: None if past else getattr(course, name) if own is None else own
            for name, own in held.items()
        }
        if held != kept:
            for name, value in kept.items():
                setattr(row, name, value)
            session.flush()
            note_record(session, made_by, "rules.kept", row, held, kept, reason)
    before = {name: getattr(course, name) for name in wanted}
    for name, value in wanted.items():
        setattr(course, name, value)
    session.flush()
    note_record(session, made_by, "course.changed", course, before, {**wanted, "past": past}, reason)
    if past:
        mark_due(session, [row.id for row in begun])
    return len(begun)
