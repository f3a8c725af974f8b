"""The address of a course, and what its pages share."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint
from sqlalchemy.orm import Session

from db.courses import CourseConflictError
from db.errors import GridrollError, NotFoundError, StoreError
from db.planning import PlanConflictError
from db.roster import ImportConflictError
from portal.desk import desk
from portal.sign_in import Viewer, viewer

__all__ = ["COURSE", "Refusal", "attempt", "pages", "user"]

pages = Blueprint("courses", __name__)

COURSE = "/courses/<course:code>"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what was sent is not done. `conflict`: somebody else was faster."""

    text: str
    conflict: bool = False

    @property
    def status(self) -> int:
        return 409 if self.conflict else 400


def attempt(work: Callable[[Session], object], idempotent: bool = True) -> Refusal | None:
    """Do it in a transaction; returns why not, None where it is done. Raises NotFoundError, StoreError."""
    try:
        desk().database.transact(work, idempotent=idempotent)
    except (StoreError, NotFoundError):
        raise
    except (CourseConflictError, PlanConflictError, ImportConflictError) as error:
        return Refusal(str(error), conflict=True)
    except GridrollError as error:
        return Refusal(str(error))
    return None


def user() -> Viewer:
    """Who is signed in; the guard lets nobody else as far."""
    found = viewer()
    assert found is not None
    return found
