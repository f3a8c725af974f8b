"""What the pages of students share: their addresses, on whose behalf they act, and words for photographs not taken."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint

from db.errors import StoreError
from portal.desk import desk
from portal.errors import UnfinishedError
from portal.sign_in import Viewer, viewer
from recognizer.enrolment import Enrolment
from recognizer.errors import EngineError, LookalikeError, PhotoError, UnlikeError
from recognizer.removal import Stock

__all__ = ["STUDENT", "current", "enrolment", "pages", "refusal_words", "removing"]

pages = Blueprint("students", __name__)

STUDENT = "/students/<string(maxlength=64):student_no>"


def current() -> Viewer:
    """The viewer of a page that is open to nobody else than users."""
    user = viewer()
    assert user is not None
    return user


def enrolment() -> Enrolment:
    """Takes photographs on behalf of the viewer. The first call opens the engine, which takes some seconds."""
    at = desk()
    return Enrolment(
        at.database, at.cache, at.backroom.engine, at.settings, current().email, at.backroom.archive
    )


@contextmanager
def removing(done: str = "") -> Iterator[Stock]:
    """Everything a face is in, to remove something from. Raises UnfinishedError where not all of it can be reached.

    `done`: a sentence on what is on record all the same.
    """
    try:
        yield desk().stock()
    except (StoreError, EngineError) as error:
        raise UnfinishedError(
            f"{done}Not everything is removed yet ({error}). Go back and do it again."
        ) from error


def refusal_words(error: PhotoError) -> str:
    """Why a photograph is not taken and what helps, for staff."""
    match error:
        case LookalikeError():
            return (
                f"The photograph looks like {error.other_name} ({error.other_no}, {error.similarity_pct:.0f} %): find out "
                "whose it is. Where two people look alike, say so below and send it again."
            )
        case UnlikeError():
            return (
                f"The photograph does not look like the student’s others ({error.similarity_pct:.0f} % at best): look at it. "
                "If it is the student, say so below and send it again."
            )
        case PhotoError(fault="full"):
            most = desk().settings.max_faces_per_student
            return f"At most {most} photographs of a student are kept: remove one of them first."
    return error.for_student
