"""Settling reviews, with the real engine, a real cache server and a real database."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from db.database import Database
from db.errors import GridrollError, NotFoundError
from db.face_cache import FaceCache
from db.people import find_student
from db.report import session_report
from db.reviews import review_mark
from db.schema import JudgementRow, ReviewRow
from db.sessions import start_session
from db.settings import Settings
from demo.cast import Person, portrait
from recognizer.enrolment import Enrolment
from recognizer.judging import Judging, Settlement
from recognizer.local import LocalEngine
from recognizer.observation import Observation, Receipt, SeenFace
from recognizer.review_commands import reviews
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, CID, crop_of

STAFF = Settlement("sue@x.example", "I know them")


class Room:
    """A course with Ann and Ben; Cid is a stranger."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database, self.cache, self.settings = database, cache, settings
        self.engine = LocalEngine(folder / "vectors")
        self.enrolment = Enrolment(database, cache, self.engine, settings)
        lines = ["student_no,name,email,photo"]
        for person in (ANN, BEN):
            cv2.imwrite(str(folder / f"{person.student_no}.png"), portrait(person))
            lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
        (folder / "roster.csv").write_text("\n".join(lines))
        self.enrolment.import_roster("BIO", folder / "roster.csv", None, "form 7")
        self.session_id = self.new_session()
        self.judging = Judging(database, cache, settings)

    def new_session(self) -> int:
        with self.database.writing() as session:
            self.session_id = start_session(session, "BIO", "", START, 45).id
        return self.session_id

    def loosen(self) -> None:
        """Let everybody pass for everybody: strangers then get names, as by a lookalike."""
        self.settings = self.settings.model_copy(
            update={
                "match_threshold_pct": 20.0,
                "weak_threshold_pct": 10.0,
                "sure_threshold_pct": 20.0,
                "match_margin_pct": 0.0,
            }
        )

    def look(self, minute: float, *faces: SeenFace) -> Receipt:
        taken_at = START + timedelta(minutes=minute)
        verifier = Verifier(self.database, self.cache, self.engine, self.settings)
        uid = f"u{self.session_id}-{minute}"
        return verifier.verify(
            Observation(uid, self.session_id, taken_at, taken_at, "headcount", len(faces), faces)
        )

    def looks(self, *faces: Callable[[int], SeenFace], first: int = 1) -> Receipt:
        return [self.look(minute, *(face(minute) for face in faces)) for minute in range(first, first + 5)][
            -1
        ]

    def reviews(self) -> list[tuple[int, str, str | None, str]]:
        with self.database.reading() as session:
            rows = session.scalars(select(ReviewRow).where(ReviewRow.session_id == self.session_id)).all()
            return [(row.id, row.kind, row.student.name if row.student else None, row.state) for row in rows]

    def statuses(self) -> dict[str, str]:
        with self.database.reading() as session:
            return {line.name: line.status for line in session_report(session, self.session_id).students}

    def verified(self) -> set[bool]:
        with self.database.reading() as session:
            looks = session_report(session, self.session_id).looks
            return {look.identified + look.reviewed == look.headcount for look in looks}

    def judgements(self) -> list[JudgementRow]:
        with self.database.reading() as session:
            return list(session.scalars(select(JudgementRow).order_by(JudgementRow.id)))


@pytest.fixture
def room(tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings) -> Room:
    return Room(tmp_path, sqlite_database, cache, settings)


def moving(track: str, person: Person) -> Callable[[int], SeenFace]:
    return lambda minute: SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50), crop_of(person, 300, minute))


def test_a_stranger_named_as_a_guest_explains_the_head_and_is_known_from_then_on(room: Room) -> None:
    room.looks(moving("a", ANN), moving("c", CID))
    (review,) = room.reviews()
    assert review[1:] == ("unknown_face", None, "open")
    assert room.verified() == {False}
    room.judging.guest(review[0], "  Dr.  Cid ", STAFF)
    assert room.reviews() == [(review[0], "unknown_face", None, "guest")]
    assert room.verified() == {True}
    later = room.look(7, moving("a", ANN)(7), moving("c9", CID)(7))
    assert later.guests == {"c9": "Dr. Cid"} or later.wanted == {"c9"}
    assert room.look(8, moving("a", ANN)(8), moving("c9", CID)(8)).guests == {"c9": "Dr. Cid"}
    room.new_session()
    room.looks(moving("x", CID))
    assert (room.reviews(), room.verified()) == ([], {True})


