"""Students as staff see them: the list, one student's sheet, and who is registered anew."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.errors import GridrollError
from db.names import name_order
from db.people import RosterLine, enrol, find_course, record_consent
from db.roster_file import STUDENT_NO
from db.schema import (
    AttendanceRow,
    Consent,
    Course,
    Enrolment,
    ExcuseRow,
    FaceRow,
    PhotoRow,
    SessionRow,
    Student,
)
from db.student_details import check_details, details_mark, present_student
from db.term import ATTENDED, COUNTED

__all__ = [
    "CourseShare",
    "NewStudent",
    "RecordLine",
    "StudentExcuse",
    "StudentLine",
    "StudentSheet",
    "check_new",
    "course_codes",
    "list_students",
    "record_lines",
    "register_student",
    "student_sheet",
]


LACKS: dict[str, type[PhotoRow] | type[FaceRow] | type[Consent]] = {
    "photo": PhotoRow,
    "face": FaceRow,
    "consent": Consent,
}
"""What a student may lack, by the word of the filter."""


@dataclass(frozen=True, slots=True)
class StudentLine:
    """A student in a list. `courses`: codes. `photo_id`: of the oldest of their `photos` photographs, None for none.

    `faces`: whether any is indexed. `agreed`: whether a consent is on record.
    """

    id: int
    student_no: str
    name: str
    email: str
    courses: tuple[str, ...]
    photo_id: int | None
    photos: int
    faces: bool
    agreed: bool


@dataclass(frozen=True, slots=True)
class CourseShare:
    """A student's course: `attended` of `counted` sessions that are over. `limit`: 0 to 1, None where there is none.

    `enrolled`: on its roster now; else only entries are left.
    """

    code: str
    title: str
    enrolled: bool
    attended: int
    counted: int
    sessions: int
    limit: float | None

    @property
    def share(self) -> float | None:
        """0 to 1; None where no session counts."""
        return self.attended / self.counted if self.counted else None

    @property
    def is_low(self) -> bool:
        return self.share is not None and self.limit is not None and self.share < self.limit


@dataclass(frozen=True, slots=True)
class RecordLine:
    """An entry of a student, with its session's id, course and time."""

    session_id: int
    title: str
    course: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    status: str
    joined_at: datetime | None
    last_seen_at: datetime | None
    minutes: float
    source: str


@dataclass(frozen=True, slots=True)
class StudentExcuse:
    """`course`: None: all courses."""

    from_at: datetime
    until_at: datetime
    course: str | None
    reason: str
    made_by: str


@dataclass(frozen=True, slots=True)
class StudentSheet:
    """Everything about a student but the entries. `photos` oldest first, `consents` newest first, withdrawn ones too.

    `faces`: how many are indexed. `mark`: `details_mark`. `time_zone`: of the first of the courses, for what belongs to none.
    """

    id: int
    student_no: str
    name: str
    email: str
    time_zone: str
    courses: tuple[CourseShare, ...]
    photos: Sequence[PhotoRow]
    faces: int
    consents: Sequence[Consent]
    mark: str
    excuses: tuple[StudentExcuse, ...]

    @property
    def sessions(self) -> int:
        return sum(course.sessions for course in self.courses)

    @property
    def agreed(self) -> bool:
        return any(consent.withdrawn_at is None for consent in self.consents)


@dataclass(frozen=True, slots=True)
class NewStudent:
    """`courses`: codes. `consent`: where the agreement is held; empty: there is none."""

    student_no: str
    name: str
    email: str
    courses: tuple[str, ...]
    consent: str


