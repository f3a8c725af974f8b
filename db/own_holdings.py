"""How much is held of a student's face and record, in numbers."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.own_crops import own_crops
from db.schema import AttendanceRow, FaceRow, PhotoRow

__all__ = ["Holdings", "holdings_of"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Counts. `faces`: in recognition; `photographs`: from enrolment; `crops`: of classes, not deleted yet."""

    sessions: int
    faces: int
    photographs: int
    crops: int

    @property
    def of_the_face(self) -> int:
        return self.faces + self.photographs + self.crops


def holdings_of(session: Session, student_id: int) -> Holdings:
    def count(model: type[AttendanceRow | FaceRow | PhotoRow]) -> int:
        query = select(func.count()).select_from(model).where(model.student_id == student_id)
        return session.scalar(query) or 0

    return Holdings(
        sessions=count(AttendanceRow),
        faces=count(FaceRow),
        photographs=count(PhotoRow),
        crops=len(own_crops(session, student_id)),
    )