def test_who_a_face_is_not_is_honoured_in_other_tracks_and_later_sessions(room: Room) -> None:
    room.loosen()
    receipt = room.looks(moving("c", CID))
    (mistaken,) = receipt.names.values()
    own = next(person for person in (ANN, BEN) if person.name == mistaken)
    with room.database.writing() as session:
        student = find_student(session, own.student_no)
        doubt = {"kind": "two_tiles", "subject": "c", "student_id": student.id, "at": START, "state": "open"}
        session.add(ReviewRow(session_id=room.session_id, **doubt))
    room.judging.reject(room.reviews()[0][0], None, STAFF)
    assert room.statuses()[mistaken] == "absent"
    for _ in range(2):
        assert mistaken not in room.looks(moving(f"c{room.session_id}", CID), first=20).names.values()
        assert mistaken in room.looks(moving("own", own), first=30).names.values()
        room.new_session()


def test_whom_staff_confirm_is_there_and_the_face_is_not_asked_about_again(room: Room) -> None:
    room.looks(moving("c", CID))
    receipt_id = room.reviews()[0][0]
    with pytest.raises(GridrollError, match="suspects nobody; say who it is"):
        room.judging.confirm(receipt_id, None, STAFF)
    room.judging.confirm(receipt_id, BEN.student_no, STAFF)
    assert room.statuses() == {ANN.name: "absent", BEN.name: "present"}
    receipt = room.look(8, replace(moving("c", CID)(8), crop=None))
    assert (receipt.names, receipt.wanted) == ({"c": BEN.name}, frozenset())
    assert (
        room.judgements()[0].template is None
    )  # who is enrolled is known by their photographs, not by a verdict


def test_several_are_confirmed_at_once_but_for_those_that_changed_meanwhile(room: Room) -> None:
    def still(track: str, person: Person) -> Callable[[int], SeenFace]:
        return lambda minute: replace(moving(track, person)(minute), cue="still_picture")

    room.looks(still("a", ANN), still("b", BEN), moving("c", CID))
    with room.database.reading() as session:
        rows = session.scalars(select(ReviewRow)).all()
        numbers = {row.student.name if row.student else "": row.id for row in rows}
        marks = {row.id: review_mark(row) for row in rows}
    assert numbers.keys() == {ANN.name, BEN.name, ""}
    stale = marks | {numbers[BEN.name]: "open/77//", 99: "open///"}
    left = room.judging.confirm_all(stale, STAFF)
    assert left == {numbers[BEN.name], numbers[""], 99}
    assert {key: state for key, _, _, state in room.reviews()} == {
        numbers[ANN.name]: "confirmed",
        numbers[BEN.name]: "open",
        numbers[""]: "open",
    }
    assert [one.verdict for one in room.judgements()] == ["is_student"]
    assert room.judging.confirm_all(marks, STAFF) == {numbers[""]}
    assert len(room.judgements()) == 2


def test_saying_the_same_twice_changes_nothing(room: Room) -> None:
    room.looks(moving("c", CID))
    review = room.reviews()[0][0]
    for _ in range(3):
        room.judging.guest(review, "Cid", STAFF)
    (judgement,) = room.judgements()
    assert (judgement.made_by, judgement.reason, judgement.name) == ("sue@x.example", "I know them", "Cid")


def test_staff_may_change_their_mind_and_the_face_kept_for_the_first_verdict_goes(room: Room) -> None:
    room.looks(moving("c", CID))
    review = room.reviews()[0][0]
    room.judging.guest(review, "Cid", STAFF)
    assert room.judgements()[0].template is not None
    room.judging.confirm(review, ANN.student_no, STAFF)
    assert room.statuses()[ANN.name] == "present"
    assert [judgement.template for judgement in room.judgements()] == [None, None]


