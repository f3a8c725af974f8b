"""From observations to names, with the real engine, a real cache server and a real database."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from db.database import Database
from db.errors import NotFoundError
from db.face_cache import FaceCache
from db.report import SessionReport, session_report
from db.settings import Settings
from demo.cast import Person
from recognizer.engine import Answer, Probe
from recognizer.memory import IdentityMemory
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, CID, CountingEngine, class_of_two, crop_of


class Room:
    """A session with Ann and Ben enrolled; Cid is a stranger."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database = database
        self.engine, self.session_id = class_of_two(folder, database, cache, settings)
        self.verifier = Verifier(database, cache, self.engine, settings)

    def look(self, minute: float, *faces: SeenFace, uid: str = "") -> Receipt:
        taken_at = START + timedelta(minutes=minute)
        return self.verifier.verify(
            Observation(
                uid or f"u{minute}", self.session_id, taken_at, taken_at, "headcount", len(faces), faces
            )
        )

    def looks(self, minutes: range, *faces: Callable[[int], SeenFace]) -> Receipt:
        """A look a minute at faces made for that minute; the last one's receipt."""
        return [self.look(minute, *(face(minute) for face in faces)) for minute in minutes][-1]

    def report(self) -> SessionReport:
        with self.database.reading() as session:
            return session_report(session, self.session_id)


@pytest.fixture
def room(tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings) -> Room:
    return Room(tmp_path, sqlite_database, cache, settings)


def shown(track: str, person: Person, shift_px: int = 0, spot_check: bool = False) -> SeenFace:
    return SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50), crop_of(person, 300, shift_px), spot_check)


def moving(track: str, person: Person) -> Callable[[int], SeenFace]:
    """The person a little elsewhere at each look."""
    return lambda minute: shown(track, person, minute)


def blurred(face: SeenFace) -> SeenFace:
    """The same face out of focus: like its owner still, but not enough to be named at one look."""
    assert face.crop is not None
    image = np.asarray(cv2.GaussianBlur(face.crop.image, (0, 0), 6), np.uint8)
    return replace(face, crop=FaceCrop(image, face.crop.box_xyxy))


def unasked(track: str) -> SeenFace:
    return SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50))


def test_enrolled_faces_get_their_names_and_a_stranger_none(room: Room) -> None:
    receipt = room.looks(range(1, 6), moving("a", ANN), moving("b", BEN), moving("c", CID))
    assert receipt.names == {"a": ANN.name, "b": BEN.name}
    assert (receipt.identified, receipt.unknown) == (2, 1)
    report = room.report()
    assert {line.name: line.status for line in report.students} == {ANN.name: "present", BEN.name: "present"}
    assert [review.kind for review in report.reviews] == ["unknown_face"]


def test_a_face_is_asked_for_again_until_it_is_settled_and_then_no_more(room: Room) -> None:
    faces = [shown("c", CID)]
    wanted: list[frozenset[str]] = []
    for minute in range(1, 6):
        receipt = room.look(minute, *(faces if not wanted or "c" in wanted[-1] else [unasked("c")]))
        wanted.append(receipt.wanted)
    assert [len(tracks) for tracks in wanted] == [1, 1, 1, 0, 0]
    assert room.engine.searched == 1  # the same picture would be answered the same


