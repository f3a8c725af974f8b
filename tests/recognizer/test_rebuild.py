"""`gridroll faces rebuild`: the cache made anew from the database, and what the engine thinks of that."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from db.database import Database
from db.face_cache import CachedFace, FaceCache
from db.people import cached_faces, enrol, face_owners, forget_faces, make_course, read_roster
from db.settings import Settings
from recognizer.commands import faces
from recognizer.enrolment import Enrolment
from recognizer.local import LocalEngine
from recognizer.rebuild import Rebuilt, rebuild
from recognizer.stores import open_engine
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, crop_of

NOBODY = CachedFace("ghost", 99, "S99", "Nobody", "local", "model", None, START)


class Office:
    """Two students with a face each, as the command finds them."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database, self.cache, self.settings = database, cache, settings
        lines = ["student_no,name,email,photo", *(f"{one.student_no},{one.name},," for one in (ANN, BEN))]
        (folder / "roster.csv").write_text("\n".join(lines))
        with database.writing() as session:
            enrol(session, make_course(session, "BIO"), read_roster(folder / "roster.csv"))
        self.engine = open_engine(settings, database)

    def take(self, folder: Path, writer: object) -> None:
        enrolment = Enrolment(self.database, self.cache, self.engine, self.settings)
        for person in (ANN, BEN):
            enrolment.add(person.student_no, writer(person), "form 7")  # type: ignore[operator]

    def rebuild(self) -> Rebuilt:
        return rebuild(self.database, self.cache, self.engine)

    def owners(self) -> dict[str, tuple[str, str]]:
        with self.database.reading() as session:
            return face_owners(session)

    def faces(self) -> list[CachedFace]:
        with self.database.reading() as session:
            return cached_faces(session, face_owners(session))


@pytest.fixture
def office(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings, photo: object
) -> Iterator[Office]:
    office = Office(tmp_path, sqlite_database, cache, settings)
    office.take(tmp_path, photo)
    yield office
    office.engine.close()


def test_what_is_right_is_left_as_it_is(office: Office) -> None:
    assert office.rebuild() == Rebuilt(0, 2, 0, (), ())


def test_a_lost_cache_is_written_anew(office: Office) -> None:
    office.cache.drop(office.owners())
    assert office.rebuild() == Rebuilt(2, 0, 0, (), ())
    assert office.cache.stale(office.faces()) == []


@pytest.mark.parametrize("change", [{"name": "Old Name"}, {"quality": None}, {"model": "older"}])
def test_stale_documents_are_written_and_those_of_nobody_removed(
    office: Office, change: dict[str, object]
) -> None:
    first, _ = office.faces()
    office.cache.put([replace(first, **change), NOBODY])  # type: ignore[arg-type]
    assert office.rebuild() == Rebuilt(1, 1, 1, (), ())
    assert office.cache.face_ids() == office.owners().keys()


def test_a_face_that_the_engine_lost_is_named(office: Office) -> None:
    lost = next(face_id for face_id, (number, _) in office.owners().items() if number == BEN.student_no)
    office.engine.remove([lost])
    assert office.rebuild() == Rebuilt(0, 2, 0, (BEN.student_no,), ())


def test_a_face_that_only_the_engine_knows_is_named_and_its_document_removed(office: Office) -> None:
    lost = next(face_id for face_id, (number, _) in office.owners().items() if number == BEN.student_no)
    with office.database.writing() as session:
        forget_faces(session, [lost])
    assert office.rebuild() == Rebuilt(0, 1, 1, (), (BEN.student_no,))


def test_faces_of_a_collection_that_is_not_in_use_keep_their_documents(office: Office) -> None:
    """Who changes the engine back finds everything as it was."""
    other = LocalEngine(office.settings.home / "other")
    other.index(crop_of(ANN), "S7")
    office.engine.remove(office.owners())

    class Elsewhere(LocalEngine):
        collections = frozenset({"elsewhere"})

    assert rebuild(office.database, office.cache, Elsewhere(office.settings.home / "e")) == Rebuilt(
        0, 2, 0, (), ()
    )
    other.close()


def test_many_faces_are_written_in_batches(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recognizer.rebuild.BATCH", 1)
    office.cache.drop(office.owners())
    office.cache.put([NOBODY, replace(NOBODY, face_id="ghost2")])
    assert office.rebuild() == Rebuilt(2, 0, 2, (), ())
    assert office.rebuild() == Rebuilt(0, 2, 0, (), ())


def test_the_command_says_what_it_did_and_what_to_do(
    office: Office, monkeypatch: pytest.MonkeyPatch, cache_server: str
) -> None:
    name = f"test_{os.urandom(6).hex()}"
    monkeypatch.setenv("GRIDROLL_CACHE_URL", f"{cache_server}/{name}")
    lost, kept = sorted(office.owners())
    numbers = {face_id: number for face_id, (number, _) in office.owners().items()}
    office.engine.remove([lost])
    with office.database.writing() as session:
        forget_faces(session, [kept])
    ran = CliRunner().invoke(faces, ["rebuild"], catch_exceptions=False)
    assert ran.output.splitlines() == [
        "1 face: 1 written, 0 up to date; 0 of nobody removed",
        f"unknown to the engine, so never recognised: 1 face of {numbers[lost]}; import the roster with the photographs "
        "again",
        f"known to the engine only, so nobody's: 1 face of {numbers[kept]}; 'gridroll faces remove NUMBER' takes them "
        "out, or another installation shares the collection",
    ]