def test_a_verdict_on_a_still_picture_says_nothing_of_the_face_elsewhere(room: Room) -> None:
    room.looks(lambda minute: replace(moving("a", ANN)(minute), cue="still_picture"))
    ((review, kind, name, _),) = room.reviews()
    assert (kind, name, room.statuses()[ANN.name]) == ("still_picture", ANN.name, "present")
    room.judging.reject(review, None, STAFF)
    assert room.statuses()[ANN.name] == "absent"
    assert room.judgements()[0].template is None
    assert room.looks(moving("a2", ANN), first=10).names == {"a2": ANN.name}


def test_a_rejected_face_that_is_another_student_s_goes_with_that_student(room: Room) -> None:
    room.looks(moving("a", ANN))
    with room.database.writing() as session:
        ben = find_student(session, BEN.student_no)
        doubt = {"kind": "two_tiles", "subject": "a", "student_id": ben.id, "at": START, "state": "open"}
        session.add(ReviewRow(session_id=room.session_id, **doubt))
    room.judging.reject(room.reviews()[0][0], None, STAFF)
    assert room.judgements()[0].template is not None
    room.enrolment.remove(ANN.student_no)
    assert room.judgements()[0].template is None


def test_a_judged_face_expires_and_goes_with_the_student(room: Room) -> None:
    room.looks(moving("c", CID))
    room.judging.reject(room.reviews()[0][0], ANN.student_no, STAFF)
    assert room.judgements()[0].template is not None
    room.enrolment.remove(ANN.student_no)
    assert room.judgements()[0].template is None

    room.new_session()
    room.looks(moving("c", CID))
    room.judging.guest(room.reviews()[0][0], "Cid", STAFF)
    with room.database.writing() as session:
        session.execute(update(JudgementRow).values(expires_at=START - timedelta(days=1)))
    room.new_session()
    room.looks(moving("c", CID))
    assert [kind for _, kind, _, _ in room.reviews()] == ["unknown_face"]
    assert [judgement.template for judgement in room.judgements()] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["confirm", "77"], "no review 77"),
        (["confirm", "{id}", "--student", "nobody"], "no student 'nobody'"),
        (["guest", "{id}", "  "], "a guest's name of 0 characters"),
        (["confirm", "{id}", "--student", "S", "--by", "sue"], "'sue' is no e-mail address"),
        (["forget", "Cid"], "no guest 'Cid'"),
    ],
)
def test_what_cannot_be_settled_is_said_in_one_line(room: Room, arguments: list[str], error: str) -> None:
    room.looks(moving("c", CID))
    review = str(room.reviews()[0][0])
    result = CliRunner().invoke(reviews, [argument.replace("{id}", review) for argument in arguments])
    assert isinstance(result.exception, GridrollError)
    assert error in str(result.exception)
    assert "\n" not in str(result.exception)


def test_reviews_are_listed_and_settled_on_the_command_line(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDROLL_CACHE_URL", room.cache.url)
    room.looks(moving("c", CID))
    listed = CliRunner().invoke(reviews, ["list", str(room.session_id), "--format", "json"])
    (line,) = json.loads(listed.output)
    assert (line["kind"], line["student_no"], line["state"], line["subject"]) == (
        "unknown_face",
        None,
        "open",
        "c",
    )
    settled = CliRunner().invoke(reviews, ["guest", str(line["id"]), "Cid", "--by", "sue@x.example"])
    assert settled.exit_code == 0, settled.output
    assert "guest" in CliRunner().invoke(reviews, ["list", str(room.session_id)]).output
    assert CliRunner().invoke(reviews, ["forget", "Cid"]).output == "Cid is forgotten (1 verdicts)\n"
    assert room.judgements()[0].name == ""


def test_reviews_of_a_session_that_is_none_are_no_empty_list(room: Room) -> None:
    result = CliRunner().invoke(reviews, ["list", "99"])
    assert isinstance(result.exception, NotFoundError)


def test_a_headcount_is_settled_as_explained_and_is_no_face(room: Room) -> None:
    faces = [replace(moving("a", ANN)(1), crop=None)]
    for minute in range(1, 5):
        room.look(minute, *faces)
    ((review, kind, _, _),) = room.reviews()
    assert (kind, room.verified()) == ("headcount", {False})
    with pytest.raises(GridrollError, match="about a headcount, not a face"):
        room.judging.guest(review, "Cid", STAFF)
    room.judging.confirm(review, None, STAFF)
    assert (room.reviews()[0][3], room.verified()) == ("confirmed", {True})