def list_students(
    session: Session,
    courses: Collection[int] | None,
    search: str = "",
    course: str = "",
    lacks: str = "",
    first: int = 0,
    limit: int = 50,
) -> tuple[int, list[StudentLine]]:
    """How many students there are, and the page of them that begins at `first`, in the order of their names.

    `courses`: ids of those whose students count; None: all. `search`: words that number, name or address hold, without
    regard to case and accents. `course`: a code. `lacks`: `photo`, `face` or `consent`.
    """
    query = select(Student.id, Student.student_no, Student.name, Student.email)
    query = query.where(Student.removed_at.is_(None))
    if courses is not None or course:
        place = select(Enrolment.student_id)
        if courses is not None:
            place = place.where(Enrolment.course_id.in_(courses))
        if course:
            place = place.join(Course, Course.id == Enrolment.course_id).where(Course.code == course)
        query = query.where(Student.id.in_(place))
    if lacks in LACKS:
        kind = LACKS[lacks]
        held = select(kind.student_id).where(kind.student_id == Student.id)
        query = query.where(
            ~(held.where(Consent.withdrawn_at.is_(None)) if kind is Consent else held).exists()
        )
    words = [name_order(word)[0] for word in search.split()]
    found = [
        (name_order(name), number, key, name, email)
        for key, number, name, email in session.execute(query)
        if all(word in name_order(f"{number} {name} {email}")[0] for word in words)
    ]
    found.sort()
    page = found[first : first + limit]
    ids = [key for _, _, key, _, _ in page]
    codes: dict[int, list[str]] = defaultdict(list)
    places = select(Enrolment.student_id, Course.code).join(Course, Course.id == Enrolment.course_id)
    if courses is not None:
        places = places.where(Course.id.in_(courses))
    for key, code in session.execute(places.where(Enrolment.student_id.in_(ids)).order_by(Course.code)):
        codes[key].append(code)
    pictures = select(PhotoRow.student_id, func.min(PhotoRow.id), func.count())
    pictures = pictures.where(PhotoRow.student_id.in_(ids)).group_by(PhotoRow.student_id)
    photos = {key: (photo_id, count) for key, photo_id, count in session.execute(pictures)}
    faced = set(session.scalars(select(FaceRow.student_id).where(FaceRow.student_id.in_(ids))))
    given = select(Consent.student_id).where(Consent.student_id.in_(ids), Consent.withdrawn_at.is_(None))
    agreed = set(session.scalars(given))
    lines = []
    for _, number, key, name, email in page:
        photo_id, count = photos.get(key, (None, 0))
        lines.append(
            StudentLine(
                *(key, number, name, email, tuple(codes[key]), photo_id, count),
                faces=key in faced,
                agreed=key in agreed,
            )
        )
    return len(found), lines


def course_codes(session: Session, courses: Collection[int] | None) -> dict[str, str]:
    """Codes and titles of courses, in the order of the codes: of these, None for all."""
    query = select(Course.code, Course.title).order_by(Course.code)
    if courses is not None:
        query = query.where(Course.id.in_(courses))
    return {code: title or "" for code, title in session.execute(query)}


def student_sheet(
    session: Session, student_no: str, courses: Collection[int] | None, now: datetime
) -> StudentSheet:
    """Of these courses only, None for all. `now` decides which sessions are over. Raises NotFoundError."""
    student = present_student(session, student_no)
    shares = _shares(session, student.id, courses, now)
    zones = dict.fromkeys(zone for zone, _ in shares)
    photos = session.scalars(
        select(PhotoRow).where(PhotoRow.student_id == student.id).order_by(PhotoRow.id)
    ).all()
    faces = session.scalar(select(func.count()).where(FaceRow.student_id == student.id)) or 0
    newest = (Consent.given_at.desc(), Consent.id.desc())
    consents = session.scalars(
        select(Consent).where(Consent.student_id == student.id).order_by(*newest)
    ).all()
    return StudentSheet(
        *(student.id, student.student_no, student.name, student.email, next(iter(zones), "UTC")),
        *(tuple(share for _, share in shares), photos, faces, consents),
        details_mark(student),
        _excuses(session, student.id, courses),
    )


def record_lines(
    session: Session, student_id: int, courses: Collection[int] | None, first: int = 0, limit: int = 50
) -> list[RecordLine]:
    """A student's entries, newest session first."""
    row, meeting = AttendanceRow, SessionRow
    query = (
        select(meeting.id, meeting.title, Course.code, Course.time_zone, meeting.starts_at, meeting.ends_at)
        .add_columns(row.status, row.joined_at, row.last_seen_at, row.minutes, row.source)
        .join(meeting, meeting.id == row.session_id)
        .join(Course, Course.id == meeting.course_id)
        .where(row.student_id == student_id)
        .order_by(meeting.starts_at.desc(), meeting.id.desc())
        .offset(first)
        .limit(limit)
    )
    if courses is not None:
        query = query.where(meeting.course_id.in_(courses))
    return [RecordLine(*found) for found in session.execute(query)]


