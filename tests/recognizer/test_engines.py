"""The contract of face engines: one suite, every implementation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.engine import FaceEngine, Probe
from recognizer.errors import EngineError
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop
from tests.recognizer.conftest import ANN, BEN, CID, crop_of


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FaceEngine]:
    engine = LocalEngine(tmp_path / "faces")
    yield engine
    engine.close()


def test_an_indexed_face_is_the_best_answer_for_another_picture_of_that_person(engine: FaceEngine) -> None:
    ann = engine.index(crop_of(ANN), "S1")
    engine.index(crop_of(BEN), "S2")
    answer = engine.search([Probe(crop_of(ANN, 300, 9))])[0]
    assert answer.candidates[0].face_id == ann.face_id
    assert answer.candidates[0].similarity_pct > 90
    assert answer.candidates[1].similarity_pct < 80


def test_a_stranger_resembles_nobody_enough(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    assert all(one.similarity_pct < 80 for one in engine.search([Probe(crop_of(CID))])[0].candidates)


def test_answers_come_in_the_order_of_the_probes(engine: FaceEngine) -> None:
    ids = [engine.index(crop_of(person), person.student_no).face_id for person in (ANN, BEN)]
    answers = engine.search([Probe(crop_of(BEN)), Probe(crop_of(ANN))])
    assert [answer.candidates[0].face_id for answer in answers] == ids[::-1]


def test_an_empty_collection_answers_with_no_candidates(engine: FaceEngine) -> None:
    assert engine.search([Probe(crop_of(ANN))])[0].candidates == ()


def test_a_search_can_be_narrowed_to_some_faces(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    ben = engine.index(crop_of(BEN), "S2")
    answer = engine.search([Probe(crop_of(ANN))], among={ben.face_id})[0]
    assert {candidate.face_id for candidate in answer.candidates} == {ben.face_id}


def test_the_template_of_earlier_looks_is_averaged_with_the_new_one(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    first = engine.search([Probe(crop_of(BEN))])[0]
    alone = engine.search([Probe(crop_of(ANN))])[0].candidates[0].similarity_pct
    mixed = engine.search([Probe(crop_of(ANN), first.template)])[0].candidates[0].similarity_pct
    assert mixed < alone


def test_a_removed_face_is_found_no_more(engine: FaceEngine) -> None:
    ann, ben = engine.index(crop_of(ANN), "S1"), engine.index(crop_of(BEN), "S2")
    assert engine.remove([ann.face_id, "ghost"]) == {ann.face_id}
    assert [face.face_id for face in engine.faces()] == [ben.face_id]
    assert [one.face_id for one in engine.search([Probe(crop_of(ANN))])[0].candidates] == [ben.face_id]


def test_faces_are_listed_with_the_student_they_were_indexed_under(engine: FaceEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    engine.index(crop_of(BEN), "S2")
    assert {face.external_id for face in engine.faces()} == {"S1", "S2"}


def test_comparing_tells_one_person_from_two(engine: FaceEngine) -> None:
    assert engine.compare(crop_of(ANN), crop_of(ANN, 300, 9)) > 90
    assert engine.compare(crop_of(ANN), crop_of(BEN)) < 80


def test_an_empty_face_box_is_an_error_not_an_answer(engine: FaceEngine) -> None:
    crop = crop_of(ANN)
    with pytest.raises(EngineError, match="empty"):
        engine.search([Probe(FaceCrop(crop.image, (10, 10, 10, 40)))])
