"""What a body names: a course there is held against what the token reaches, as the guard does with addresses."""

from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.people import find_course
from db.schema import Course
from portal.api.problems import ProblemError
from portal.bearer import Bearer

__all__ = ["own_course"]


def own_course(session: Session, caller: Bearer, code: str) -> Course:
    """The course of that code. Raises ProblemError where there is none, or none that the token reaches."""
    try:
        course = find_course(session, code)
    except NotFoundError:
        course = None
    if course is None or (caller.courses is not None and course.id not in caller.courses):
        raise ProblemError(
            422,
            f"course: there is no course {code!r}, or it is not the token's",
            errors=[{"field": "course", "detail": f"there is no course {code!r}, or it is not the token's"}],
        )
    return course
