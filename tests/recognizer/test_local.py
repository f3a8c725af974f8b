import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from db.errors import StoreError
from demo.cast import CAST
from recognizer.embedding import MODEL, embed
from recognizer.engine import Probe
from recognizer.local import LOCAL, LocalEngine, similarity_pct
from tests.recognizer.conftest import ANN, BEN, crop_of


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(tmp_path)
    yield engine
    engine.close()


def test_every_answer_says_which_network_gave_it(engine: LocalEngine) -> None:
    (face,) = engine.index(crop_of(ANN), "S1")
    (answer,) = engine.search([Probe(crop_of(ANN))])
    assert (answer.engine, answer.model) == (LOCAL, MODEL)
    assert (face.engine, face.model) == (LOCAL, MODEL)


@pytest.mark.parametrize(
    ("cosine", "percent"),
    [
        (1.0, 100.0),
        (1.0000002, 100.0),  # rounding
        (1 - 0.34**2 / 2, 90.0),
        (1 - 0.43**2 / 2, 50.0),
        (0.0, 0.0),
        (-1.0, 0.0),
    ],
)
def test_cosines_become_percent_at_the_measured_anchors(cosine: float, percent: float) -> None:
    assert float(similarity_pct(np.array(cosine))) == pytest.approx(percent, abs=1e-9)


def test_a_closer_face_never_has_a_lower_percentage() -> None:
    percents = similarity_pct(np.linspace(-1, 1, 500))
    assert (np.diff(percents) >= 0).all()


def test_a_search_with_no_probes_has_no_answers(engine: LocalEngine) -> None:
    assert engine.search([]) == []


def test_threads_that_search_at_once_get_what_one_would(engine: LocalEngine) -> None:
    for person in CAST[:6]:
        engine.index(crop_of(person), person.student_no)
    probes = [[Probe(crop_of(person, 300))] for person in CAST[:6]]
    alone = [engine.search(one) for one in probes]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(engine.search, probes * 2))
    for answers, others in zip(at_once, alone * 2, strict=True):
        assert [one.face_id for one in answers[0].candidates] == [one.face_id for one in others[0].candidates]
        assert [one.similarity_pct for one in answers[0].candidates] == pytest.approx(
            [one.similarity_pct for one in others[0].candidates], abs=1e-3
        )


def test_a_damaged_face_is_named_in_the_engines_description_and_others_are_found(
    tmp_path: Path, engine: LocalEngine
) -> None:
    engine.index(crop_of(ANN), "S1")
    (ben,) = engine.index(crop_of(BEN), "S2")
    engine.close()
    with sqlite3.connect(tmp_path / "faces.sqlite") as raw:
        raw.execute("UPDATE face SET checksum = checksum + 1 WHERE external_id = 'S1'")
    raw.close()
    assert "of S1" in engine.description
    assert [one.face_id for one in engine.search([Probe(crop_of(ANN))])[0].candidates] == [ben.face_id]


def test_a_face_enrolled_with_the_first_release_is_recognised(tmp_path: Path) -> None:
    record = {
        "external_id": "S1",
        "model": "dlib_face_recognition_resnet_model_v1, 5-point alignment",
        "vector": [float(value) for value in embed([crop_of(ANN)])[0]],
    }
    (tmp_path / "11112222-3333.json").write_text(json.dumps(record))
    engine = LocalEngine(tmp_path)
    best = engine.search([Probe(crop_of(ANN, 300))])[0].candidates[0]
    assert best.face_id == "11112222-3333"
    assert best.similarity_pct > 90
    engine.close()


def test_a_collection_of_another_network_asks_for_another_enrolment(tmp_path: Path) -> None:
    record = {"external_id": "S1", "model": "another network", "vector": [0.1] * 128}
    (tmp_path / "f1.json").write_text(json.dumps(record))
    engine = LocalEngine(tmp_path)
    with pytest.raises(StoreError, match=r"'another network'.* import the rosters again"):
        engine.search([Probe(crop_of(ANN))])


def test_removing_a_face_leaves_no_index_and_no_half_written_file(
    tmp_path: Path, engine: LocalEngine
) -> None:
    (ann,) = engine.index(crop_of(ANN), "S1")
    for name in ("faces.index", "tmp1234.part"):
        (tmp_path / name).write_bytes(b"made of faces")
    assert engine.remove([ann.face_id]) == {ann.face_id}
    assert {path.name for path in tmp_path.iterdir()} <= {
        "faces.sqlite",
        "faces.sqlite-wal",
        "faces.sqlite-shm",
    }
