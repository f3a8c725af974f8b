"""Local first, a provider for what stays doubtful: two real engines, one of which bills."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from recognizer.dossier import Dossier
from recognizer.engine import Answer, IndexedFace, Probe
from recognizer.enrolment import Enrolment
from recognizer.errors import EngineError
from recognizer.local import LOCAL, LocalEngine
from recognizer.metering import Call, EmptyPurse, LedgerMeter, Meter
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
from recognizer.preparation import prepare_engine
from recognizer.stores import open_engine
from recognizer.tiered import Doubt, TieredEngine
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.rekognition_server import RekognitionServer, refused

PRICE = Decimal("0.001")
STRICT = Doubt(
    match_pct=100.0,  # nobody is ever clear to the local engine
    margin_pct=0.0,
    sure_pct=100.0,
    plausible_pct=0.0,
    remote_weak_pct=80.0,
    after_looks=3,
    asked_per_face=2,
)
EASY = replace(STRICT, match_pct=80.0, margin_pct=5.0, sure_pct=80.0, plausible_pct=50.0)


class AwayError(EngineError):
    transient = True


class Provider(LocalEngine):
    """The local engine as another house would run it: it bills, it can be away, and it may see no face."""

    collections = frozenset({"provider"})

    def __init__(self, folder: Path, meter: Meter | None = None) -> None:
        super().__init__(folder)
        self.meter = meter
        self.asked: list[str] = []
        self.away: EngineError | None = None
        self.sees_no_face = False

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        self._answer("IndexFaces", None)
        return tuple(replace(face, engine="provider") for face in super().index(crop, external_id))

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        answers = []
        for probe, answer in zip(probes, super().search(probes, among, session_id), strict=True):
            self._answer("Search", session_id)
            said = replace(answer, engine="provider", paid=1)
            answers.append(
                replace(said, candidates=(), template=probe.template) if self.sees_no_face else said
            )
        return answers

    def faces(self) -> Iterator[IndexedFace]:
        return (replace(face, engine="provider") for face in super().faces())

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        if self.away:
            raise self.away
        return super().remove(face_ids)

    @property
    def searches(self) -> int:
        return self.asked.count("Search")

    def _answer(self, operation: str, session_id: int | None) -> None:
        self.asked.append(operation)
        billed = 0 if self.away else 1
        outcome = "ok" if billed else "ServiceUnavailable"
        if self.meter is not None:
            price = billed * float(PRICE)
            self.meter.record(
                Call(datetime.now(UTC), "provider", operation, 1, billed, price, outcome, session_id)
            )
        if self.away:
            raise self.away


class Unlimited:
    """The purse of somebody who never asks what it costs."""

    @contextmanager
    def reserve(self, engine: str, session_id: int | None, searches: int) -> Iterator[int]:
        yield searches


class Pair:
    """A tiered engine over both, with Ann and Ben enrolled."""

    def __init__(self, folder: Path, doubt: Doubt = STRICT) -> None:
        self.local, self.remote = LocalEngine(folder / "here"), Provider(folder / "there")
        self.engine = TieredEngine(self.local, self.remote, Unlimited(), doubt)
        self.faces = [
            face for person in (ANN, BEN) for face in self.engine.index(crop_of(person), person.student_no)
        ]
        self.everybody = {face.face_id for face in self.faces}

    def looks(self, person: Person, count: int, session_id: int | None = 7) -> list[Answer]:
        """The answers to so many looks at one tracked face."""
        answers: list[Answer] = []
        for shift in range(count):
            template = answers[-1].template if answers else None
            probe = Probe(crop_of(person, 300, shift), template=template)
            answers += self.engine.search([probe], self.everybody, session_id)
        return answers


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    yield pair
    pair.engine.close()


def engines(answers: Sequence[Answer]) -> list[str]:
    return [answer.engine for answer in answers]


def test_a_face_that_stays_doubtful_is_asked_about_from_the_third_look_on_and_twice_at_most(
    pair: Pair,
) -> None:
    answers = pair.looks(ANN, 6)
    assert engines(answers) == ["local", "local", "provider", "provider", "local", "local"]
    assert [answer.paid for answer in answers] == [0, 0, 1, 1, 0, 0]
    assert pair.remote.searches == 2


def test_a_picture_that_is_repeated_is_neither_paid_for_again_nor_another_look(pair: Pair) -> None:
    _, second, third = pair.looks(ANN, 3)
    assert third.paid == 1
    repeated = Probe(crop_of(ANN, 300, 2), template=third.template, repeated=True)
    (again,) = pair.engine.search([repeated], pair.everybody, 7)
    assert (again.engine, again.paid) == ("local", 0)
    early = Probe(crop_of(ANN, 300, 1), template=second.template, repeated=True)
    (still_two,) = pair.engine.search([early], pair.everybody, 7)
    assert Dossier.from_bytes(still_two.template).looks == 2


def test_the_candidates_are_those_of_the_engine_that_answers(pair: Pair) -> None:
    best = [answer.candidates[0].face_id for answer in pair.looks(ANN, 3)]
    theirs = {face.face_id: face.engine for face in pair.faces}
    assert [theirs[face_id] for face_id in best] == ["local", "local", "provider"]


def test_a_face_the_local_engine_is_clear_about_costs_nothing(tmp_path: Path) -> None:
    pair = Pair(tmp_path, EASY)
    assert engines(pair.looks(ANN, 6)) == ["local"] * 6
    assert pair.remote.searches == 0


def test_several_photographs_of_one_student_are_no_doubt(tmp_path: Path) -> None:
    pair = Pair(tmp_path, EASY)
    pair.everybody |= {face.face_id for face in pair.engine.index(crop_of(ANN, 350, 2), ANN.student_no)}
    pair.looks(ANN, 4)
    assert pair.remote.searches == 0


def test_two_students_too_alike_to_tell_are_a_doubt(tmp_path: Path) -> None:
    pair = Pair(tmp_path, EASY)
    pair.everybody |= {face.face_id for face in pair.engine.index(crop_of(ANN, 350, 2), "twin")}
    assert engines(pair.looks(ANN, 3)) == ["local", "local", "provider"]


def test_a_face_that_resembles_nobody_costs_nothing(tmp_path: Path) -> None:
    pair = Pair(tmp_path, replace(STRICT, plausible_pct=80.0))
    assert engines(pair.looks(CID, 6)) == ["local"] * 6
    assert pair.remote.searches == 0


def test_whom_the_provider_calls_a_stranger_is_one_and_not_asked_about_again(pair: Pair) -> None:
    answers = pair.looks(CID, 6)
    assert engines(answers) == ["local", "local"] + ["provider"] * 4
    assert pair.remote.searches == 1
    assert all(one.similarity_pct < 80 for answer in answers[2:] for one in answer.candidates)
    assert [answer.paid for answer in answers] == [0, 0, 1, 0, 0, 0]


def test_the_templates_of_a_stranger_are_dropped(pair: Pair) -> None:
    held = Dossier.from_bytes(pair.looks(CID, 3)[-1].template)
    assert (held.local, held.remote) == (None, None)


def test_a_picture_without_a_face_for_the_provider_says_nothing_about_who_it_is(pair: Pair) -> None:
    pair.remote.sees_no_face = True
    answers = pair.looks(ANN, 5)
    assert engines(answers) == ["local"] * 5
    assert [answer.paid for answer in answers] == [0, 0, 1, 1, 0]
    assert answers[-1].candidates


def test_a_student_the_provider_has_never_seen_is_not_asked_about(pair: Pair) -> None:
    (face,) = pair.local.index(crop_of(CID), CID.student_no)
    pair.everybody.add(face.face_id)
    assert engines(pair.looks(CID, 5)) == ["local"] * 5
    assert pair.remote.searches == 0


def test_a_search_for_no_session_is_never_paid_for(pair: Pair) -> None:
    assert engines(pair.looks(ANN, 5, session_id=None)) == ["local"] * 5
    assert pair.remote.searches == 0


def test_without_an_account_nothing_is_paid_for(pair: Pair) -> None:
    pair.engine = TieredEngine(pair.local, pair.remote, EmptyPurse(), STRICT)
    assert engines(pair.looks(ANN, 5)) == ["local"] * 5
    assert pair.remote.searches == 0


@pytest.mark.parametrize("error", [AwayError("the line is down"), EngineError("no permission")])
def test_where_the_provider_does_not_answer_the_local_answer_stands_and_the_log_says_so_once(
    pair: Pair, error: EngineError, caplog: pytest.LogCaptureFixture
) -> None:
    pair.remote.away = error
    with caplog.at_level(logging.WARNING):
        answers = pair.looks(ANN, 4)
    assert engines(answers) == ["local"] * 4
    assert [answer.paid for answer in answers] == [0] * 4
    assert [record.getMessage() for record in caplog.records] == [
        f"session 7: provider does not answer, doubtful faces are left to staff: {error}"
    ]


def test_one_face_that_cannot_be_searched_does_not_spoil_the_others(pair: Pair, tmp_path: Path) -> None:
    class Half(Provider):
        def search(
            self,
            probes: Sequence[Probe],
            among: Collection[str] | None = None,
            session_id: int | None = None,
        ) -> list[Answer]:
            if any(probe.crop.image.shape[0] > 350 for probe in probes):
                raise EngineError("too large")
            return super().search(probes, among, session_id)

    pair.engine = TieredEngine(pair.local, Half(tmp_path / "there"), Unlimited(), STRICT)
    large, small = (Probe(crop_of(ANN, height)) for height in (400, 300))
    answers: list[Answer] = []
    for _ in range(3):
        answers = pair.engine.search([large, small], pair.everybody, 7)
        large, small = (
            replace(probe, template=answer.template)
            for probe, answer in zip((large, small), answers, strict=True)
        )
    assert engines(answers) == ["local", "provider"]


def test_a_face_the_provider_does_not_take_is_in_neither_collection(pair: Pair) -> None:
    pair.remote.away = AwayError("the line is down")
    with pytest.raises(AwayError):
        pair.engine.index(crop_of(CID), CID.student_no)
    assert {face.external_id for face in pair.local.faces()} == {ANN.student_no, BEN.student_no}


def test_a_removal_goes_as_far_as_it_can_and_can_be_repeated(pair: Pair) -> None:
    ids = {face.face_id for face in pair.faces if face.external_id == ANN.student_no}
    pair.remote.away = AwayError("the line is down")
    with pytest.raises(AwayError):
        pair.engine.remove(ids)
    assert [face.external_id for face in pair.local.faces()] == [BEN.student_no]
    pair.remote.away = None
    pair.engine.remove(ids)
    assert {face.external_id for face in pair.engine.faces()} == {BEN.student_no}


def test_a_removal_says_of_both_collections_what_was_there(pair: Pair) -> None:
    assert pair.engine.remove({*pair.everybody, "ghost"}) == pair.everybody


@pytest.mark.parametrize(
    "template",
    [
        b"",
        b"[]",
        b"\xff\x00",
        b"0" * 516,  # a local engine's
        b'{"version":2,"looks":1,"asked":0,"local":null,"remote":null,"stranger":null}',
        b'{"version":1,"looks":0,"asked":0,"local":null,"remote":null,"stranger":null}',
        b'{"version":1,"looks":1,"asked":0,"local":"?","remote":null,"stranger":null}',
        b'{"version":1,"looks":1,"asked":0,"local":null,"remote":null,"stranger":[]}',
        b'{"version":1,"pad":"' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_template_of_another_engine_is_refused(pair: Pair, template: bytes) -> None:
    with pytest.raises(EngineError, match="not this engine's"):
        pair.engine.search([Probe(crop_of(ANN), template=template)], None, 7)


def test_a_template_keeps_what_was_put_into_it_and_does_not_grow(pair: Pair) -> None:
    full = Dossier(4, 2, b"\x00\xff", b"{}", ("provider", "model 7"))
    assert Dossier.from_bytes(full.to_bytes()) == full
    with pytest.raises(EngineError, match="cannot be kept"):
        Dossier(1, 0, b"x" * 60_000).to_bytes()
    third, sixth = (len(answer.template or b"") for answer in (pair.looks(ANN, 6)[index] for index in (2, 5)))
    assert third == sixth


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
