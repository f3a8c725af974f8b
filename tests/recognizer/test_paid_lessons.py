"""Lessons watched by a tiered engine: what the ledger says was paid is what was billed, within the budget."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from db.budget import Account, Budget, account
from db.costs import Costs, session_costs
from db.database import Database
from db.errors import ConfigError
from db.face_cache import FaceCache
from db.people import make_course
from db.report import SessionReport, session_report
from db.schema import EngineCallRow, NamingRow
from db.sessions import start_session
from db.settings import Settings
from demo.cast import Person
from recognizer.enrolment import Enrolment
from recognizer.local import LOCAL, LocalEngine
from recognizer.metering import LedgerMeter
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
from recognizer.preparation import prepare_engine
from recognizer.stores import open_engine
from recognizer.tiered import TieredEngine
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.recognizer.provider import PRICE, STRICT, Provider
from tests.rekognition_server import RekognitionServer, refused


class Lesson:
    """A session with Ann and Ben enrolled in both collections, and a ledger that keeps the account."""

    def __init__(
        self, folder: Path, database: Database, cache: FaceCache, settings: Settings, budget: Budget
    ) -> None:
        self.database = database
        meter = LedgerMeter(database, budget, PRICE)
        self.remote = Provider(folder / "there", meter)
        self.engine = TieredEngine(LocalEngine(folder / "here"), self.remote, meter, STRICT)
        enrolment = Enrolment(database, cache, self.engine, settings)
        lines = ["student_no,name,email,photo"]
        for person in (ANN, BEN):
            cv2.imwrite(str(folder / f"{person.student_no}.png"), crop_of(person, 640).image)
            lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
        (folder / "roster.csv").write_text("\n".join(lines))
        enrolment.import_roster("BIO", folder / "roster.csv", None, "form 7")
        with database.writing() as session:
            self.session_id = start_session(session, "BIO", "", START, 45).id
        self.verifier = Verifier(database, cache, self.engine, settings)

    def looks(self, count: int) -> Receipt:
        """Looks at Ann and Ben."""
        receipts = []
        for minute in range(1, count + 1):
            taken_at = START + timedelta(minutes=minute)
            faces = tuple(
                SeenFace(person.name, (0, 0, 99, 99), (9, 9, 50, 50), at_minute(person, minute))
                for person in (ANN, BEN)
            )
            receipts.append(
                self.verifier.verify(
                    Observation(f"u{minute}", self.session_id, taken_at, taken_at, "headcount", 2, faces)
                )
            )
        return receipts[-1]

    def report(self) -> SessionReport:
        with self.database.reading() as session:
            return session_report(session, self.session_id)

    def costs(self) -> Costs:
        with self.database.reading() as session:
            return session_costs(session, self.session_id, "USD", PRICE)


def at_minute(person: Person, minute: int) -> FaceCrop:
    """The person more or less out of focus, so that no look is like another; from the first to the fourth minute."""
    crop = crop_of(person, 300)
    sigma = {1: 7.0, 2: 4.5, 3: 0.1, 4: 2.5}[minute]
    return FaceCrop(np.asarray(cv2.GaussianBlur(crop.image, (0, 0), sigma), np.uint8), crop.box_xyxy)


def test_what_the_ledger_says_was_paid_is_what_the_provider_billed(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> None:
    settings = settings.model_copy(update={"match_margin_pct": 100.0})  # so that nobody is ever named
    lesson = Lesson(tmp_path, sqlite_database, cache, settings, Budget("USD", Decimal(1), Decimal(1)))
    lesson.looks(4)
    costs = lesson.costs()
    assert lesson.remote.searches == costs.billed == sum(look.paid for look in lesson.report().looks) == 4
    with sqlite_database.reading() as session:
        kept = account(session, "USD", lesson.session_id)
    assert costs.price == 4 * PRICE
    assert kept == Account(4 * PRICE, Decimal(0))
    assert costs.refused == 0


def test_when_the_budget_is_spent_doubt_becomes_a_review_and_the_account_says_so(
    tmp_path: Path,
    sqlite_database: Database,
    cache: FaceCache,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = settings.model_copy(update={"match_margin_pct": 100.0})
    lesson = Lesson(tmp_path, sqlite_database, cache, settings, Budget("USD", PRICE, None))
    lesson.looks(4)
    costs = lesson.costs()
    assert (lesson.remote.searches, costs.billed, costs.refused) == (1, 1, 3)
    assert [record.getMessage() for record in caplog.records] == [
        "session 1: the budget for provider is spent; doubtful faces are left to staff"
    ]
    report = lesson.report()
    assert {line.status for line in report.students} == {"unverified"}
    assert len(report.reviews) == 2


def test_the_settings_make_an_engine_of_two_that_keeps_account(
    tmp_path: Path, sqlite_database: Database, settings: Settings
) -> None:
    with sqlite_database.writing() as session:
        make_course(session, "BIO")
    engine = open_engine(settings.model_copy(update={"engine": "tiered"}), sqlite_database)
    assert engine.collections == {LOCAL, "rekognition"}
    engine.close()


@pytest.fixture
def cloud(
    rekognition_settings: Settings, sqlite_database: Database, cache: FaceCache, tmp_path: Path
) -> Iterator[Verifier]:
    """A verifier of session 1 with the engine of the settings: Rekognition's protocol over HTTP, and a budget of three."""
    strict = {"engine": "tiered", "match_threshold_pct": 99.99, "tiered_plausible_pct": 0.0}
    changes = {**strict, "budget_per_session": 3 * PRICE, "rekognition_max_attempts": 2}
    settings = rekognition_settings.model_copy(update=changes)
    prepare_engine(settings)
    for person in (ANN, BEN):
        cv2.imwrite(str(tmp_path / f"{person.student_no}.png"), crop_of(person, 640).image)
    lines = [f"{one.student_no},{one.name},{one.email},{one.student_no}.png" for one in (ANN, BEN)]
    (tmp_path / "roster.csv").write_text("\n".join(["student_no,name,email,photo", *lines]))
    engine = open_engine(settings, sqlite_database)
    Enrolment(sqlite_database, cache, engine, settings).import_roster(
        "BIO", tmp_path / "roster.csv", None, "f"
    )
    with sqlite_database.writing() as session:
        start_session(session, "BIO", "", START, 45)
    yield Verifier(sqlite_database, cache, engine, settings)
    engine.close()