def test_a_picture_that_is_not_sure_names_when_its_mirror_image_agrees(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    never_sure = settings.model_copy(update={"sure_threshold_pct": 100.0})
    room.verifier = Verifier(room.database, cache, room.engine, never_sure)
    assert room.look(1, shown("a", ANN)).names == {}
    receipt = room.look(2, shown("a", ANN))
    assert (receipt.names, receipt.searches) == ({"a": ANN.name}, 1)


def test_a_face_that_repeats_its_pose_is_embedded_as_its_mirror_image_once_and_no_more(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    strict = settings.model_copy(update={"match_margin_pct": 100.0})
    room.verifier = Verifier(room.database, cache, room.engine, strict)
    again = replace(shown("a", ANN), repeats=True)
    receipts = [room.look(1, shown("a", ANN)), *(room.look(minute, again) for minute in (2, 3))]
    assert [one.embedded for one in receipts] == [1, 1, 0]
    assert [one.searches for one in receipts] == [1, 1, 0]
    assert all(one.wanted == {"a"} for one in receipts)
    assert room.look(4, again).wanted == frozenset()  # staff's now


def test_the_mirror_image_is_averaged_with_the_look_that_is_repeated(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    never = settings.model_copy(update={"match_margin_pct": 100.0})
    room.verifier = Verifier(room.database, cache, room.engine, never)
    first, second = shown("a", ANN), blurred(shown("a", ANN))
    for minute, face in enumerate((first, second, first), 1):
        room.look(minute, face)
    room.look(4, replace(first, repeats=True))
    (held,) = IdentityMemory(cache).recall(room.session_id, {"a"}).values()
    assert held.likeness.mirrored.tolist() == [True, False]


def test_the_mirror_image_of_a_face_like_nobody_is_not_embedded(room: Room) -> None:
    room.look(1, shown("c", CID))
    assert room.look(2, replace(shown("c", CID), repeats=True)).embedded == 0


def test_a_known_face_costs_nothing_at_later_looks(room: Room) -> None:
    room.look(1, shown("a", ANN))
    room.look(2, shown("a", ANN, 5))
    searched = room.engine.searched
    receipt = room.look(3, unasked("a"))
    assert receipt.names == {"a": ANN.name}
    assert (receipt.searches, room.engine.searched) == (0, searched)


def test_an_observation_that_arrives_twice_is_neither_searched_nor_stored_twice(room: Room) -> None:
    first = room.look(1, shown("a", ANN), uid="same")
    searched, report = room.engine.searched, room.report()
    second = room.look(1, shown("a", ANN), uid="same")
    assert room.engine.searched == searched
    assert room.report() == report
    assert (second.names, second.searches) == (first.names, 0)


def test_a_spot_check_finds_out_that_somebody_else_sits_there_now(room: Room) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    assert room.look(3, shown("a", ANN, 4, spot_check=True)).names == {"a": ANN.name}
    room.look(4, shown("a", BEN, 1, spot_check=True))
    receipt = room.look(5, shown("a", BEN, 2))
    assert receipt.names == {"a": BEN.name}


def test_who_sat_there_before_is_known_again_by_a_look_that_would_name_nobody(room: Room) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    doubtful = blurred(shown("a2", ANN))
    assert room.look(3, unasked("a"), doubtful).names == {"a": ANN.name}
    receipt = room.look(4, replace(doubtful, track="a3", succeeds="a"))
    assert (receipt.names, receipt.continues) == ({"a3": ANN.name}, {"a3": "a"})


def test_who_was_named_before_is_known_again_in_another_place(room: Room) -> None:
    room.looks(range(1, 3), moving("a", ANN), moving("b", BEN))
    receipt = room.look(3, unasked("b"), shown("a2", ANN, 40))
    assert (receipt.names, receipt.continues) == ({"b": BEN.name, "a2": ANN.name}, {"a2": "a"})


def test_who_has_no_name_is_the_same_person_when_the_gallery_is_laid_out_anew(room: Room) -> None:
    room.looks(range(1, 5), moving("c", CID))
    assert room.look(5, shown("c2", CID, 40)).continues == {"c2": "c"}
    assert [review.kind for review in room.report().reviews] == ["unknown_face"]
    assert room.look(6, unasked("c2"), shown("c3", CID, 41)).continues == {}  # two at one look are two


def test_who_has_no_name_and_comes_back_is_still_one_person(room: Room) -> None:
    room.looks(range(1, 5), moving("a", ANN), moving("c", CID))
    room.looks(range(5, 8), moving("a", ANN))
    assert room.look(8, unasked("a"), shown("c2", CID, 40)).continues == {"c2": "c"}
    assert [review.kind for review in room.report().reviews] == ["unknown_face"]


def test_an_engine_that_bills_is_not_asked_about_somebody_known(room: Room) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    searched = room.engine.searched
    room.engine.bills = True
    assert room.look(3, shown("a2", ANN, 40)).names == {"a2": ANN.name}
    assert room.engine.searched == searched
    assert room.look(4, shown("a2", ANN, 41, spot_check=True)).names == {"a2": ANN.name}
    assert room.engine.searched == searched
    room.look(5, shown("a2", BEN, 1, spot_check=True))
    assert room.engine.searched == searched + 1


class ChargingEngine(CountingEngine):
    """Charges one for each search, as a tiered engine does that asks its provider at once."""

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        return [replace(answer, paid=1) for answer in super().search(probes, among, session_id)]


def test_a_search_that_is_repeated_with_what_was_seen_before_is_paid_for_twice(
    room: Room, tmp_path: Path, cache: FaceCache, settings: Settings
) -> None:
    engine = ChargingEngine(tmp_path / "vectors")
    strict = settings.model_copy(update={"match_margin_pct": 100.0})
    room.verifier = Verifier(room.database, cache, engine, strict)
    assert room.look(1, blurred(shown("a", ANN))).paid == 1
    receipt = room.look(2, shown("a2", ANN))
    assert receipt.continues == {"a2": "a"}
    assert receipt.paid == engine.searched - 1


def test_a_student_who_sits_elsewhere_at_the_same_look_is_not_found_twice_by_a_weak_likeness(
    room: Room,
) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    faces = [lambda minute: unasked("a"), lambda minute: blurred(shown("x", ANN, 7 * minute))]
    assert room.looks(range(3, 9), *faces).names == {"a": ANN.name}
    assert {review.kind for review in room.report().reviews} <= {"low_similarity", "unknown_face"}


def test_one_student_at_two_cameras_is_a_doubt_about_two_tiles(room: Room) -> None:
    room.looks(range(1, 6), moving("a", ANN), lambda minute: shown("b", ANN, 20 + minute))
    report = room.report()
    assert [(review.kind, review.student_name) for review in report.reviews] == [("two_tiles", ANN.name)]
    assert {line.name: line.status for line in report.students}[ANN.name] == "present"


def test_who_sits_down_after_somebody_else_is_not_taken_for_them(room: Room) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    assert room.look(3, replace(shown("c", CID), succeeds="a")).names == {}
    assert room.look(4, replace(shown("b", BEN), succeeds="a")).names == {"b": BEN.name}


def test_another_verifier_goes_on_with_what_the_first_one_remembered(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    room.looks(range(1, 3), moving("a", ANN))
    room.verifier = Verifier(room.database, cache, room.engine, settings)
    assert room.look(3, unasked("a")).names == {"a": ANN.name}


def test_a_lost_cache_costs_time_and_nothing_else(room: Room, cache: FaceCache) -> None:
    with room.database.reading() as session:
        from db.people import indexed_faces

        for face in indexed_faces(session):
            cache.forget(face.student_id)
    receipt = room.looks(range(1, 3), moving("a", ANN))
    assert receipt.names == {"a": ANN.name}


def test_a_head_that_is_no_face_at_all_is_unknown_in_the_end(room: Room) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 120, 3), dtype=np.uint8)
    head = SeenFace("n", (0, 0, 99, 99), (9, 9, 50, 50), FaceCrop(noise, (20, 20, 100, 100)))
    receipt = room.looks(range(1, 5), lambda minute: head)
    assert (receipt.identified, receipt.unknown) == (0, 1)
    assert {line.status for line in room.report().students} == {"absent"}


def test_an_observation_of_a_session_that_is_none_is_refused(room: Room) -> None:
    room.session_id = 99
    with pytest.raises(NotFoundError, match="no session 99"):
        room.look(1, unasked("a"))
