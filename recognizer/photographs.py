"""Taking one photograph, or one face, of a student out of everything; their others stay."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.people import cached_faces, forget_faces, indexed_faces
from db.photos import alike, faces_on, find_photo, photos_of, remove_photos
from db.schema import FaceRow
from recognizer.removal import Stock

__all__ = ["remove_face", "remove_photograph"]


def remove_photograph(stock: Stock, student_no: str, photo_id: int, actor: str) -> None:
    """Remove a photograph and what is indexed of it. Raises NotFoundError, and as `erase_face`; repeat it then."""
    with stock.database.reading() as session:
        photo = find_photo(session, student_no, photo_id)
        student_id, face_ids = photo.student_id, {face.face_id for face in faces_on(session, photo)}
    _take_out(stock, student_id, face_ids, {photo_id}, actor)


def remove_face(stock: Stock, face_id: str, actor: str) -> None:
    """Remove a face, what other collections know of the same photograph, and the photograph. Raises as the above."""
    with stock.database.reading() as session:
        face = session.get(FaceRow, face_id)
        if face is None:
            raise NotFoundError(
                f"there is no face {face_id!r}; 'gridroll faces list' shows those that are indexed"
            )
        student_id, face_ids = face.student_id, {one.face_id for one in alike(session, face)}
    _take_out(stock, student_id, face_ids, set(), actor)


def _take_out(
    stock: Stock, student_id: int, face_ids: Collection[str], photo_ids: Collection[int], actor: str
) -> None:
    # The rows go last, so that a removal that was cut short can be repeated.
    stock.engine.remove(face_ids)
    stock.cache.forget(student_id)

    def forget(session: Session) -> list[str]:
        own = photos_of(session, [student_id]).get(student_id, [])
        going = [photo for photo in own if photo.id in photo_ids or photo.face_id in face_ids]
        remove_photos(session, going, actor)
        forget_faces(session, face_ids, actor)
        return [face.face_id for face in indexed_faces(session, [student_id])]

    left = stock.database.transact(forget)
    with stock.database.reading() as session:
        stock.cache.put(cached_faces(session, left))
    stock.archive.purge()
