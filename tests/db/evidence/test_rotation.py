"""Changing the key: both databases, a folder and a bucket."""

import threading

import pytest
from sqlalchemy import select

from db.errors import EvidenceError, StoreError
from db.evidence.archive import Archive
from db.evidence.blobs import BlobStore
from db.evidence.keys import new_key
from db.evidence.rotation import Rotated, others, rotate
from db.schema import AuditRow, EvidenceRow
from tests.db.evidence.conftest import Lessons, OpenArchive, Shelf
from tests.db.evidence.test_archive import ANN, BEN, CID, Dying, Killed, in_hours

OLD, NEW = new_key(), new_key()


@pytest.fixture
def lesson(lessons: Lessons, open_with: OpenArchive) -> Lessons:
    """Three crops under the old key, one of them of two looks."""
    lessons.archive = open_with(keys=OLD)
    lessons.look({"a": ANN, "b": BEN, "c": CID})
    lessons.look({"a": ANN})
    return lessons


def pictures(lesson: Lessons, archive: Archive) -> list[bytes]:
    with lesson.database.reading() as session:
        return sorted(archive.read(number) for number in session.scalars(select(EvidenceRow.id)).all())


def test_afterwards_the_old_key_can_be_thrown_away(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    before, both, told = shelf.contents(), open_with(keys=f"{NEW} {OLD}"), []
    assert others(both) == 4
    assert rotate(both, lambda done, total: told.append((done, total))) == Rotated(3, 0)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert pictures(lesson, open_with(keys=NEW)) == sorted([ANN, BEN, CID, ANN])
    after = shelf.contents()
    assert not before.keys() & after.keys()
    assert set(lesson.digests()) == after.keys() == lesson.blob_rows()
    with lesson.database.reading() as session:
        assert [row.action for row in session.scalars(select(AuditRow))] == ["evidence.rotated"]


def test_doing_it_again_changes_nothing(lesson: Lessons, shelf: Shelf, open_with: OpenArchive) -> None:
    both = open_with(keys=f"{NEW},{OLD}")
    rotate(both)
    contents = shelf.contents()
    assert rotate(both) == Rotated(0, 0)
    assert (shelf.contents(), others(both)) == (contents, 0)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("act", ["put", "delete"])
def test_interrupted_half_way_everything_is_readable_and_the_next_goes_on(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive, act: str, after: bool
) -> None:
    keys = f"{NEW}\n{OLD}"
    with pytest.raises(Killed):
        rotate(open_with(keys=keys, blobs=Dying(shelf.blobs, act, after, survived=1)))
    both = open_with(keys=keys)
    assert pictures(lesson, both) == sorted([ANN, BEN, CID, ANN])
    assert rotate(both) == Rotated(2 if act == "put" else 0, 0)
    assert pictures(lesson, open_with(keys=NEW)) == sorted([ANN, BEN, CID, ANN])
    both.sweep(in_hours(2))
    assert set(lesson.digests()) == shelf.contents().keys() == lesson.blob_rows()


def test_what_cannot_be_read_is_passed_over_and_counted(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    name, content = min(shelf.contents().items())
    shelf.change(name, content[:-1] + bytes([content[-1] ^ 1]))
    done = rotate(open_with(keys=f"{NEW} {OLD}"))
    assert (done.renewed, done.failed) == (2, 1)
    assert "damaged" in done.reason
    assert others(open_with(keys=NEW)) >= 1


def test_without_the_old_key_nothing_is_lost(lesson: Lessons, shelf: Shelf, open_with: OpenArchive) -> None:
    contents = shelf.contents()
    done = rotate(open_with(keys=NEW))
    assert (done.renewed, done.failed) == (0, 3)
    assert "put that key behind the newest one again" in done.reason
    assert shelf.contents() == contents


def test_a_store_that_is_away_ends_it(lesson: Lessons, shelf: Shelf, open_with: OpenArchive) -> None:
    class Away(Dying):
        def put(self, name: str, content: bytes) -> None:
            raise EvidenceError("the store is away", transient=True)

    with pytest.raises(EvidenceError, match="the store is away"):
        rotate(open_with(keys=f"{NEW} {OLD}", blobs=Away(shelf.blobs, "")))
    assert rotate(open_with(keys=f"{NEW} {OLD}")) == Rotated(3, 0)


def test_what_was_renewed_before_it_ended_is_on_record_and_what_ended_it_is_told(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def actions() -> list[str]:
        with lesson.database.reading() as session:
            return [row.action for row in session.scalars(select(AuditRow))]

    keys = f"{NEW} {OLD}"
    with pytest.raises(Killed):
        rotate(open_with(keys=keys, blobs=Dying(shelf.blobs, "put", survived=1)))
    assert actions() == ["evidence.rotated"]

    def lost(*_: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr("db.evidence.rotation.note", lost)
    with pytest.raises(Killed):
        rotate(open_with(keys=keys, blobs=Dying(shelf.blobs, "put", survived=1)))


def test_who_is_erased_while_the_key_changes_does_not_come_back(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    ann, _ = lesson.students
    lesson.look({"x": b"Ann, to be erased"}, {"x": ann})

    class Slow(Dying):
        """Writes only when the student has been erased meanwhile, or is waited for."""

        def put(self, name: str, content: bytes) -> None:
            if not erasers:
                erasers.append(threading.Thread(target=lesson.archive.erase_student, args=(ann,)))
                erasers[0].start()
                erasers[0].join(0.5)
            super().put(name, content)

    erasers: list[threading.Thread] = []
    assert rotate(open_with(keys=f"{NEW} {OLD}", blobs=Slow(shelf.blobs, ""))) == Rotated(3, 0)
    erasers[0].join()
    assert len(lesson.digests()) == 4
    assert set(lesson.digests()) == shelf.contents().keys() == lesson.blob_rows()


class Late(Dying):
    """Before it first reads, another program changes the key of everything."""

    def __init__(self, blobs: BlobStore, other: Archive) -> None:
        super().__init__(blobs, "")
        self._other: Archive | None = other

    def get(self, name: str) -> bytes:
        other, self._other = self._other, None
        if other is not None:
            assert rotate(other) == Rotated(3, 0)
        return super().get(name)


def test_two_that_change_the_key_at_once_do_not_disturb_each_other(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    keys = f"{NEW} {OLD}"
    assert rotate(open_with(keys=keys, blobs=Late(shelf.blobs, open_with(keys=keys)))) == Rotated(0, 0)
    assert pictures(lesson, open_with(keys=NEW)) == sorted([ANN, BEN, CID, ANN])


def test_a_crop_can_be_read_while_its_key_changes(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    keys = f"{NEW} {OLD}"
    late = open_with(keys=keys, blobs=Late(shelf.blobs, open_with(keys=keys)))
    assert pictures(lesson, late) == sorted([ANN, BEN, CID, ANN])


def test_a_program_that_still_has_the_old_key_costs_another_round(
    lesson: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    both = open_with(keys=f"{NEW} {OLD}")
    rotate(both)
    lesson.look({"a": ANN})
    assert others(both) == 1
    assert rotate(both) == Rotated(1, 0)
    assert (others(both), len(shelf.contents())) == (0, 3)
