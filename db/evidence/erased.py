"""Whose crops are not wanted any more, although a look that was under way brings them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import FaceRow, JudgementRow, LookRow, NamingRow
from db.tracks import GUEST, NAMED

__all__ = ["erased_tracks"]


def erased_tracks(session: Session, session_id: int, tracks: Collection[str]) -> set[str]:
    """Those of a session's tracks taken for a student without a face any more, or for a guest who was forgotten.

    The machine gives a name only to whom it has a face of, so this one was removed. What this is read from stays so until
    the transaction ends: whoever erases meanwhile comes before it, or waits and finds what it stores.
    """
    taken = (
        select(NamingRow.track, NamingRow.student_id)
        .join(LookRow, LookRow.id == NamingRow.look_id)
        .where(
            LookRow.session_id == session_id,
            NamingRow.track.in_(tracks),
            NamingRow.verdict == NAMED,
            NamingRow.student_id.is_not(None),
        )
        .distinct()
    )
    named = [(track, student_id) for track, student_id in session.execute(taken)]
    faces = select(FaceRow.student_id).where(FaceRow.student_id.in_({student_id for _, student_id in named}))
    known = set(session.scalars(faces.with_for_update(read=True)))
    guests = select(JudgementRow.subject, JudgementRow.name).where(
        JudgementRow.session_id == session_id,
        JudgementRow.subject.in_(tracks),
        JudgementRow.verdict == GUEST,
    )
    # Of every guest, not only of those without a name: who is just being forgotten has theirs still.
    forgotten = {subject for subject, name in session.execute(guests.with_for_update(read=True)) if not name}
    return {track for track, student_id in named if student_id not in known} | forgotten
