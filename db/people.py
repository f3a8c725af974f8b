"""Students, rosters, consents and the faces indexed for them."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, union
from sqlalchemy.orm import Session, contains_eager

from db.audit import SYSTEM
from db.due import mark_course_due
from db.errors import NotFoundError, RosterError
from db.face_documents import CachedFace, FaceStamp
from db.names import name_order
from db.proof import note_record
from db.roster_file import RosterLine, read_roster
from db.schema import AttendanceRow, Consent, Course, Enrolment, FaceRow, SessionRow, Student

__all__ = [
    "PAGE_WORDS",
    "RosterLine",
    "cached_faces",
    "check_code",
    "correct",
    "enrol",
    "face_owners",
    "face_stamps",
    "find_course",
    "find_student",
    "indexed_faces",
    "make_course",
    "read_roster",
    "record_consent",
    "record_faces",
    "roster_of",
    "with_faces",
]


CODE = re.compile(r"[^\W_][\w .:()&+\-]*(/[^\W_][\w .:()&+\-]*)*")
PAGE_WORDS = frozenset(
    [
        "canvas-grades.csv",
        "details",
        "instructors",
        "moodle-attendance.csv",
        "moodle-grades.csv",
        "plan",
        "report.csv",
        "report.xlsx",
        "roster",
        "roster.csv",
        "rules",
        "settings",
        "students",
        "term",
        "timetable",
        "turnout",
        "turnout.csv",
    ]
)
"""What follows a course's code in the addresses of the portal and of its API."""


def make_course(session: Session, code: str, time_zone: str | None = None, actor: str = SYSTEM) -> Course:
    """The course of that code, made where there is none. `time_zone`: an IANA name; None keeps what it has, or UTC."""
    if time_zone is not None:
        check_time_zone(time_zone)
    course = session.scalar(select(Course).where(Course.code == code))
    if course is None:
        check_code(code)
        course = Course(
            code=code, time_zone=time_zone or "UTC", late_after_s=600, left_early_s=600, min_presence=0.1
        )
        session.add(course)
        session.flush()
        note_record(session, actor, "course.made", course, None, _rules(course))
    elif time_zone not in {None, course.time_zone}:
        before = _rules(course)
        course.time_zone = time_zone or "UTC"
        note_record(session, actor, "course.changed", course, before, _rules(course))
    return course


def check_code(code: str) -> None:
    """Raises RosterError for what no course can be called, as no address could name it."""
    if not code.strip() or len(code) > 64:
        raise RosterError(f"course code {code[:80]!r} must have 1 to 64 characters; shorten it")
    if not CODE.fullmatch(code):
        raise RosterError(
            f"course code {code!r} holds what no address can name; take letters, digits, spaces and - _ . : / between them"
        )
    for word in code.split("/")[1:]:
        if word in PAGE_WORDS:
            raise RosterError(
                f"course code {code!r} would be the address of a page, {word}; take another word behind the /"
            )


def check_time_zone(time_zone: str) -> None:
    """Raises RosterError for what is no IANA name."""
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RosterError(f"time zone {time_zone!r} is not known; write e.g. Europe/Berlin") from error


def _rules(course: Course) -> dict[str, Any]:
    return {
        "code": course.code,
        "time_zone": course.time_zone,
        "late_after_s": course.late_after_s,
        "left_early_s": course.left_early_s,
        "min_presence": course.min_presence,
    }


def find_course(session: Session, code: str) -> Course:
    course = session.scalar(select(Course).where(Course.code == code))
    if course is None:
        raise NotFoundError(
            f"there is no course {code!r}; import its roster with 'gridroll roster import {code} FILE'"
        )
    return course


def find_student(session: Session, student_no: str) -> Student:
    student = session.scalar(select(Student).where(Student.student_no == student_no))
    if student is None:
        raise NotFoundError(f"there is no student {student_no!r}; 'gridroll roster import' adds students")
    return student


