"""Local first, a provider for what stays doubtful: two real engines, one of which bills."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from demo.cast import Person
from recognizer.dossier import Dossier
from recognizer.engine import Answer, Probe
from recognizer.errors import EngineError
from recognizer.local import LocalEngine
from recognizer.metering import EmptyPurse
from recognizer.tiered import Doubt, TieredEngine
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.recognizer.provider import STRICT, AwayError, Provider

EASY = replace(STRICT, match_pct=80.0, margin_pct=5.0, sure_pct=80.0, plausible_pct=50.0)


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
