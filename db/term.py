"""A course over a term: who came to which session, and how often."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, or_, select
from sqlalchemy.orm import Session

from db.lines import line_of_all
from db.names import name_order
from db.people import find_course
from db.schema import AttendanceRow, Course, Enrolment, LookRow, SessionRow, Student

__all__ = ["ATTENDED", "COUNTED", "TermLine", "TermReport", "TermSession", "is_told", "term_report"]

ATTENDED = frozenset({"present", "late", "left_early"})
"""Who came, however late or short, attended."""

COUNTED = ATTENDED | {"absent"}
"""What the share attended is of. `excused` is nobody's fault, `unverified` is nobody's to say yet."""

NOT_YET = "unverified"
MICROS = 60_000_000
"""Microseconds of a minute."""


@dataclass(frozen=True, slots=True)
class TermSession:
    """A session of the course. `held`: somebody looked, or staff wrote entries; `running`: it has not ended yet.

    `counts`: students by status, those without one left out. `attended` of `counted` students came.
    """

    id: int
    title: str
    starts_at: datetime
    ends_at: datetime
    held: bool
    running: bool
    counts: Mapping[str, int]

    @property
    def attended(self) -> int:
        return _sum(self.counts, ATTENDED)

    @property
    def counted(self) -> int:
        return _sum(self.counts, COUNTED)

    @property
    def share(self) -> float | None:
        """0 to 1; None where nobody counts."""
        return self.attended / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class TermLine:
    """A student's term. `statuses`: one for each session, None where nobody expected them or none was held.

    `attended` of `counted` sessions: excused, unverified and running ones don't count. `counts`: all statuses shown.
    `minutes`: present in all of them together; 0 where a report was asked for without. `email`: of the roster, which other systems know them by.
    `removed`: only a number without a person stands here, of whom there is no page.
    """

    student_no: str
    name: str
    statuses: tuple[str | None, ...]
    counts: Mapping[str, int]
    attended: int
    counted: int
    minutes: float
    email: str = ""
    removed: bool = False

    @property
    def share(self) -> float | None:
        """0 to 1; None where no session counts."""
        return self.attended / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class TermReport:
    """Sessions in order of time, students in the order of their names.

    `limit`: the share of sessions below which a student is warned; None: nobody is.
    """

    course: str
    time_zone: str
    sessions: tuple[TermSession, ...]
    students: tuple[TermLine, ...]
    title: str | None = None
    limit: float | None = None

    def falls_short(self, line: TermLine) -> bool:
        """Whether a student came to too small a share of the sessions."""
        return self.limit is not None and line.share is not None and line.share < self.limit


def term_report(
    session: Session,
    course_code: str,
    now: datetime,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    *,
    minutes: bool = True,
) -> TermReport:
    """The sessions of a course that begin from `from_at` on and before `until_at`; None: no limit.

    `now` decides which of them are running, and which are left out: see `is_told`. Raises NotFoundError for a course that is
    none. The number of statements does not depend on how many students and sessions there are. `minutes`: whether they are wanted;
    the statuses alone are read from an index.
    """
    course = find_course(session, course_code)
    meetings = _meetings(session, course, now, from_at, until_at)
    entries = _entries(session, meetings, minutes)
    # An excuse for next week makes entries too: a session was held when it was looked at, or when staff say so.
    held = _looked_at(session, meetings) | entries.written
    students = _students(
        session, course, {student for found in entries.statuses.values() for student in found}
    )
    running = {row.id for row in meetings if row.starts_at <= now < row.ends_at}
    columns = [entries.statuses[row.id] if row.id in held else None for row in meetings]
    still = [place for place, row in enumerate(meetings) if row.id in running]
    lines = []
    for student in sorted(students, key=lambda one: (name_order(one.name), one.student_no)):
        statuses = [None if column is None else column.get(student.id) for column in columns]
        if None in statuses:
            for place, row in enumerate(meetings):
                if statuses[place] is None and row.id in held and student.expects(row.starts_at):
                    statuses[place] = NOT_YET
        lines.append(_line(student, statuses, entries.micros[student.id] / MICROS, still))
    told = [_counted(statuses) for statuses in zip(*(line.statuses for line in lines), strict=True)]
    return TermReport(
        course.code,
        course.time_zone,
        tuple(
            TermSession(
                *(row.id, row.title, row.starts_at, row.ends_at, row.id in held, row.id in running),
                told[place] if lines else {},
            )
            for place, row in enumerate(meetings)
        ),
        tuple(lines),
        course.title,
        course.attendance_limit,
    )


def is_told(now: datetime) -> ColumnElement[bool]:
    """Whether reports tell of a session: it has begun, or staff wrote entries of it before that."""
    entry = AttendanceRow
    written = select(entry.id).where(entry.session_id == SessionRow.id, entry.source == "staff").exists()
    return or_(SessionRow.starts_at <= now, written)


@dataclass(frozen=True, slots=True)
class _Meeting:
    id: int
    title: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class _Entries:
    """`statuses`: by session and student. `micros`: that each student was present in all of them together, in microseconds.

    `written`: the sessions of which staff wrote entries.
    """

    statuses: Mapping[int, dict[int, str]]
    micros: dict[int, int]
    written: set[int]


@dataclass(frozen=True, slots=True)
class _Person:
    """`enrolled`: on the roster now. `enrolled_at`: since when, None for from the beginning."""

    id: int
    student_no: str
    name: str
    email: str
    enrolled: bool
    enrolled_at: datetime | None
    removed: bool = False

    def expects(self, starts_at: datetime) -> bool:
        """Whether a session that began then is one of theirs."""
        return self.enrolled and (self.enrolled_at is None or self.enrolled_at <= starts_at)


def _line(student: _Person, statuses: list[str | None], minutes: float, still: Iterable[int]) -> TermLine:
    """`still`: the places of the sessions that are running."""
    counts = _counted(statuses)
    running = [statuses[place] for place in still]
    return TermLine(
        student_no=student.student_no,
        name=student.name,
        statuses=tuple(statuses),
        counts=counts,
        attended=_sum(counts, ATTENDED) - sum(status in ATTENDED for status in running),
        counted=_sum(counts, COUNTED) - sum(status in COUNTED for status in running),
        minutes=minutes,
        email=student.email,
        removed=student.removed,
    )


def _counted(statuses: Iterable[str | None]) -> dict[str, int]:
    found = Counter(statuses)
    return {status: count for status, count in found.items() if status is not None}


def _meetings(
    session: Session, course: Course, now: datetime, from_at: datetime | None, until_at: datetime | None
) -> list[_Meeting]:
    columns = (SessionRow.id, SessionRow.title, SessionRow.starts_at, SessionRow.ends_at)
    query = select(*columns).where(SessionRow.course_id == course.id, is_told(now))
    if from_at is not None:
        query = query.where(SessionRow.starts_at >= from_at)
    if until_at is not None:
        query = query.where(SessionRow.starts_at < until_at)
    return [_Meeting(*row) for row in session.execute(query.order_by(SessionRow.starts_at, SessionRow.id))]


def _entries(session: Session, meetings: Collection[_Meeting], minutes: bool) -> _Entries:
    row = AttendanceRow
    micros = cast(func.round(row.minutes * MICROS), BigInteger)
    parts = (row.student_id, ",", micros) if minutes else (row.student_id,)
    # Of as many rows as a course has in a term, the driver alone would take most of a page's time.
    line_of_them = line_of_all(*parts, separator=",")
    by_staff = func.max(case((row.source == "staff", 1), else_=0))
    query = select(row.session_id, row.status, line_of_them, by_staff)
    query = query.where(row.session_id.in_([one.id for one in meetings])).group_by(row.session_id, row.status)
    found = _Entries({one.id: {} for one in meetings}, defaultdict(int), set())
    for session_id, status, line, staff_wrote in session.execute(query):
        numbers = list(map(int, line.split(",")))
        students = numbers[::2] if minutes else numbers
        found.statuses[session_id].update(dict.fromkeys(students, status))
        if minutes:
            for student_id, micros_spent in zip(students, numbers[1::2], strict=True):
                found.micros[student_id] += micros_spent
        if staff_wrote:
            found.written.add(session_id)
    return found


def _looked_at(session: Session, meetings: list[_Meeting]) -> set[int]:
    query = select(LookRow.session_id).where(LookRow.session_id.in_([row.id for row in meetings])).distinct()
    return set(session.scalars(query))


def _students(session: Session, course: Course, known: set[int]) -> list[_Person]:
    """The roster, and who left it but has entries."""
    columns = (Student.id, Student.student_no, Student.name, Student.email)
    members = (
        select(*columns, Enrolment.enrolled_at)
        .join(Enrolment, Enrolment.student_id == Student.id)
        .where(Enrolment.course_id == course.id)
    )
    found = [
        _Person(key, number, name, email, True, since)
        for key, number, name, email, since in session.execute(members)
    ]
    left = known - {one.id for one in found}
    if left:
        former = select(*columns, Student.removed_at.is_not(None)).where(Student.id.in_(left))
        found += [
            _Person(key, number, name, email, False, None, bool(removed))
            for key, number, name, email, removed in session.execute(former)
        ]
    return found


def _sum(counts: Mapping[str, int], statuses: Collection[str]) -> int:
    return sum(counts.get(status, 0) for status in statuses)