def check_new(session: Session, new: NewStudent) -> None:
    """Raises GridrollError, with a line for whoever filled in the form, for a student who cannot be registered so."""
    if not new.student_no:
        raise GridrollError("a student number is needed; it is what the institute knows the student by")
    if not STUDENT_NO.fullmatch(new.student_no):
        raise GridrollError(
            f"student number {new.student_no[:70]!r} has characters other than letters, digits and _ . - : "
            "(at most 64); correct it"
        )
    check_details(session, new.student_no, new.name, new.email)
    if not new.courses:
        raise GridrollError("no course was chosen; tick at least one")
    held = session.scalar(select(Student).where(Student.student_no == new.student_no))
    if held is not None:
        raise GridrollError(
            f"student number {new.student_no} is {held.name}’s already; give another one, or add the photograph on their page"
        )


def register_student(session: Session, new: NewStudent, actor: str = SYSTEM) -> Student:
    """Add a student, put them on the rosters of their courses, and keep their consent on record.

    Raises GridrollError as `check_new`, NotFoundError for a course that is none.
    """
    check_new(session, new)
    line = RosterLine(new.student_no, new.name, new.email, "", new.consent)
    added = [enrol(session, find_course(session, code), [line], actor)[0] for code in new.courses]
    student = added[0]
    if new.consent:
        record_consent(session, student, new.consent, actor)
    return student


def _shares(
    session: Session, student_id: int, courses: Collection[int] | None, now: datetime
) -> list[tuple[str, CourseShare]]:
    """Each course with its time zone: those the student is enrolled in first, by code."""
    columns = (Course.id, Course.code, Course.title, Course.time_zone, Course.attendance_limit)
    member = select(*columns).join(Enrolment, Enrolment.course_id == Course.id)
    over = SessionRow.ends_at <= now
    counted = (
        select(*columns, AttendanceRow.status, over, func.count())
        .join(SessionRow, SessionRow.course_id == Course.id)
        .join(AttendanceRow, AttendanceRow.session_id == SessionRow.id)
        .where(AttendanceRow.student_id == student_id)
        .group_by(*columns, AttendanceRow.status, over)
    )
    if courses is not None:
        member, counted = member.where(Course.id.in_(courses)), counted.where(Course.id.in_(courses))
    found: dict[int, tuple[str, str | None, str, float | None]] = {}
    for key, code, title, zone, limit in session.execute(member.where(Enrolment.student_id == student_id)):
        found[key] = (code, title, zone, limit)
    enrolled = frozenset(found)
    sessions, attended, of = Counter[int](), Counter[int](), Counter[int]()
    for key, code, title, zone, limit, status, is_over, count in session.execute(counted):
        found.setdefault(key, (code, title, zone, limit))
        sessions[key] += count
        attended[key] += count if is_over and status in ATTENDED else 0
        of[key] += count if is_over and status in COUNTED else 0
    shares = []
    for key, (code, title, zone, limit) in found.items():
        tallies = (attended[key], of[key], sessions[key])
        shares.append((zone, CourseShare(code, title or "", key in enrolled, *tallies, limit)))
    return sorted(shares, key=lambda one: (not one[1].enrolled, one[1].code))


def _excuses(session: Session, student_id: int, courses: Collection[int] | None) -> tuple[StudentExcuse, ...]:
    row = ExcuseRow
    query = (
        select(row.from_at, row.until_at, Course.code, row.reason, row.made_by)
        .outerjoin(Course, Course.id == row.course_id)
        .where(row.student_id == student_id, row.withdrawn_at.is_(None))
        .order_by(row.from_at.desc())
        .limit(50)
    )
    if courses is not None:
        query = query.where(row.course_id.is_(None) | row.course_id.in_(courses))
    return tuple(StudentExcuse(*found) for found in session.execute(query))
