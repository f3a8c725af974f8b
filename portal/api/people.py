"""Students and courses: who there is, and adding them."""

from collections.abc import Mapping
from typing import Any

from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, Range, Regexp
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.catalogue import StudentItem, courses_after, student_item, students_after
from db.errors import NotFoundError
from db.names import email_faults, name_faults
from db.people import RosterLine, enrol, find_course, find_student, make_course
from db.roster_file import EARLIEST, LATEST, STUDENT_NO
from db.schema import Course, Student
from portal.api.cursors import Window, slice_of, text_key
from portal.api.parts import Part, described, listed
from portal.api.problems import ProblemError
from portal.api.repeats import do
from portal.bearer import bearer
from portal.desk import desk

__all__ = ["part"]

part = Part("people", "Students and courses", "Whose attendance is taken, and in which courses.")

COURSE = "/courses/<course:code>"


def _is_address(text: str) -> None:
    for fault in email_faults(text):
        raise ValidationError(f"it {fault}")


class StudentShape(Schema):
    student_no = fields.String(metadata=described("Names the student in addresses.", "2026-1001"))
    name = fields.String(metadata=described("Full name.", "Ada Adams"))
    email = fields.String(metadata=described("Empty: not known.", "ada@example.edu"))
    courses = fields.List(
        fields.String(),
        metadata=described("Codes of their courses, of those the token reaches.", ["MATH-101"]),
    )


class CourseShape(Schema):
    code = fields.String(metadata=described("Names the course in addresses.", "MATH-101"))
    title = fields.String(allow_none=True, metadata=described("What it is called.", "Calculus"))
    time_zone = fields.String(metadata=described("IANA name.", "Europe/Berlin"))
    late_after_s = fields.Integer(metadata=described("Who joins later is late; seconds.", 600))
    left_early_s = fields.Integer(
        metadata=described("Who is gone so long before the end left early; seconds.", 600)
    )
    min_presence = fields.Float(metadata=described("Least share of the time that is no absence.", 0.1))
    attendance_limit = fields.Float(
        allow_none=True, metadata=described("Share of sessions below which people are warned.", 0.75)
    )


class WantedStudents(Window):
    course = fields.String(metadata=described("Of this course only, by its code.", "MATH-101"))


class NewStudent(Schema):
    student_no = fields.String(
        required=True,
        validate=Regexp(rf"^{STUDENT_NO.pattern}\Z", error="give 1 to 64 letters, digits and _ . - :"),
        metadata=described("Given by the institute.", "2026-1001"),
    )
    name = fields.String(
        required=True, validate=Length(1, 200), metadata=described("Full name.", "Ada Adams")
    )
    email = fields.String(
        load_default=None,
        validate=_is_address,
        metadata=described("Left out: what is on record stays, or none is known.", "ada@example.edu"),
    )
    enrolled_on = fields.Date(
        load_default=None,
        validate=Range(EARLIEST, LATEST),
        metadata=described(
            "From when on they are expected. Left out: from the beginning, or once the class met, now."
        ),
    )


class NewCourse(Schema):
    code = fields.String(
        required=True,
        validate=Length(1, 64),
        metadata=described("Letters, digits, spaces and - _ . : ( ) & + and between them /", "MATH-101"),
    )
    time_zone = fields.String(
        load_default="UTC", validate=Length(1, 64), metadata=described("IANA name.", "Europe/Berlin")
    )


@part.at("GET", "/students", "students")
@part.takes(WantedStudents, "query")
@part.gives(listed(StudentShape, "Students"))
def students(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Students, in the order of their numbers."""
    caller, after = bearer(), text_key(wanted["cursor"])
    assert caller is not None

    def read(limit: int) -> list[StudentItem]:
        with desk().database.reading() as reading:
            return students_after(reading, after, limit, caller.courses, wanted.get("course"))

    return slice_of(wanted, read, lambda line: (line.student_no,))


@part.at("GET", "/students/<string(maxlength=64):student_no>", "students")
@part.gives(StudentShape)
def student(student_no: str) -> StudentItem:
    """One student."""
    caller = bearer()
    assert caller is not None
    with desk().database.reading() as reading:
        found = find_student(reading, student_no)
        if found.removed_at is not None:
            raise NotFoundError(f"student {student_no} was removed")
        return student_item(reading, found, caller.courses)


@part.at("GET", "/courses", "students")
@part.takes(Window, "query")
@part.gives(listed(CourseShape, "Courses"))
def courses(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Courses, in the order of their codes."""
    caller, after = bearer(), text_key(wanted["cursor"])
    assert caller is not None

    def read(limit: int) -> list[Course]:
        with desk().database.reading() as reading:
            return courses_after(reading, after, limit, caller.courses)

    return slice_of(wanted, read, lambda line: (line.code,))


@part.at("GET", COURSE, "students")
@part.gives(CourseShape)
def course(code: str) -> Course:
    """One course with its rules."""
    with desk().database.reading() as reading:
        return find_course(reading, code)


@part.at("POST", "/courses", "students:edit")
@part.takes(NewCourse)
@part.gives(CourseShape, 201, "The course as it was made.")
def add_course(wanted: Mapping[str, Any]) -> ResponseReturnValue:
    """Make a course. Only for tokens that reach all courses."""
    caller = bearer()
    assert caller is not None
    if caller.courses is not None:
        raise ProblemError(
            403, "this token reaches some courses only; one that reaches all of them makes courses"
        )

    def work(writing: Session) -> Mapping[str, Any]:
        if writing.scalar(select(Course.id).where(Course.code == wanted["code"])) is not None:
            raise ProblemError(409, f"there is a course {wanted['code']} already; take another code")
        made = make_course(writing, wanted["code"], wanted["time_zone"], caller.email)
        shown: Mapping[str, Any] = CourseShape().dump(made)
        return shown

    return do(work, 201)


@part.at("POST", f"{COURSE}/students", "students:edit")
@part.takes(NewStudent)
@part.gives(StudentShape, 201, "The student as they are on record.")
def add_student(wanted: Mapping[str, Any], code: str) -> ResponseReturnValue:
    """Put a student on a course's roster, adding them where they are not on record. No face is indexed by that.

    A token that reaches all courses corrects the name and the e-mail address of who is on record, where they are given.
    """
    caller = bearer()
    assert caller is not None
    name, email = " ".join(wanted["name"].split()), wanted["email"]
    for told in (f"it {fault}" for fault in name_faults(name)):
        raise ProblemError(422, f"name: {told}", errors=[{"field": "name", "detail": told}])
    expected = wanted["enrolled_on"]
    day = "" if expected is None else expected.isoformat()
    number = wanted["student_no"]

    def work(writing: Session) -> Mapping[str, Any]:
        held = writing.scalar(select(Student).where(Student.student_no == number))
        if held is not None and held.removed_at is not None:
            raise ProblemError(409, f"student {number} was removed for good; take another number")
        known = "" if held is None else held.email
        line = RosterLine(number, name, known if email is None else email, "", "", day)
        differs = held is not None and (held.name, held.email) != (line.name, line.email.lower())
        if differs and caller.courses is not None:
            raise ProblemError(
                409,
                f"student {number} cannot be added as this has them; the office knows what is on record, "
                "and adds them",
            )
        (added,) = enrol(writing, find_course(writing, code), [line], caller.email)
        writing.flush()
        shown: Mapping[str, Any] = StudentShape().dump(student_item(writing, added, caller.courses))
        return shown

    return do(work, 201)
