"""The contract of face engines: one suite, every implementation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pytest

from db.settings import Settings
from recognizer.embedding import embed
from recognizer.engine import FaceEngine, Probe
from recognizer.errors import EngineError
from recognizer.likeness import Likeness
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop
from recognizer.photo import read_photo
from recognizer.rekognition import RekognitionEngine
from recognizer.stores import open_engine
from tests.recognizer.conftest import ANN, BEN, CID, crop_of


@dataclass(frozen=True, slots=True)
class Implementation:
    """`make` opens an engine with an empty collection. From `same_pct` on two faces are one person's, below
    `other_pct` they are not: every engine has a scale of its own. `remembers`: it answers with a template."""

    name: str
    make: Callable[[pytest.FixtureRequest, Path], FaceEngine]
    same_pct: float
    other_pct: float
    remembers: bool = True


def make_local(request: pytest.FixtureRequest, folder: Path) -> FaceEngine:
    return LocalEngine(folder / "faces")


def make_rekognition(search: str) -> Callable[[pytest.FixtureRequest, Path], FaceEngine]:
    def make(request: pytest.FixtureRequest, folder: Path) -> FaceEngine:
        settings: Settings = request.getfixturevalue("rekognition_settings")
        engine = RekognitionEngine(settings.model_copy(update={"rekognition_search": search}))
        engine.prepare()
        return engine

    return make


def make_tiered(request: pytest.FixtureRequest, folder: Path) -> FaceEngine:
    make_rekognition("faces")(request, folder).close()
    settings: Settings = request.getfixturevalue("rekognition_settings")
    database = request.getfixturevalue("sqlite_database")
    return open_engine(settings.model_copy(update={"engine": "tiered"}), database)


IMPLEMENTATIONS = (
    Implementation("local", make_local, same_pct=90, other_pct=80, remembers=False),
    Implementation("rekognition-faces", make_rekognition("faces"), same_pct=97, other_pct=90),
    Implementation("rekognition-users", make_rekognition("users"), same_pct=97, other_pct=90),
    Implementation("tiered", make_tiered, same_pct=90, other_pct=80),
)


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda one: one.name)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    chosen: Implementation = request.param
    return chosen


@pytest.fixture
def engine(
    implementation: Implementation, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[FaceEngine]:
    engine = implementation.make(request, tmp_path)
    yield engine
    engine.close()


def test_an_indexed_face_is_the_best_answer_for_another_picture_of_that_person(
    engine: FaceEngine, implementation: Implementation
) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    engine.index(crop_of(BEN), "S2")
    answer = engine.search([Probe(crop_of(ANN, 300, 9))])[0]
    assert answer.candidates[0].face_id == ann.face_id
    assert answer.candidates[0].similarity_pct > implementation.same_pct
    assert answer.candidates[1].similarity_pct < implementation.other_pct


def test_a_stranger_resembles_nobody_enough(engine: FaceEngine, implementation: Implementation) -> None:
    engine.index(crop_of(ANN), "S1")
    answer = engine.search([Probe(crop_of(CID))])[0]
    assert all(one.similarity_pct < implementation.other_pct for one in answer.candidates)


def test_answers_come_in_the_order_of_the_probes(engine: FaceEngine) -> None:
    ids = [engine.index(crop_of(person), person.student_no)[0].face_id for person in (ANN, BEN)]
    answers = engine.search([Probe(crop_of(BEN)), Probe(crop_of(ANN))])
    assert [answer.candidates[0].face_id for answer in answers] == ids[::-1]


def test_candidates_come_best_first(engine: FaceEngine) -> None:
    for person in (ANN, BEN, CID):
        engine.index(crop_of(person), person.student_no)
    similarities = [one.similarity_pct for one in engine.search([Probe(crop_of(BEN, 300, 9))])[0].candidates]
    assert len(similarities) == 3
    assert similarities == sorted(similarities, reverse=True)


def test_an_empty_collection_answers_with_no_candidates(engine: FaceEngine) -> None:
    assert engine.search([Probe(crop_of(ANN))])[0].candidates == ()


def test_nothing_asked_is_nothing_answered(engine: FaceEngine) -> None:
    assert engine.search([]) == []


def test_a_search_can_be_narrowed_to_some_faces(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    ben = engine.index(crop_of(BEN), "S2")[0]
    answer = engine.search([Probe(crop_of(ANN))], among={ben.face_id})[0]
    assert {candidate.face_id for candidate in answer.candidates} == {ben.face_id}


def test_a_search_among_no_faces_has_no_candidates(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    assert engine.search([Probe(crop_of(ANN))], among=())[0].candidates == ()


def test_an_average_over_different_looks_finds_its_owner_more_surely_than_its_worst_look(
    engine: FaceEngine,
) -> None:
    engine.index(crop_of(ANN), "S1")
    looks = [embed([crop_of(ANN, moment)])[0] for moment in (100, 400, 700)]
    likeness = reduce(Likeness.seen, looks[1:], Likeness.of(looks[0]))
    alone = [engine.search([Probe(crop_of(ANN), Likeness.of(look))])[0] for look in looks]
    averaged = engine.search([Probe(crop_of(ANN), likeness)])[0]
    assert averaged.candidates[0].similarity_pct >= min(one.candidates[0].similarity_pct for one in alone)


def test_a_template_stays_small_over_many_looks(engine: FaceEngine, implementation: Implementation) -> None:
    for person in (ANN, BEN, CID):
        engine.index(crop_of(person), person.student_no)
    template = None
    for _ in range(5):
        template = engine.search([Probe(crop_of(ANN), template=template)])[0].template
    assert (template is not None) == implementation.remembers
    assert len(template or b"") < 4096


def test_a_template_of_another_kind_is_an_error_not_an_answer(
    engine: FaceEngine, implementation: Implementation
) -> None:
    probe = Probe(crop_of(ANN), template=b"no template")
    if not implementation.remembers:
        assert engine.search([probe])[0].template is None
        return
    with pytest.raises(EngineError, match="template"):
        engine.search([probe])


def test_a_removed_face_is_found_no_more(engine: FaceEngine) -> None:
    ann = {face.face_id for face in engine.index(crop_of(ANN), "S1")}
    ben = [face.face_id for face in engine.index(crop_of(BEN), "S2")]
    assert engine.remove([*ann, "ghost"]) == ann
    assert sorted(face.face_id for face in engine.faces()) == sorted(ben)
    assert [one.face_id for one in engine.search([Probe(crop_of(ANN))])[0].candidates] == ben[:1]


def test_a_face_removed_twice_was_there_once(engine: FaceEngine) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    assert engine.remove([ann.face_id]) == {ann.face_id}
    assert engine.remove([ann.face_id]) == frozenset()
    assert engine.remove([]) == frozenset()


def test_a_student_may_have_several_faces_and_lose_one(engine: FaceEngine) -> None:
    first = {face.face_id for face in engine.index(crop_of(ANN), "S1")}
    second = [face.face_id for face in engine.index(crop_of(ANN, 300, 9), "S1")]
    assert first.isdisjoint(second)
    engine.remove(first)
    left = {face.face_id: face.external_id for face in engine.faces()}
    assert left == dict.fromkeys(second, "S1")
    found = engine.search([Probe(crop_of(ANN, 360, 4))], among=second)[0].candidates
    assert [one.face_id for one in found] == second[:1]


@pytest.mark.parametrize(
    "number",
    [
        "S1",
        "2026/117",  # a slash, as some registrars write it
        "Größe 7:a~b%20",  # beyond ASCII, and all that an encoding could trip over
    ],
)
def test_faces_are_listed_with_the_student_they_were_indexed_under(engine: FaceEngine, number: str) -> None:
    indexed = engine.index(crop_of(ANN), number)
    engine.index(crop_of(BEN), "S2")
    assert {face.external_id for face in indexed} == {number}
    assert {face.external_id for face in engine.faces()} == {number, "S2"}


def test_every_answer_and_every_face_says_its_engine_and_model(engine: FaceEngine) -> None:
    indexed = engine.index(crop_of(ANN), "S1")
    answer = engine.search([Probe(crop_of(ANN))])[0]
    assert {face.engine for face in indexed} == engine.collections
    assert {face.engine for face in engine.faces()} == engine.collections
    assert answer.engine in engine.collections
    assert answer.model in {face.model for face in indexed}
    assert {face.model for face in engine.faces()} == {face.model for face in indexed}


def test_comparing_tells_one_person_from_two(engine: FaceEngine, implementation: Implementation) -> None:
    assert engine.compare(crop_of(ANN), crop_of(ANN, 300, 9)) > implementation.same_pct
    assert engine.compare(crop_of(ANN), crop_of(BEN)) < implementation.other_pct


def test_a_good_photograph_meets_no_objection(engine: FaceEngine) -> None:
    assert engine.objection(crop_of(ANN)) is None


def test_an_empty_face_box_is_an_error_not_an_answer(engine: FaceEngine) -> None:
    crop = crop_of(ANN)
    with pytest.raises(EngineError, match="empty"):
        engine.search([Probe(FaceCrop(crop.image, (10, 10, 10, 40)))])


def test_photographed_people_are_told_apart(
    engine: FaceEngine, implementation: Implementation, real_faces: Path
) -> None:
    people = sorted(folder for folder in (real_faces / "people").iterdir() if folder.is_dir())[:6]
    photos = {
        person.name: [read_photo(path, 10**7, 4 * 10**7).face for path in sorted(person.iterdir())[:2]]
        for person in people
    }
    ids = {engine.index(first, name)[0].face_id: name for name, (first, _) in photos.items()}
    answers = engine.search([Probe(second) for _, second in photos.values()])
    assert [ids[answer.candidates[0].face_id] for answer in answers] == list(photos)
    for answer in answers:
        assert answer.candidates[1].similarity_pct < implementation.same_pct