def seen(minute: int, *people: Person) -> Observation:
    faces = tuple(
        SeenFace(person.name, (0, 0, 99, 99), (9, 9, 50, 50), at_minute(person, minute)) for person in people
    )
    taken_at = START + timedelta(minutes=minute)
    return Observation(f"u{minute}", 1, taken_at, taken_at, "headcount", len(faces), faces)


def calls_of(database: Database, operation: str) -> list[tuple[str, int, int]]:
    with database.reading() as session:
        rows = session.scalars(select(EngineCallRow).where(EngineCallRow.operation == operation))
        return [(row.outcome, row.attempts, row.billed) for row in rows]


def test_rekognition_is_asked_about_doubtful_faces_within_the_budget(
    cloud: Verifier, sqlite_database: Database
) -> None:
    receipts = [cloud.verify(seen(minute, ANN, BEN, CID)) for minute in (1, 2, 3, 4)]
    assert [receipt.paid for receipt in receipts] == [0, 0, 3, 0]
    assert calls_of(sqlite_database, "SearchFacesByImage") == [("ok", 1, 1)] * 3
    assert len(calls_of(sqlite_database, "IndexFaces")) == 2
    with sqlite_database.reading() as session:
        namings = session.scalars(select(NamingRow).where(NamingRow.track == CID.name).order_by(NamingRow.id))
        said = [(row.engine, row.verdict) for row in namings]
        assert account(session, "USD", 1) == Account(3 * PRICE, Decimal(0))
    assert said[2:] == [("rekognition", "pending"), ("rekognition", "unknown")]


def test_rekognition_throttling_in_the_middle_of_a_lesson_costs_nothing_and_stops_nothing(
    cloud: Verifier, sqlite_database: Database, rekognition_server: RekognitionServer
) -> None:
    for minute in (1, 2):
        cloud.verify(seen(minute, ANN))
    rekognition_server.faults.add("SearchFacesByImage", refused("ThrottlingException"), times=None)
    receipt = cloud.verify(seen(3, ANN))
    assert (receipt.headcount, receipt.paid) == (1, 0)
    ((outcome, _, billed),) = calls_of(sqlite_database, "SearchFacesByImage")
    assert (outcome, billed) == ("ThrottlingException", 0)
    with sqlite_database.reading() as session:
        assert account(session, "USD", 1) == Account(Decimal(0), Decimal(0))


def test_settings_under_which_nothing_would_ever_be_paid_for_are_refused(settings: Settings) -> None:
    never = {"engine": "tiered", "tiered_after_looks": 5, "max_looks_per_face": 4}
    with pytest.raises(ConfigError, match="tiered_after_looks 5 is more than max_looks_per_face 4"):
        open_engine(settings.model_copy(update=never))


@pytest.mark.parametrize("budget", ["budget_per_session", "budget_per_month"])
def test_a_budget_that_nothing_would_hold_to_is_refused(settings: Settings, budget: str) -> None:
    with pytest.raises(ConfigError, match="limit the tiered engine only"):
        open_engine(settings.model_copy(update={"engine": "rekognition", budget: Decimal(0)}))
