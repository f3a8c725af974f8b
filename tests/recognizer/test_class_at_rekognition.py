"""A class whose faces Rekognition keeps: enrolled, recognised, accounted for and removed, from the settings on."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import cv2
import pytest
from sqlalchemy import select

from db.database import Database
from db.face_cache import FaceCache
from db.report import session_report
from db.schema import EngineCallRow
from db.sessions import start_session
from db.settings import Settings
from demo.cast import Person, portrait
from recognizer.engine import FaceEngine
from recognizer.enrolment import Enrolment
from recognizer.errors import EngineError
from recognizer.observation import Observation, Receipt, SeenFace
from recognizer.preparation import prepare_engine
from recognizer.stores import open_engine
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.rekognition_server import RekognitionServer, refused


@pytest.fixture(params=["faces", "users"])
def class_settings(request: pytest.FixtureRequest, rekognition_settings: Settings) -> Settings:
    changes = {
        "rekognition_search": request.param,
        "rekognition_max_attempts": 1,
        "match_threshold_pct": 97.0,
        "sure_threshold_pct": 99.0,
        "weak_threshold_pct": 85.0,
    }
    return rekognition_settings.model_copy(update=changes)


@pytest.fixture
def engine(class_settings: Settings, sqlite_database: Database) -> Iterator[FaceEngine]:
    prepare_engine(class_settings)
    with closing(open_engine(class_settings, sqlite_database)) as engine:
        yield engine


@pytest.fixture
def enrolment(
    class_settings: Settings, sqlite_database: Database, cache: FaceCache, engine: FaceEngine, tmp_path: Path
) -> Enrolment:
    """Ann and Ben are enrolled; Cid is a stranger."""
    lines = ["student_no,name,email,photo"]
    for person in (ANN, BEN):
        cv2.imwrite(str(tmp_path / f"{person.student_no}.png"), portrait(person))
        lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
    (tmp_path / "roster.csv").write_text("\n".join(lines))
    enrolment = Enrolment(sqlite_database, cache, engine, class_settings)
    enrolment.import_roster("BIO", tmp_path / "roster.csv", None, "form 7")
    return enrolment


class Room:
    def __init__(self, database: Database, cache: FaceCache, engine: FaceEngine, settings: Settings) -> None:
        self.database = database
        self.verifier = Verifier(database, cache, engine, settings)
        with database.writing() as session:
            self.session_id = start_session(session, "BIO", "", START, 45).id

    def look(self, minute: int, *people: Person) -> Receipt:
        at = START + timedelta(minutes=minute)
        faces = tuple(
            SeenFace(f"track-{one.name}", (0, 0, 99, 99), (9, 9, 50, 50), crop_of(one, 300, minute))
            for one in people
        )
        return self.verifier.verify(
            Observation(f"u{minute}", self.session_id, at, at, "headcount", len(faces), faces)
        )


@pytest.fixture
def room(
    enrolment: Enrolment,
    sqlite_database: Database,
    cache: FaceCache,
    engine: FaceEngine,
    class_settings: Settings,
) -> Room:
    return Room(sqlite_database, cache, engine, class_settings)


def searches(room: Room) -> list[tuple[int, str]]:
    """What the account says of each search for the class: images billed, and outcome."""
    with room.database.reading() as session:
        rows = session.scalars(
            select(EngineCallRow)
            .where(EngineCallRow.session_id == room.session_id, EngineCallRow.operation.like("Search%"))
            .order_by(EngineCallRow.id)
        )
        return [(row.billed, row.outcome) for row in rows]


def test_a_class_is_recognised_and_every_search_is_accounted_to_it(room: Room) -> None:
    receipt = room.look(1, ANN, BEN, CID)
    assert set(receipt.names.values()) == {ANN.name, BEN.name}
    assert receipt.paid == receipt.searches == 3
    assert searches(room) == [(1, "ok")] * 3
    with room.database.reading() as session:
        assert session_report(session, room.session_id).looks[0].paid == 3


def test_a_look_that_failed_half_way_is_handed_in_again_and_paid_for_once(
    room: Room, class_settings: Settings, rekognition_server: RekognitionServer
) -> None:
    operation = {"faces": "SearchFacesByImage", "users": "SearchUsersByImage"}[
        class_settings.rekognition_search
    ]
    rekognition_server.faults.add(operation, refused("ThrottlingException"))
    with pytest.raises(EngineError, match="takes no more") as failure:
        room.look(1, ANN, BEN, CID)
    assert failure.value.transient
    receipt = room.look(1, ANN, BEN, CID)
    assert set(receipt.names.values()) == {ANN.name, BEN.name}
    assert receipt.paid == 3
    assert sum(billed for billed, _ in searches(room)) == 3


def test_a_removed_student_is_gone_at_the_provider_and_recognised_no_more(
    room: Room, enrolment: Enrolment, engine: FaceEngine
) -> None:
    assert enrolment.remove(ANN.student_no) == 1
    assert [face.external_id for face in engine.faces()] == [BEN.student_no]
    assert ANN.name not in room.look(1, ANN, BEN).names.values()
