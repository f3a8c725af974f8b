"""What is on record of a look that is handed in again."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.looks import find_look
from db.schema import LookRow, NamingRow, SightingRow

__all__ = ["StoredLook", "stored_look"]


@dataclass(frozen=True, slots=True)
class StoredLook:
    """A look as it was stored. `people`: the track each head is stored under, by its box, in pixels of the frame.

    `verdicts`: what was concluded last of each of them by then, verdict and student id. `asked`: the tracks of
    which something was concluded at this very look.
    """

    people: Mapping[tuple[int, int, int, int], str]
    verdicts: Mapping[str, tuple[str, int | None]]
    asked: frozenset[str]


def stored_look(session: Session, session_id: int, uid: str) -> StoredLook | None:
    """The look of that uid; None where it is new."""
    look = find_look(session, session_id, uid)
    if look is None:
        return None
    heads = select(SightingRow).where(SightingRow.look_id == look.id)
    people = {(row.x1, row.y1, row.x2, row.y2): row.track for row in session.scalars(heads)}
    concluded = (
        select(NamingRow)
        .join(LookRow)
        .where(
            LookRow.session_id == session_id,
            LookRow.taken_at <= look.taken_at,
            NamingRow.track.in_(people.values()),
        )
        .order_by(LookRow.taken_at, LookRow.id)
    )
    namings = session.scalars(concluded).all()
    verdicts = {row.track: (row.verdict, row.student_id) for row in namings}
    return StoredLook(people, verdicts, frozenset(row.track for row in namings if row.look_id == look.id))
