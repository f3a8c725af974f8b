"""Enrolment photographs beside the crops: kept while they have a row, on both databases, in a folder and in a bucket."""

import pytest
from sqlalchemy import delete, select

from db.errors import EvidenceError, NotFoundError
from db.evidence.keys import new_key
from db.evidence.rotation import Rotated, others, rotate
from db.photos import add_photo, find_photo, photos_of, remove_photos
from db.schema import AuditRow, FaceRow, PhotoRow
from tests.conftest import START
from tests.db.evidence.conftest import Lessons, OpenArchive, Shelf
from tests.db.evidence.test_archive import ANN, BEN, in_hours

OLD, NEW = new_key(), new_key()


def photograph(lessons: Lessons, picture: bytes, face_id: str = "f1") -> int:
    """Enrol the first student with a picture; returns the photograph's id."""
    kept = lessons.archive.keep_photo(picture)
    with lessons.database.writing() as session:
        if session.get(FaceRow, face_id) is None:
            face = FaceRow(face_id=face_id, student_id=lessons.students[0], engine="local", model="m")
            face.photo, face.photo_sha256, face.indexed_at = "p.jpg", "0" * 64, START
            session.add(face)
            session.flush()
        return add_photo(session, lessons.students[0], face_id, kept, "sue@x.example").id


def test_a_photograph_outlives_the_sweeps(lessons: Lessons, shelf: Shelf) -> None:
    photo_id = photograph(lessons, ANN)
    lessons.look({"a": BEN})
    lessons.archive.sweep(now=in_hours(24 * 365), thorough=True)
    assert len(shelf.contents()) == 1
    assert lessons.archive.read_photo(photo_id) == ANN


def test_it_is_kept_where_no_crops_are(lessons: Lessons, open_with: OpenArchive) -> None:
    lessons.archive = open_with(days=0)
    assert lessons.archive.read_photo(photograph(lessons, ANN)) == ANN


def test_a_photograph_that_no_row_came_for_is_swept_away(lessons: Lessons, shelf: Shelf) -> None:
    kept = lessons.archive.keep_photo(ANN)
    lessons.archive.sweep(now=in_hours(2))
    assert shelf.contents() == {}
    with lessons.database.writing() as session, pytest.raises(EvidenceError, match="hand it in again"):
        add_photo(session, lessons.students[0], "f1", kept)


def test_removed_it_is_gone_from_the_store_and_each_change_is_noted(lessons: Lessons, shelf: Shelf) -> None:
    photo_id = photograph(lessons, ANN)
    with lessons.database.writing() as session:
        remove_photos(session, photos_of(session, lessons.students)[lessons.students[0]], "sue@x.example")
    lessons.archive.purge()
    assert shelf.contents() == {}
    with pytest.raises(NotFoundError):
        lessons.archive.read_photo(photo_id)
    with lessons.database.reading() as session:
        noted = [(row.action, row.actor, row.subject) for row in session.scalars(select(AuditRow))]
    subject = f"student:{lessons.students[0]}/photo:{photo_id}"
    assert noted == [
        ("photo.added", "sue@x.example", subject),
        ("photo.removed", "sue@x.example", subject),
    ]


def test_a_crop_of_the_same_picture_keeps_its_blob(lessons: Lessons, shelf: Shelf) -> None:
    photograph(lessons, ANN)
    lessons.look({"a": ANN})
    with lessons.database.writing() as session:
        remove_photos(session, photos_of(session, lessons.students)[lessons.students[0]])
    lessons.archive.purge()
    assert len(shelf.contents()) == 1


def test_a_photograph_whose_face_was_lost_waits_and_is_not_doubled(lessons: Lessons) -> None:
    photograph(lessons, ANN)
    with lessons.database.writing() as session:
        session.execute(delete(FaceRow))
    with lessons.database.reading() as session:
        (lost,) = photos_of(session, lessons.students)[lessons.students[0]]
        assert lost.face_id is None
    photo_id = photograph(lessons, ANN, "f2")
    with lessons.database.reading() as session:
        assert [row.id for row in session.scalars(select(PhotoRow))] == [photo_id]


def test_a_new_key_takes_photographs_along(lessons: Lessons, open_with: OpenArchive) -> None:
    lessons.archive = open_with(keys=OLD)
    photo_id, both = photograph(lessons, ANN), open_with(keys=f"{NEW} {OLD}")
    assert others(both) == 1
    assert rotate(both) == Rotated(1, 0)
    assert others(both) == 0
    assert open_with(keys=NEW).read_photo(photo_id) == ANN


def test_nobody_elses_photograph_is_found(lessons: Lessons) -> None:
    photo_id = photograph(lessons, ANN)
    with lessons.database.reading() as session, pytest.raises(NotFoundError):
        find_photo(session, "nobody", photo_id)