def enrol(
    session: Session, course: Course, lines: Iterable[RosterLine], actor: str = SYSTEM
) -> list[Student]:
    """Add or update the students and put them on the course's roster; in the order of the lines."""
    lines = list(lines)
    known = {
        student.student_no: student
        for student in session.scalars(
            select(Student).where(Student.student_no.in_([line.student_no for line in lines]))
        )
    }
    students, added = [], []
    for line in lines:
        student = known.get(line.student_no)
        if student is None:
            student = Student(student_no=line.student_no, name=line.name, email=line.email.lower())
            session.add(student)
            added.append(student)
        else:
            correct(session, student, line.name, line.email, actor)
        students.append(student)
    session.flush()
    for student in added:
        # Nothing that says who it is: what the chain holds, it holds for ever.
        note_record(session, actor, "student.added", student)
    _expect(session, course, {student.id: line for student, line in zip(students, lines, strict=True)}, actor)
    return students


def _expect(session: Session, course: Course, lines: Mapping[int, RosterLine], actor: str) -> None:
    """Put students on the roster. Who is added when the class has met already is expected from now on."""
    held = {
        row.student_id: row
        for row in session.scalars(select(Enrolment).where(Enrolment.course_id == course.id))
    }
    now = datetime.now(UTC)
    met = select(SessionRow.id).where(SessionRow.course_id == course.id, SessionRow.starts_at <= now).limit(1)
    added_at = None if session.scalar(met) is None or not held else now
    changed: list[tuple[str, Enrolment]] = []
    for student_id, line in lines.items():
        row = held.get(student_id)
        given = line.enrolled_on and datetime.combine(
            date.fromisoformat(line.enrolled_on), time(), ZoneInfo(course.time_zone)
        )
        if row is None:
            row = Enrolment(course_id=course.id, student_id=student_id, enrolled_at=given or added_at)
            session.add(row)
            changed.append(("enrolment.made", row))
        elif given and row.enrolled_at != given:
            row.enrolled_at = given
            changed.append(("enrolment.changed", row))
    session.flush()
    for action, row in changed:
        note_record(session, actor, action, row, None, {"enrolled_at": row.enrolled_at})
    if changed:
        mark_course_due(session, course.id)


def correct(
    session: Session, student: Student, name: str, email: str, actor: str = SYSTEM
) -> tuple[str, ...]:
    """Give a student this name and e-mail address; returns which of the two are others than before."""
    fields = {"name": name, "email": email.lower()}
    changed = [field for field, value in fields.items() if getattr(student, field) != value]
    for field in changed:
        setattr(student, field, fields[field])
    if changed:
        # Which, not what: no name ever enters the chain.
        note_record(session, actor, "student.changed", student, None, {"fields": changed})
    return tuple(changed)


def record_consent(session: Session, student: Student, note: str, actor: str = SYSTEM) -> None:
    """Keep the agreement on record; the same note is not recorded twice."""
    held = session.scalar(
        select(Consent).where(
            Consent.student_id == student.id, Consent.note == note, Consent.withdrawn_at.is_(None)
        )
    )
    if held is None:
        consent = Consent(student_id=student.id, note=note, given_at=datetime.now(UTC))
        session.add(consent)
        session.flush()
        note_record(session, actor, "consent.given", consent)


def consented(session: Session, student_ids: Collection[int]) -> set[int]:
    """Those of the students who have an agreement on record that is not withdrawn."""
    query = select(Consent.student_id).where(
        Consent.student_id.in_(student_ids), Consent.withdrawn_at.is_(None)
    )
    return set(session.scalars(query))


def roster_of(session: Session, course_id: int) -> dict[int, Student]:
    """The course's students by id."""
    query = select(Student).join(Enrolment).where(Enrolment.course_id == course_id)
    return {student.id: student for student in session.scalars(query)}


def member_ids(session: Session, course_id: int) -> frozenset[int]:
    """The ids of the students who are on a course's roster now."""
    return frozenset(session.scalars(select(Enrolment.student_id).where(Enrolment.course_id == course_id)))


