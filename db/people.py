"""Students, rosters, consents and the faces indexed for them."""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, contains_eager

from db.errors import NotFoundError, RosterError
from db.face_cache import CachedFace
from db.schema import Consent, Course, Enrolment, FaceRow, Student

__all__ = [
    "RosterLine",
    "cached_faces",
    "enrol",
    "find_course",
    "find_student",
    "indexed_faces",
    "make_course",
    "read_roster",
    "record_consent",
    "roster_of",
]

COLUMNS = ("student_no", "name", "email", "photo")
STUDENT_NO = re.compile(r"[A-Za-z0-9_.\-:]{1,64}")
"""What a face engine takes as an external id: Amazon Rekognition's ExternalImageId has this alphabet."""


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A student as a roster file gives them. `photo` and `consent` are empty where the file has none."""

    student_no: str
    name: str
    email: str
    photo: str
    consent: str


def read_roster(path: Path) -> list[RosterLine]:
    """Read `student_no,name,email,photo[,consent]` from a UTF-8 CSV file.

    Raises RosterError naming the line and the remedy; a roster is good as a whole or not at all.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RosterError(f"cannot read roster {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RosterError(
            f"roster {path} is not UTF-8 (byte {error.start}); save it again as 'CSV UTF-8' and import that"
        ) from error
    try:
        return _parse_roster(text, path)
    except csv.Error as error:
        raise RosterError(f"roster {path} is no CSV file ({error}); save it again as 'CSV UTF-8'") from error


def _parse_roster(text: str, path: Path) -> list[RosterLine]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    if missing := [column for column in COLUMNS if column not in header]:
        raise RosterError(
            f"roster {path} lacks the column {', '.join(missing)}; "
            f"its first line must be {','.join(COLUMNS)} (and may add consent)"
        )
    lines: list[RosterLine] = []
    first_seen: dict[str, int] = {}
    for row in reader:
        where = f"roster {path}, line {reader.line_num}"
        cells = {name: (row.get(name) or "").strip() for name in (*COLUMNS, "consent")}
        if not any(cells.values()):
            continue
        number = cells["student_no"]
        if not number:
            raise RosterError(
                f"{where}: the student number is empty; give {cells['name'] or 'this student'} one"
            )
        if not STUDENT_NO.fullmatch(number):
            raise RosterError(
                f"{where}: student number {number!r} has characters other than letters, digits and _ . - : "
                "(at most 64); correct it"
            )
        if number in first_seen:
            raise RosterError(
                f"{where}: student number {number} stands on line {first_seen[number]} already; remove one of them"
            )
        if None in row:
            raise RosterError(
                f"{where}: there are more cells than columns; put a name that holds a comma into double quotes"
            )
        if any(unicodedata.category(character) == "Cc" for cell in cells.values() for character in cell):
            raise RosterError(f"{where}: a cell of student {number} holds a control character; remove it")
        if cells["email"] and "@" not in cells["email"]:
            raise RosterError(f"{where}: {cells['email']!r} of student {number} is no e-mail address")
        if not cells["name"]:
            raise RosterError(f"{where}: student {number} has no name; give one")
        if len(cells["name"]) > 200 or len(cells["email"]) > 254:
            raise RosterError(
                f"{where}: name (200 characters) or e-mail (254) of student {number} is too long"
            )
        first_seen[number] = reader.line_num
        lines.append(RosterLine(**cells))
    if not lines:
        raise RosterError(f"roster {path} names no student; add a line for each")
    return lines


def make_course(session: Session, code: str, time_zone: str | None = None) -> Course:
    """The course of that code, made where there is none. `time_zone`: an IANA name; None keeps what it has, or UTC."""
    if time_zone is not None:
        try:
            ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise RosterError(f"time zone {time_zone!r} is not known; write e.g. Europe/Berlin") from error
    if not code.strip() or len(code) > 64:
        raise RosterError(f"course code {code!r} must have 1 to 64 characters")
    course = session.scalar(select(Course).where(Course.code == code))
    if course is None:
        course = Course(
            code=code, time_zone=time_zone or "UTC", late_after_s=600, left_early_s=600, min_presence=0.1
        )
        session.add(course)
        session.flush()
    elif time_zone is not None:
        course.time_zone = time_zone
    return course


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


def enrol(session: Session, course: Course, lines: Iterable[RosterLine]) -> list[Student]:
    """Add or update the students and put them on the course's roster; in the order of the lines."""
    lines = list(lines)
    known = {
        student.student_no: student
        for student in session.scalars(
            select(Student).where(Student.student_no.in_([line.student_no for line in lines]))
        )
    }
    students = []
    for line in lines:
        student = known.get(line.student_no)
        if student is None:
            student = Student(student_no=line.student_no, name=line.name, email=line.email.lower())
            session.add(student)
        else:
            student.name, student.email = line.name, line.email.lower()
        students.append(student)
    session.flush()
    enrolled = set(session.scalars(select(Enrolment.student_id).where(Enrolment.course_id == course.id)))
    session.add_all(
        Enrolment(course_id=course.id, student_id=student.id)
        for student in students
        if student.id not in enrolled
    )
    session.flush()
    return students


def record_consent(session: Session, student: Student, note: str) -> None:
    """Keep the agreement on record; the same note is not recorded twice."""
    held = session.scalar(
        select(Consent).where(
            Consent.student_id == student.id, Consent.note == note, Consent.withdrawn_at.is_(None)
        )
    )
    if held is None:
        session.add(Consent(student_id=student.id, note=note, given_at=datetime.now(UTC)))


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


def forget_faces(session: Session, face_ids: Collection[str]) -> None:
    """Remove the rows of faces."""
    session.execute(delete(FaceRow).where(FaceRow.face_id.in_(face_ids)))


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
            face.indexed_at,
        )
        for face, student in rows
    ]
