"""Enrolment photographs: whose they are."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import PhotoRow

__all__ = ["photos_of"]


def photos_of(session: Session, student_ids: Collection[int]) -> dict[int, list[PhotoRow]]:
    """The photographs of each of the students who has any, oldest first."""
    query = select(PhotoRow).where(PhotoRow.student_id.in_(student_ids)).order_by(PhotoRow.id)
    found: dict[int, list[PhotoRow]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.student_id].append(row)
    return dict(found)
