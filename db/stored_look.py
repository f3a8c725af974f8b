"""What is on record of a look that is handed in again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.looks import find_look
from db.schema import LookRow, NamingRow, SightingRow

__all__ = ["StoredLook", "stored_look"]


@dataclass(frozen=True, slots=True)
class StoredLook:
    """A look as it was stored. `people`: the track each head is stored under, by its box, in pixels of the frame.

    `verdicts`: what was concluded of each of them by then, in order of time: verdict and student id. `asked`: the tracks of
    which something was concluded at this very look. `latest`: similarity in percent and number of looks behind the last
    conclusion of each, whenever that was.
    """

    people: Mapping[tuple[int, int, int, int], str]
    verdicts: Mapping[str, Sequence[tuple[str, int | None]]]
    asked: frozenset[str]
    latest: Mapping[str, tuple[float | None, int]]


def stored_look(session: Session, session_id: int, uid: str) -> StoredLook | None:
    """The look of that uid; None where it is new."""
    look = find_look(session, session_id, uid)
    if look is None:
        return None
    heads = select(SightingRow).where(SightingRow.look_id == look.id)
    people = {(row.x1, row.y1, row.x2, row.y2): row.track for row in session.scalars(heads)}
    concluded = (
        select(NamingRow, LookRow.taken_at)
        .join(LookRow)
        .where(LookRow.session_id == session_id, NamingRow.track.in_(people.values()))
        .order_by(LookRow.taken_at, LookRow.id)
    )
    verdicts: dict[str, list[tuple[str, int | None]]] = {}
    asked, latest = set(), {}
    for row, taken_at in session.execute(concluded):
        latest[row.track] = (row.similarity_pct, row.looks)
        if taken_at <= look.taken_at:
            verdicts.setdefault(row.track, []).append((row.verdict, row.student_id))
        asked |= {row.track} if row.look_id == look.id else set()
    return StoredLook(people, verdicts, frozenset(asked), latest)
