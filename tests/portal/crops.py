"""Crops and photographs kept in the portal's tests as looks and enrolment leave them."""

from sqlalchemy import select

from db.database import Database
from db.evidence import Archive
from db.evidence.claims import attach
from db.schema import EvidenceRow, LookRow

__all__ = ["keep_crop"]


def keep_crop(
    database: Database, archive: Archive, session_id: int, track: str, picture: bytes, look: int = 0
) -> int:
    """Keep a crop of a track at one of a session's looks, the first where none is named; returns its id."""
    kept = archive.keep({track: picture})
    with database.writing() as writing:
        looks = select(LookRow.id).where(LookRow.session_id == session_id).order_by(LookRow.taken_at)
        look_id = writing.scalars(looks).all()[look]
        attach(writing, session_id, look_id, kept)
        writing.flush()
        found = writing.scalar(
            select(EvidenceRow.id).where(EvidenceRow.look_id == look_id, EvidenceRow.track == track)
        )
        assert found is not None
        return found