def roster_ids(session: Session, row: SessionRow) -> frozenset[int]:
    """The ids of the students of a session's course, and of those with an entry in it who were removed since."""
    members = select(Enrolment.student_id).where(Enrolment.course_id == row.course_id)
    removed = (
        select(AttendanceRow.student_id)
        .join(Student, Student.id == AttendanceRow.student_id)
        .where(AttendanceRow.session_id == row.id, Student.removed_at.is_not(None))
    )
    return frozenset(session.scalars(union(members, removed)))


def enrolled_in(session: Session, student_id: int) -> frozenset[int]:
    """The ids of the student's courses."""
    return frozenset(session.scalars(select(Enrolment.course_id).where(Enrolment.student_id == student_id)))


def students_of(session: Session, student_ids: Collection[int]) -> Sequence[Student]:
    """These students in the order of their names."""
    students = session.scalars(select(Student).where(Student.id.in_(student_ids)))
    return sorted(students, key=lambda student: (name_order(student.name), student.student_no))


def joined_late(session: Session, course_id: int, after: datetime) -> dict[int, datetime]:
    """When those joined the course who did so after a moment, by student id."""
    query = select(Enrolment.student_id, Enrolment.enrolled_at).where(
        Enrolment.course_id == course_id, Enrolment.enrolled_at > after
    )
    return {student: at for student, at in session.execute(query) if at is not None}


def indexed_faces(session: Session, student_ids: Collection[int] | None = None) -> Sequence[FaceRow]:
    """Indexed faces, ordered by student number; of all students when None."""
    query = (
        select(FaceRow)
        .join(Student)
        .options(contains_eager(FaceRow.student))
        .order_by(Student.student_no, FaceRow.indexed_at)
    )
    if student_ids is not None:
        query = query.where(FaceRow.student_id.in_(student_ids))
    return session.scalars(query).all()


def record_faces(session: Session, faces: Collection[FaceRow], actor: str = SYSTEM) -> None:
    """Store the rows of faces that an engine indexed."""
    session.add_all(faces)
    session.flush()
    for face in faces:
        note_record(session, actor, "face.indexed", face, None, {"engine": face.engine})


def face_stamps(
    session: Session, students: Mapping[int, Student], engines: Collection[str]
) -> dict[str, FaceStamp]:
    """Whose the faces of these students are, by face id. `students`: by id; `engines`: whose collections count."""
    columns = (FaceRow.face_id, FaceRow.student_id, FaceRow.engine, FaceRow.indexed_at)
    query = select(*columns).where(FaceRow.student_id.in_(students), FaceRow.engine.in_(engines))
    return {
        face_id: FaceStamp(
            student_id, students[student_id].student_no, students[student_id].name, engine, indexed_at
        )
        for face_id, student_id, engine, indexed_at in session.execute(query)
    }


def with_faces(session: Session, student_ids: Collection[int]) -> set[int]:
    """Those of the students who have an indexed face."""
    return set(session.scalars(select(FaceRow.student_id).where(FaceRow.student_id.in_(student_ids))))


def face_owners(session: Session) -> dict[str, tuple[str, str]]:
    """Of every indexed face, by its id: whose it is, as a student number, and which engine's."""
    query = select(FaceRow.face_id, Student.student_no, FaceRow.engine).join(Student)
    return {face_id: (number, engine) for face_id, number, engine in session.execute(query)}


def forget_faces(session: Session, face_ids: Collection[str], actor: str = SYSTEM, reason: str = "") -> None:
    """Remove the rows of faces."""
    for face in session.scalars(select(FaceRow).where(FaceRow.face_id.in_(face_ids))).all():
        note_record(session, actor, "face.removed", face, {"engine": face.engine}, None, reason)
        session.delete(face)
    session.flush()


def cached_faces(session: Session, face_ids: Collection[str]) -> list[CachedFace]:
    """What the cache should hold of these faces."""
    rows = session.execute(select(FaceRow, Student).join(Student).where(FaceRow.face_id.in_(face_ids))).all()
    return [
        CachedFace(
            face.face_id,
            student.id,
            student.student_no,
            student.name,
            face.engine,
            face.model,
            face.quality,
            face.indexed_at,
        )
        for face, student in rows
    ]
