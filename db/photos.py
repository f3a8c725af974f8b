"""Enrolment photographs: whose they are, and which indexed face each one shows. Their bytes lie in the evidence store."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.errors import NotFoundError
from db.evidence.claims import KeptPhoto, condemn, hold
from db.schema import FaceRow, PhotoRow, Student

__all__ = ["add_photo", "faces_on", "find_photo", "photos_of", "remove_photos"]


def photos_of(session: Session, student_ids: Collection[int]) -> dict[int, list[PhotoRow]]:
    """The photographs of each of the students who has any, oldest first."""
    query = select(PhotoRow).where(PhotoRow.student_id.in_(student_ids)).order_by(PhotoRow.id)
    found: dict[int, list[PhotoRow]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.student_id].append(row)
    return dict(found)


def find_photo(session: Session, student_no: str, photo_id: int) -> PhotoRow:
    """Raises NotFoundError, also where it is somebody else's."""
    query = select(PhotoRow).join(Student).where(PhotoRow.id == photo_id, Student.student_no == student_no)
    row = session.scalar(query)
    if row is None:
        raise NotFoundError(f"there is no photograph {photo_id} of student {student_no!r}")
    return row


def faces_on(session: Session, photo: PhotoRow) -> Sequence[FaceRow]:
    """The faces indexed of a photograph: one in each collection of the engine."""
    shown = None if photo.face_id is None else session.get(FaceRow, photo.face_id)
    if shown is None:
        return []
    return alike(session, shown)


def alike(session: Session, face: FaceRow) -> Sequence[FaceRow]:
    """The faces indexed of the photograph that a face is of, itself among them."""
    query = select(FaceRow).where(
        FaceRow.student_id == face.student_id, FaceRow.photo_sha256 == face.photo_sha256
    )
    return session.scalars(query).all()


def add_photo(
    session: Session,
    student_id: int,
    face_id: str,
    kept: KeptPhoto,
    actor: str = SYSTEM,
    instead_of: Collection[PhotoRow] = (),
) -> PhotoRow:
    """Give a stored photograph its row, in place of these and of what is left of it from when its face was lost.

    Raises EvidenceError, transient, where it was swept away meanwhile.
    """
    hold(session, kept)
    row = PhotoRow(
        student_id=student_id,
        face_id=face_id,
        digest=kept.digest,
        bytes=kept.bytes,
        added_at=datetime.now(UTC),
        added_by=actor,
    )
    session.add(row)
    session.flush()
    note(session, actor, "photo.added", _subject(row), None, {"face": face_id, "bytes": row.bytes})
    faceless = select(PhotoRow).where(
        PhotoRow.student_id == student_id,
        PhotoRow.face_id.is_(None),
        PhotoRow.digest == kept.digest,
        PhotoRow.id != row.id,
    )
    remove_photos(session, {*instead_of, *session.scalars(faceless)}, actor)
    return row


def remove_photos(session: Session, rows: Collection[PhotoRow], actor: str = SYSTEM) -> None:
    """Remove photographs; their bytes go with the next `Archive.purge`."""
    for row in sorted(rows, key=lambda row: row.id):
        note(session, actor, "photo.removed", _subject(row), {"face": row.face_id}, None)
        session.delete(row)
    session.flush()
    condemn(session, {row.digest for row in rows})


def _subject(row: PhotoRow) -> str:
    return f"student:{row.student_id}/photo:{row.id}"
