"""Keeping, reading, sweeping and erasing crops: both databases, a folder and a bucket."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from db.database import Database
from db.errors import EvidenceError, NotFoundError
from db.evidence import exhibits_of
from db.evidence.archive import Swept
from db.evidence.blobs import Blob, BlobStore
from db.evidence.erased import erased_tracks
from db.evidence.keys import new_key
from db.judgements import forget_guest
from db.schema import AuditRow, BlobRow, EvidenceRow, FaceRow, Student
from db.sessions import find_session
from tests.conftest import START
from tests.db.evidence.conftest import DAYS, Lessons, OpenArchive, Shelf

ANN, BEN, CID = b"\xff\xd8 Ann \xff\xd9", b"\xff\xd8 Ben, more \xff\xd9", b"\xff\xd8 Cid \xff\xd9"


class Killed(BaseException):
    """The program ends here."""


class Dying:
    """A store whose program is killed at one of its acts, before it or right after it."""

    def __init__(self, blobs: BlobStore, act: str, after: bool = False, survived: int = 0) -> None:
        self._blobs, self._act, self._after, self._left = blobs, act, after, survived
        self.where, self.blobs = blobs.where, blobs.blobs
        self.tidy, self.check, self.close = blobs.tidy, blobs.check, blobs.close

    def put(self, name: str, content: bytes) -> None:
        self._dying("put", lambda: self._blobs.put(name, content))

    def get(self, name: str) -> bytes:
        return self._blobs.get(name)

    def delete(self, name: str) -> None:
        self._dying("delete", lambda: self._blobs.delete(name))

    def _dying(self, act: str, work: object) -> None:
        assert callable(work)
        dies = act == self._act and self._left == 0
        if act == self._act:
            self._left -= 1
        if not dies or self._after:
            work()
        if dies:
            raise Killed


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def audited(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        return [(row.action, row.subject, row.detail) for row in session.scalars(select(AuditRow))]


def test_a_crop_is_read_as_it_was_kept_and_lies_encrypted(lessons: Lessons, shelf: Shelf) -> None:
    ann, ben = lessons.look({"a": ANN, "b": BEN})
    assert (lessons.archive.read(ann), lessons.archive.read(ben)) == (ANN, BEN)
    contents = shelf.contents()
    assert sorted(contents) == sorted(lessons.digests())
    assert not any(b"Ann" in content or b"Ben" in content for content in contents.values())
    with pytest.raises(NotFoundError, match=r"no crop 999999; 'gridroll evidence list"):
        lessons.archive.read(999999)


def test_the_same_crop_twice_is_one_blob_that_survives_one_of_its_rows(
    lessons: Lessons, shelf: Shelf
) -> None:
    first, twin = lessons.look({"a": ANN, "a2": ANN})
    (later,) = lessons.look({"a": ANN})
    assert len(shelf.contents()) == 1
    with lessons.database.writing() as session:
        for gone in (first, twin):
            session.execute(update(EvidenceRow).where(EvidenceRow.id == gone).values(keep_until=START))
    assert lessons.archive.sweep(in_hours(2)) == Swept(2, 0)
    assert lessons.archive.read(later) == ANN
    assert lessons.archive.sweep(in_hours(DAYS * 24 + 1)) == Swept(1, 1)
    assert (shelf.contents(), lessons.blob_rows()) == ({}, set())


def test_crops_are_swept_when_their_time_is_over_and_that_is_on_record(
    lessons: Lessons, shelf: Shelf
) -> None:
    lessons.look({"a": ANN})
    assert lessons.archive.sweep(in_hours(DAYS * 24 - 1)) == Swept(0, 0)
    assert lessons.archive.sweep(in_hours(DAYS * 24 + 1)) == Swept(1, 1)
    assert lessons.archive.sweep(in_hours(DAYS * 24 + 1)) == Swept(0, 0)
    assert (shelf.contents(), lessons.digests()) == ({}, [])
    assert [(action, subject) for action, subject, _ in audited(lessons.database)] == [
        ("evidence.expired", "evidence")
    ]


def test_a_sweep_does_no_more_than_it_may_at_once(lessons: Lessons) -> None:
    lessons.look({str(number): bytes([number]) for number in range(5)})
    done = [lessons.archive.sweep(in_hours(DAYS * 24 + 1), limit=2) for _ in range(4)]
    assert done == [Swept(2, 2), Swept(2, 2), Swept(1, 1), Swept(0, 0)]


def test_who_keeps_none_writes_nothing(open_with: OpenArchive, shelf: Shelf) -> None:
    archive = open_with(days=0)
    assert archive.keep({"a": ANN}) == ()
    assert shelf.contents() == {}
    assert not (shelf.settings.home / "evidence.keys").exists()


def test_a_blob_whose_look_was_never_stored_is_swept_but_not_at_once(lessons: Lessons, shelf: Shelf) -> None:
    lessons.archive.keep({"a": ANN})  # and here the program is killed
    assert lessons.archive.sweep() == Swept(0, 0)
    assert len(shelf.contents()) == 1
    assert lessons.archive.sweep(in_hours(2)) == Swept(0, 1)
    assert (shelf.contents(), lessons.blob_rows()) == ({}, set())


@pytest.mark.parametrize("after", [False, True])
def test_who_is_killed_while_writing_leaves_nothing_for_ever(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive, after: bool
) -> None:
    with pytest.raises(Killed):
        open_with(blobs=Dying(shelf.blobs, "put", after)).keep({"a": ANN})
    assert lessons.archive.sweep(in_hours(2)) == Swept(0, 1)
    assert (shelf.contents(), lessons.blob_rows()) == ({}, set())


@pytest.mark.parametrize("after", [False, True])
def test_who_is_killed_while_deleting_leaves_no_row_that_points_to_nothing(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive, after: bool
) -> None:
    lessons.look({"a": ANN, "b": BEN})
    late = lessons.archive.keep({"c": CID})
    with pytest.raises(Killed):
        open_with(blobs=Dying(shelf.blobs, "delete", after, survived=1)).sweep(in_hours(DAYS * 24 + 1))
    # Its look comes far too late, when the blob may be gone already.
    assert lessons.store(late) == []
    (again,) = lessons.look({"a": ANN})
    lessons.archive.purge()
    assert lessons.archive.read(again) == ANN
    assert list(shelf.contents()) == lessons.digests()


def test_a_blob_that_is_needed_again_while_it_waits_to_be_deleted_is_kept(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    lessons.look({"a": ANN})
    with pytest.raises(Killed):
        open_with(blobs=Dying(shelf.blobs, "delete")).sweep(in_hours(DAYS * 24 + 1))
    kept = lessons.archive.keep({"a": ANN})
    assert lessons.archive.purge() == 0
    (again,) = lessons.store(kept)
    assert lessons.archive.read(again) == ANN


def test_who_deletes_by_an_old_list_looks_again_at_each_blob(
    lessons: Lessons, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = lessons.archive.keep({"a": ANN})
    names = [one.digest for one in kept]
    monkeypatch.setattr("db.evidence.archive.condemned", lambda session: names)
    assert lessons.archive.purge() == 0
    monkeypatch.setattr("db.evidence.archive.orphans", lambda session, before, limit: names)
    assert lessons.archive.sweep() == Swept(0, 0)
    (ann,) = lessons.store(kept)
    assert lessons.archive.sweep(in_hours(2)) == Swept(0, 0)
    assert lessons.archive.read(ann) == ANN


def test_a_crop_erased_between_its_blob_and_its_look_does_not_come_back(
    lessons: Lessons, shelf: Shelf
) -> None:
    ann, _ = lessons.students
    lessons.look({"a": ANN}, {"a": ann})
    kept = lessons.archive.keep({"a": ANN, "b": BEN})
    lessons.archive.erase_student(ann)
    (ben,) = lessons.store(kept, {"a": ann})
    assert lessons.archive.read(ben) == BEN
    lessons.archive.purge()
    assert list(shelf.contents()) == lessons.digests()


def test_a_crop_that_comes_after_its_student_was_erased_is_let_go(lessons: Lessons, shelf: Shelf) -> None:
    ann, ben = lessons.students
    lessons.look({"a": ANN}, {"a": ann})
    kept = lessons.archive.keep({"a": ANN + b"other", "b": BEN, "c": CID})
    with lessons.database.writing() as session:
        session.execute(delete(FaceRow).where(FaceRow.student_id == ann))
    lessons.archive.erase_student(ann)
    assert len(lessons.store(kept, {"b": ben, "c": ann})) == 1  # "a" was Ann at the look before
    lessons.archive.purge()
    assert list(shelf.contents()) == lessons.digests()
    assert len(lessons.blob_rows()) == 1


def test_a_crop_that_comes_after_its_guest_was_forgotten_is_let_go(lessons: Lessons, shelf: Shelf) -> None:
    lessons.guest("g", "Dr. Cid")
    lessons.guest("h", "Dr. Dee")
    kept = lessons.archive.keep({"g": CID, "h": b"Dee"})
    lessons.archive.erase_guest("Dr. Cid")
    with lessons.database.writing() as session:
        assert forget_guest(session, "Dr. Cid") == 1
    assert len(lessons.store(kept)) == 1
    lessons.archive.purge()
    assert list(shelf.contents()) == lessons.digests()


def test_who_erases_waits_for_a_look_that_is_being_stored(lessons: Lessons) -> None:
    ann, _ = lessons.students
    removed = threading.Event()

    def remove() -> None:
        lessons.database.transact(
            lambda session: session.execute(delete(FaceRow).where(FaceRow.student_id == ann))
        )
        removed.set()

    remover = threading.Thread(target=remove)
    lessons.look({"a": ANN}, {"a": ann})
    with lessons.database.writing() as session:
        assert erased_tracks(session, lessons.session_id, {"a"}) == set()
        remover.start()
        assert not removed.wait(0.3)
    remover.join()
    with lessons.database.writing() as session:
        assert erased_tracks(session, lessons.session_id, {"a"}) == {"a"}


def test_bytes_written_after_their_erasure_are_found_and_deleted(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    ann, _ = lessons.students
    lessons.look({"a": ANN}, {"a": ann})

    eraser = threading.Thread(target=lessons.archive.erase_student, args=(ann,))

    class Slow(Dying):
        """Writes only when the crop has been erased meanwhile, or is waited for."""

        def put(self, name: str, content: bytes) -> None:
            eraser.start()
            eraser.join(0.3)
            super().put(name, content)

    kept = open_with(blobs=Slow(shelf.blobs, "")).keep({"a": ANN})
    eraser.join()
    assert lessons.store(kept) == []
    assert lessons.archive.purge() == 1
    assert shelf.contents() == {}


def test_what_only_the_store_knows_is_found_by_comparing_and_what_it_lacks_is_counted(
    lessons: Lessons, shelf: Shelf
) -> None:
    lessons.look({"a": ANN, "b": BEN})
    stray = "5" * 64
    shelf.blobs.put(stray, b"of a later backup")
    shelf.blobs.delete(lessons.digests()[0])
    assert lessons.archive.sweep(thorough=True) == Swept(0, 0, 0)  # both may be under way
    assert lessons.archive.sweep(in_hours(2), thorough=True) == Swept(0, 0, 1, 1)
    assert shelf.contents().keys() == {stray, lessons.digests()[1]}  # another database may need it
    assert lessons.archive.sweep(in_hours(2), thorough=True, remove_unknown=True) == Swept(0, 1, 1)
    assert list(shelf.contents()) == lessons.digests()[1:]


def test_a_changed_bit_in_the_store_is_noticed(lessons: Lessons, shelf: Shelf) -> None:
    (ann,) = lessons.look({"a": ANN})
    ((name, content),) = shelf.contents().items()
    shelf.change(name, content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EvidenceError, match="is damaged or was changed; restore the store from a backup"):
        lessons.archive.read(ann)


def test_with_the_wrong_keys_a_crop_stays_closed_and_new_ones_are_kept(
    lessons: Lessons, open_with: OpenArchive
) -> None:
    (ann,) = lessons.look({"a": ANN})
    own = lessons.archive.keys.newest_id
    other = open_with(keys=new_key())
    with pytest.raises(
        EvidenceError, match=f"encrypted under key {own}, which is not among the keys"
    ) as error:
        other.read(ann)
    assert "\n" not in str(error.value)
    lessons.archive = other
    (again,) = lessons.look({"a": ANN})
    assert other.read(again) == ANN


def test_erasing_a_student_leaves_nothing_of_them_and_all_of_the_others(
    lessons: Lessons, shelf: Shelf
) -> None:
    ann, ben = lessons.students
    lessons.look({"a": ANN, "b": BEN}, {"a": ann, "b": ben})
    lessons.look({"a": ANN + b"pending"})  # the same track, before or after it had a name
    lessons.look({"c": CID}, {"c": ann}, verdict="doubtful")
    assert lessons.archive.erase_student(ann, "sue@x.example") == 2
    assert lessons.archive.erase_student(ann) == 0
    assert len(shelf.contents()) == 2
    assert sorted(shelf.contents()) == sorted(lessons.digests())
    assert audited(lessons.database) == [
        ("evidence.erased", f"student:{ann}", '{"after":{"crops":0},"before":{"crops":2},"reason":""}')
    ]


def test_erasing_a_student_needs_no_key(lessons: Lessons, shelf: Shelf) -> None:
    ann, _ = lessons.students
    lessons.look({"a": ANN}, {"a": ann})
    (shelf.settings.home / "evidence.keys").unlink()
    assert lessons.archive.erase_student(ann) == 1
    assert shelf.contents() == {}


def test_an_erasure_that_the_store_could_not_finish_is_said_and_finished_by_the_next(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    ann, _ = lessons.students
    lessons.look({"a": ANN}, {"a": ann})

    class Away(Dying):
        def delete(self, name: str) -> None:
            raise EvidenceError("the store is away", transient=True)

    with pytest.raises(EvidenceError, match=r"1 crops that are to go are still.*the store is away") as error:
        open_with(blobs=Away(shelf.blobs, "")).erase_student(ann)
    assert error.value.transient
    assert len(shelf.contents()) == 1
    assert lessons.archive.erase_student(ann) == 0
    assert shelf.contents() == {}


class Stuck(Dying):
    """A store that never deletes some blobs."""

    def __init__(self, blobs: BlobStore, stuck: set[str], transient: bool = False) -> None:
        super().__init__(blobs, "")
        self.stuck, self.transient, self.tried = stuck, transient, 0

    def delete(self, name: str) -> None:
        self.tried += 1
        if name in self.stuck:
            raise EvidenceError("not that one", self.transient)
        super().delete(name)


def test_a_blob_that_cannot_be_deleted_keeps_no_other_from_going(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    ann, _ = lessons.students
    lessons.look({str(number): bytes([number]) for number in range(5)}, dict.fromkeys("01234", ann))
    names = sorted(shelf.contents())
    with pytest.raises(EvidenceError, match=r"2 crops that are to go are still in the store.*not that one"):
        open_with(blobs=Stuck(shelf.blobs, set(names[:2]))).erase_student(ann)
    assert sorted(shelf.contents()) == names[:2]
    swept = open_with(blobs=Stuck(shelf.blobs, {names[0]})).sweep()
    assert (swept.removed, str(swept.failure)[:7]) == (1, "1 crops")
    assert lessons.archive.sweep() == Swept(0, 1)


def test_a_store_that_is_away_is_not_waited_for_at_each_blob(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    lessons.look({str(number): bytes([number]) for number in range(9)})
    away = Stuck(shelf.blobs, set(shelf.contents()), transient=True)
    swept = open_with(blobs=away).sweep(in_hours(DAYS * 24 + 1))
    assert (swept.expired, swept.removed, away.tried) == (9, 0, 3)
    assert "9 crops" in str(swept.failure)


def test_the_ledger_is_written_while_a_blob_is_being_deleted(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    wrote = []

    class Slow(Dying):
        def delete(self, name: str) -> None:
            other = Database(lessons.database.engine.url.render_as_string(False))
            try:
                with other.writing() as session:
                    session.execute(update(Student).values(name="N"))
                wrote.append(name)
            finally:
                other.close()
            super().delete(name)

    lessons.look({"a": ANN})
    open_with(blobs=Slow(shelf.blobs, "")).sweep(in_hours(DAYS * 24 + 1))
    assert len(wrote) == 1


def test_who_wants_a_blob_again_while_it_is_deleted_waits_and_writes_it_anew(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    crops: list[int] = []
    looker = threading.Thread(target=lambda: crops.extend(lessons.look({"a": ANN})))

    class Slow(Dying):
        def delete(self, name: str) -> None:
            looker.start()
            looker.join(0.3)
            super().delete(name)

    lessons.look({"a": ANN})
    assert open_with(blobs=Slow(shelf.blobs, "")).sweep(in_hours(DAYS * 24 + 1)) == Swept(1, 1)
    looker.join()
    assert [lessons.archive.read(crop) for crop in crops] == [ANN]


def test_erasing_a_guest_takes_those_who_were_known_again_too(lessons: Lessons, shelf: Shelf) -> None:
    ann, _ = lessons.students
    lessons.guest("g", "Dr. Cid")
    lessons.guest("h", "Dr. Dee")
    lessons.look({"g": CID, "h": b"Dee", "a": ANN}, {"a": ann})
    lessons.look({"g9": CID + b" again"}, {"g9": ann}, verdict="guest")
    assert lessons.archive.erase_guest("Dr. Nobody") == 0
    assert lessons.archive.erase_guest("Dr. Cid") == 2
    assert len(shelf.contents()) == 2
    assert sorted(shelf.contents()) == sorted(lessons.digests())
    assert "Cid" not in str(audited(lessons.database))


def test_looks_kept_and_swept_at_the_same_time_lose_nothing(
    lessons: Lessons, shelf: Shelf, open_with: OpenArchive
) -> None:
    ann, _ = lessons.students
    found: list[Exception] = []

    def erase() -> None:
        archive = open_with()
        for _ in range(6):
            try:
                archive.erase_student(ann)
                archive.sweep(in_hours(0.9))
            except Exception as error:
                found.append(error)

    thread = threading.Thread(target=erase)
    thread.start()
    for _ in range(6):  # the same two pictures again and again, one of them the erased student's
        lessons.look({"a": ANN, "b": BEN}, {"a": ann})
    thread.join()
    assert found == []
    lessons.archive.purge()
    assert set(lessons.digests()) == shelf.contents().keys() == lessons.blob_rows()
    with lessons.database.reading() as session:
        for evidence_id in session.scalars(select(EvidenceRow.id)).all():
            assert lessons.archive.read(evidence_id) in {ANN, BEN}


def test_a_session_s_crops_are_listed_with_what_was_concluded(lessons: Lessons) -> None:
    ann, _ = lessons.students
    (crop,) = lessons.look({"a": ANN}, {"a": ann})
    with lessons.database.reading() as session:
        (exhibit,) = exhibits_of(session, find_session(session, lessons.session_id).id)
        assert exhibits_of(session, lessons.session_id + 1) == []
    assert (exhibit.id, exhibit.track, exhibit.student_no, exhibit.verdict) == (crop, "a", "S1", "named")
    assert (exhibit.similarity_pct, exhibit.threshold_pct, exhibit.runner_up_no) == (97.5, 91.0, None)
    assert (exhibit.engine, exhibit.model, exhibit.bytes) == ("local", "dlib", len(ANN))
    assert exhibit.taken_at == START + timedelta(minutes=1)


def test_a_blob_of_which_the_database_knows_nothing_is_not_taken_for_a_look_s(
    lessons: Lessons, shelf: Shelf
) -> None:
    (ann,) = lessons.look({"a": ANN})
    with lessons.database.writing() as session:
        session.execute(update(BlobRow).values(key_id=""))
    assert [type(blob) for blob in shelf.blobs.blobs()] == [Blob]
    assert lessons.archive.sweep(in_hours(2), thorough=True) == Swept(0, 0)
    assert lessons.archive.read(ann) == ANN
