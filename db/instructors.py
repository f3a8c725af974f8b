"""Who teaches which course: an instructor sees those and no other."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from db.audit import SYSTEM
from db.errors import GridrollError
from db.proof import note_record
from db.schema import AttendanceRow, Course, CourseStaff, Enrolment, SessionRow, Student, User

__all__ = [
    "add_instructor",
    "course_ids_of",
    "has_entry",
    "instructors_of",
    "reaches_course",
    "reaches_session",
    "reaches_student",
    "remove_instructor",
]


def add_instructor(session: Session, course: Course, user: User, actor: str = SYSTEM) -> bool:
    """Let an instructor see a course. Returns False where they do already. Raises GridrollError for other roles."""
    if user.role != "instructor":
        raise GridrollError(f"{user.email} is {user.role}; only an instructor is tied to courses")
    if _place(session, course.id, user.id) is not None:
        return False
    row = CourseStaff(course_id=course.id, user_id=user.id)
    session.add(row)
    session.flush()
    note_record(session, actor, "instructor.added", row)
    return True


def remove_instructor(session: Session, course: Course, user: User, actor: str = SYSTEM) -> bool:
    """Take a course from an instructor. Returns False where they do not have it."""
    row = _place(session, course.id, user.id)
    if row is None:
        return False
    note_record(session, actor, "instructor.removed", row)
    session.delete(row)
    session.flush()
    return True


def instructors_of(session: Session, course_id: int) -> Sequence[User]:
    """In the order of their addresses."""
    query = (
        select(CourseStaff)
        .join(CourseStaff.user)
        .options(contains_eager(CourseStaff.user))
        .where(CourseStaff.course_id == course_id)
        .order_by(User.email)
    )
    return [row.user for row in session.scalars(query)]


def course_ids_of(session: Session, user_id: int) -> frozenset[int]:
    return frozenset(session.scalars(select(CourseStaff.course_id).where(CourseStaff.user_id == user_id)))


def reaches_course(session: Session, courses: Collection[int], code: str) -> bool:
    """Whether the course of that code is one of these."""
    query = select(Course.id).where(Course.code == code, Course.id.in_(courses))
    return session.scalar(query) is not None


def reaches_session(session: Session, courses: Collection[int], session_id: int) -> bool:
    """Whether that session is of one of these courses."""
    query = select(SessionRow.id).where(SessionRow.id == session_id, SessionRow.course_id.in_(courses))
    return session.scalar(query) is not None


def has_entry(session: Session, session_id: int, student_id: int) -> bool:
    """Whether the student has an entry in that session; it stays theirs when they leave the course's roster."""
    query = select(AttendanceRow.id).where(
        AttendanceRow.session_id == session_id, AttendanceRow.student_id == student_id
    )
    return session.scalar(query) is not None


def reaches_student(session: Session, courses: Collection[int], student_no: str) -> bool:
    """Whether that student is on the roster of one of these courses."""
    query = (
        select(Enrolment.id)
        .join(Student, Student.id == Enrolment.student_id)
        .where(Student.student_no == student_no, Enrolment.course_id.in_(courses))
        .limit(1)
    )
    return session.scalar(query) is not None


def _place(session: Session, course_id: int, user_id: int) -> CourseStaff | None:
    return session.scalar(
        select(CourseStaff).where(CourseStaff.course_id == course_id, CourseStaff.user_id == user_id)
    )
