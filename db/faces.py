"""The indexed faces as staff see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.schema import Enrolment, FaceRow, PhotoRow, Student

__all__ = ["FaceLine", "list_faces"]


@dataclass(frozen=True, slots=True)
class FaceLine:
    """An indexed face. `quality`: 0 to 1, None where it was not measured. `photo_id`: None where no photograph is kept."""

    face_id: str
    student_no: str
    name: str
    engine: str
    model: str
    quality: float | None
    photo: str
    indexed_at: datetime
    photo_id: int | None


def list_faces(
    session: Session, courses: Collection[int] | None, first: int = 0, limit: int = 50
) -> tuple[int, list[FaceLine]]:
    """How many faces there are, and the page of them that begins at `first`, by student number.

    `courses`: ids of those whose students count; None: all.
    """
    counted = select(func.count()).select_from(FaceRow)
    query = (
        select(FaceRow.face_id, Student.student_no, Student.name, FaceRow.engine, FaceRow.model)
        .add_columns(FaceRow.quality, FaceRow.photo, FaceRow.indexed_at)
        .add_columns(
            select(func.min(PhotoRow.id)).where(PhotoRow.face_id == FaceRow.face_id).scalar_subquery()
        )
        .join(Student, Student.id == FaceRow.student_id)
        .order_by(Student.student_no, FaceRow.indexed_at, FaceRow.face_id)
    )
    if courses is not None:
        theirs = FaceRow.student_id.in_(select(Enrolment.student_id).where(Enrolment.course_id.in_(courses)))
        counted, query = counted.where(theirs), query.where(theirs)
    total = session.scalar(counted) or 0
    return total, [FaceLine(*found) for found in session.execute(query.offset(first).limit(limit))]
