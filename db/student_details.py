"""A student's name and e-mail address: which can be, and their correction, held against what was read."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.errors import GridrollError, NotFoundError
from db.names import email_faults, name_faults
from db.people import correct
from db.record_digests import record_digest
from db.schema import Student

__all__ = ["StudentConflictError", "change_details", "check_details", "details_mark", "present_student"]


class StudentConflictError(GridrollError):
    """Somebody else changed the student since they were read."""


def present_student(session: Session, student_no: str) -> Student:
    """The student of that number. Raises NotFoundError where there is none, or they were removed."""
    student = session.scalar(
        select(Student).where(Student.student_no == student_no, Student.removed_at.is_(None))
    )
    if student is None:
        raise NotFoundError(f"there is no student {student_no!r}")
    return student


def check_details(session: Session, student_no: str, name: str, email: str) -> None:
    """Raises GridrollError, with a line for whoever filled in the form, for a name or an address that cannot be theirs."""
    if not name:
        raise GridrollError("a full name is needed; write it as the roster is to show it")
    for fault in name_faults(name):
        raise GridrollError(f"the name {name[:80]!r} {fault}")
    for fault in email_faults(email):
        raise GridrollError(f"the address {email[:80]!r} {fault}")
    query = select(Student).where(Student.email == email.lower(), Student.student_no != student_no)
    other = session.scalar(query.limit(1)) if email else None
    if other is not None:
        # An account is tied to its student by the address.
        raise GridrollError(
            f"{email} is the address of {other.name} ({other.student_no}); give another one, or leave it empty"
        )


def details_mark(student: Student) -> str:
    """Stands for a student's name and address as somebody read them."""
    return record_digest(student)[:16]


def change_details(
    session: Session, student_no: str, name: str, email: str, mark: str, actor: str = SYSTEM
) -> tuple[str, ...]:
    """Correct a student's name and e-mail address; returns which of the two were changed.

    `mark`: `details_mark` of what was read. Raises StudentConflictError where it is another by now, NotFoundError, and
    GridrollError with a line for whoever filled in the form.
    """
    student = present_student(session, student_no)
    if mark != details_mark(student):
        raise StudentConflictError(
            f"somebody else was faster: {student.name}, {student.email or 'no e-mail address'} stands there now; "
            "look at it, and save again if yours is right"
        )
    check_details(session, student_no, name, email)
    return correct(session, student, name, email, actor)
