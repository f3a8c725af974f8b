"""The identity memory: one query a look, whoever wrote what is new, with the server and without."""

import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import pytest
from pymongo import monitoring

from db.database import Database
from db.face_cache import FaceCache
from db.judgements import reviews_of
from db.people import indexed_faces
from db.sessions import start_session
from db.settings import Settings
from demo.cast import Person, portrait
from recognizer.enrolment import Enrolment
from recognizer.judging import Judging, Settlement
from recognizer.local import LocalEngine
from recognizer.memory import KEPT_S, IdentityMemory, Remembered
from recognizer.observation import Observation, Receipt, SeenFace
from recognizer.verify import Verifier
from tests.conftest import START
from tests.outside_mongo import OutsideMongo
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.recognizer.test_reunion import remembered

READS, WRITES = (
    {"find", "aggregate", "getMore", "count", "distinct"},
    {"insert", "update", "delete", "bulkWrite"},
)
BOTH = frozenset({"a", "b"})


class Counting(monitoring.CommandListener):
    """Counts what the server is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        kind = "reads" if event.command_name in READS else "writes"
        self.asked[kind] += event.command_name in READS | WRITES

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def counting() -> Iterator[Counting]:
    """Hears of every command of the clients made from now on."""
    heard = Counting()
    monitoring.register(heard)
    yield heard
    monitoring._LISTENERS.command_listeners.remove(heard)


@pytest.fixture
def own_cache(counting: Counting, cache: FaceCache) -> Iterator[FaceCache]:
    """The program's connection, listened to."""
    own = FaceCache(cache.url, cache.database)
    yield own
    own.close()


class Room:
    """A session with Ann and Ben enrolled. `cache`: the program's that looks."""

    def __init__(
        self, folder: Path, database: Database, cache: FaceCache, settings: Settings, count: int = 2
    ) -> None:
        self.database, self.settings = database, settings
        self.folder = folder
        self.engine = LocalEngine(folder / "vectors")
        self.enrol((ANN, BEN)[:count], cache)
        with database.writing() as session:
            self.session_id = start_session(session, "BIO", "", START, 45).id
        self.enter(cache)

    def enrol(self, people: tuple[Person, ...], cache: FaceCache) -> None:
        lines = ["student_no,name,email,photo"]
        for person in people:
            cv2.imwrite(str(self.folder / f"{person.student_no}.png"), portrait(person))
            lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
        (self.folder / "roster.csv").write_text("\n".join(lines))
        Enrolment(self.database, cache, self.engine, self.settings).import_roster(
            "BIO", self.folder / "roster.csv", None, "form 7"
        )

    def enter(self, cache: FaceCache) -> None:
        """The looks from now on are another program's."""
        self.verifier = Verifier(self.database, cache, self.engine, self.settings)

    def look(self, minute: float, *faces: SeenFace) -> Receipt:
        at = START + timedelta(minutes=minute)
        return self.verifier.verify(
            Observation(f"u{minute}", self.session_id, at, at, "headcount", len(faces), faces)
        )

    def open_review(self) -> int:
        with self.database.reading() as session:
            return next(row.id for row in reviews_of(session, self.session_id) if row.state == "open")


@pytest.fixture
def room(tmp_path: Path, sqlite_database: Database, own_cache: FaceCache, settings: Settings) -> Room:
    return Room(tmp_path, sqlite_database, own_cache, settings)


def shown(track: str, person: Person, shift_px: int = 0) -> SeenFace:
    return SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50), crop_of(person, 300, shift_px))


def unasked(track: str) -> SeenFace:
    return SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50))


def test_every_look_asks_the_server_once_and_writes_once_at_most(
    room: Room, cache: FaceCache, own_cache: FaceCache, counting: Counting, settings: Settings
) -> None:
    def ask(minute: float, *faces: SeenFace) -> tuple[int, int]:
        counting.asked.clear()
        room.look(minute, *faces)
        return counting.asked["reads"], counting.asked["writes"]

    assert ask(1, shown("a", ANN), shown("c", CID)) == (1, 1)  # the first look
    assert ask(2, shown("a", ANN, 5), shown("c", CID, 5)) == (1, 1)
    assert ask(3, unasked("a"), unasked("c")) == (1, 0)
    assert ask(4, unasked("a"), shown("b", BEN), shown("c2", CID, 40)) == (1, 1)  # new faces, in new places
    room.enter(FaceCache(cache.url, cache.database))  # a program that knows nothing yet
    assert ask(5, unasked("a"), shown("b2", BEN, 9)) == (1, 1)
    room.verifier._memory._cache.close()
    room.enter(own_cache)
    assert ask(6, unasked("a"), shown("b2", BEN, 12)) == (1, 1)  # after another program wrote
    with room.database.reading() as session:
        faces = [face.face_id for face in indexed_faces(session)]
    cache.drop(faces)
    room.enter(FaceCache(cache.url, cache.database))
    assert ask(7, shown("a", ANN, 9)) == (1, 1)  # the cache was lost
    assert ask(8, unasked("a")) == (1, 1)
    assert cache.face_ids() == set(faces)
    room.verifier._memory._cache.close()


def test_a_verdict_of_another_program_reaches_one_that_watches_at_its_next_look(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    for minute in range(1, 6):
        room.look(minute, shown("c", CID, minute))
    staff = Judging(room.database, cache, settings)
    staff.guest(room.open_review(), "Dora Guest", Settlement("staff@example.org"))
    assert room.look(6, unasked("c")).guests == {"c": "Dora Guest"}


def test_who_was_forgotten_elsewhere_is_forgotten_by_a_program_that_watches(
    room: Room, cache: FaceCache, settings: Settings
) -> None:
    room.look(1, shown("a", ANN), shown("b", BEN))
    assert room.look(2, shown("a", ANN, 5), shown("b", BEN, 5)).names.keys() == BOTH
    Enrolment(room.database, cache, room.engine, settings).remove(ANN.student_no)
    receipt = room.look(3, unasked("a"), unasked("b"))
    assert receipt.names == {"b": BEN.name}
    assert receipt.wanted == {"a"}


@pytest.mark.parametrize("place", ["_writer", "_memory"])
def test_who_is_removed_while_a_look_is_under_way_is_not_remembered(
    room: Room, cache: FaceCache, settings: Settings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """`place`: what the look is about to write when the faces are removed."""
    room.look(1, shown("a", ANN), shown("b", BEN))
    act = {"_writer": "put", "_memory": "remember"}[place]
    part = getattr(room.verifier, place)
    write = getattr(part, act)

    def slow(*arguments: object) -> object:
        Enrolment(room.database, cache, room.engine, settings).remove(ANN.student_no)
        return write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(part, act, slow)
        room.look(2, shown("a", ANN, 5), shown("b", BEN, 5))
    for program in (room.verifier._memory, IdentityMemory(cache)):
        found = program.look(room.session_id, {}, lambda _: ())
        assert found.recall(BOTH).keys() == {"b"}
        assert {one.track for one in found.recall_students({1, 2}, {1, 2})} == {"b"}
    receipt = room.look(3, unasked("a"), unasked("b"))
    assert receipt.names == {"b": BEN.name}
    assert receipt.wanted == {"a"}


def test_two_programs_that_watch_one_session_know_what_the_other_saw(
    room: Room, cache: FaceCache, own_cache: FaceCache
) -> None:
    room.look(1, shown("a", ANN))
    room.look(2, shown("a", ANN, 5))
    room.enter(cache)
    assert room.look(3, unasked("a"), shown("b", BEN)).names == {"a": ANN.name, "b": BEN.name}
    room.enter(own_cache)
    assert room.look(4, unasked("a"), unasked("b")).names == {"a": ANN.name, "b": BEN.name}


def test_a_class_goes_on_when_the_server_is_killed_and_what_was_seen_then_is_there_when_it_is_back(
    tmp_path: Path, sqlite_database: Database, settings: Settings
) -> None:
    outside = OutsideMongo(tmp_path / "outside")
    outside.start()
    cache = FaceCache(outside.url)
    try:
        cache.prepare()
        room = Room(tmp_path, sqlite_database, cache, settings)
        room.look(1, shown("a", ANN))
        outside.kill()
        room.look(2, shown("a", ANN, 5), shown("b", BEN))
        receipt = room.look(3, unasked("a"), shown("b", BEN, 5))
        assert receipt.names == {"a": ANN.name, "b": BEN.name}
        outside.start()
        cache._server._outage._again_at = 0.0  # as though the pause were over
        room.look(4, unasked("a"), unasked("b"))
        other = FaceCache(outside.url)
        room.enter(other)
        assert room.look(5, unasked("a"), unasked("b")).names == {"a": ANN.name, "b": BEN.name}
        other.close()
    finally:
        cache.close()
        outside.close()


def test_a_server_that_was_never_there_costs_the_class_nothing_but_time(
    tmp_path: Path, sqlite_database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = FaceCache("mongodb://127.0.0.1:1/?timeoutMS=300&serverSelectionTimeoutMS=300")
    room = Room(tmp_path, sqlite_database, away, settings)
    room.look(1, shown("a", ANN), shown("c", CID))
    assert room.look(2, shown("a", ANN, 5), shown("c", CID, 5)).names == {"a": ANN.name}
    for minute in range(3, 6):
        room.look(minute, unasked("a"), shown("c", CID, minute))
    Judging(sqlite_database, away, settings).guest(
        room.open_review(), "Dora Guest", Settlement("s@example.org")
    )
    assert room.look(7, unasked("a"), unasked("c")).identified >= 1
    assert len([record for record in caplog.records if "going on without it" in record.message]) == 1
    away.close()


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def memory(own_cache: FaceCache) -> Callable[[], IdentityMemory]:
    return lambda: IdentityMemory(own_cache, Seconds())


def test_later_tracks_and_the_student_lead_to_who_was_seen_first(
    memory: Callable[[], IdentityMemory],
) -> None:
    one = replace(remembered("a", "named", 7), template=b"\0\1")
    moved = replace(one, track="b", asked=3)
    first = memory()
    first.remember(9, [one])
    first.remember(9, [moved])
    for program in (first, memory()):
        view = program.look(9, {}, lambda _: ())
        assert content(view.recall({"a"})["a"]) == content(moved)
        assert content(view.recall({"b"})["b"]) == content(moved)
        assert [content(found) for found in view.recall_students({7}, ())] == [content(moved)]
        assert view.recall({"none"}) == {}
        assert view.recall_students((), {7}) == []


def test_what_a_look_began_with_does_not_change_while_it_lasts(memory: Callable[[], IdentityMemory]) -> None:
    own = memory()
    view = own.look(9, {}, lambda _: ())
    own.remember(9, [remembered("a", "named", 7)])
    assert view.recall({"a"}) == {}
    assert own.recall(9, {"a"}).keys() == {"a"}


def test_what_another_program_wrote_later_outranks_what_this_one_wrote(
    memory: Callable[[], IdentityMemory],
) -> None:
    own, staff = memory(), memory()
    own.recall(9, ())
    own.remember(9, [remembered("a", "pending", None)])
    assert staff.recall(9, {"a"})["a"].verdict == "pending"
    staff.remember(9, [remembered("a", "named", 7)])
    assert own.recall(9, {"a"})["a"].verdict == "named"
    own.remember(9, [remembered("a", "unknown", None)])
    assert [program.recall(9, {"a"})["a"].verdict for program in (own, staff)] == ["unknown", "unknown"]


def test_what_was_written_while_the_server_was_asked_outranks_its_answer(
    own_cache: FaceCache, cache: FaceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, staff = IdentityMemory(own_cache, Seconds()), IdentityMemory(cache, Seconds())
    own.recall(9, ())
    staff.remember(9, [remembered("a", "pending", None)])
    refresh = own_cache.refresh

    def slow(*arguments: object) -> object:
        answer = refresh(*arguments)  # type: ignore[arg-type]
        own.remember(9, [remembered("a", "named", 7)])  # by another thread
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(own_cache, "refresh", slow)
        assert own.recall(9, {"a"})["a"].verdict == "named"
    assert own.recall(9, {"a"})["a"].verdict == "named"
    assert staff.recall(9, {"a"})["a"].verdict == "named"


def test_an_answer_that_comes_late_does_not_make_older_what_is_known(
    own_cache: FaceCache, cache: FaceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, staff = IdentityMemory(own_cache, Seconds()), IdentityMemory(cache, Seconds())
    staff.remember(9, [remembered("a", "pending", None)])
    refresh = own_cache.refresh

    def slow(*arguments: object) -> object:
        monkeypatch.setattr(own_cache, "refresh", refresh)
        answer = refresh(*arguments)  # type: ignore[arg-type]
        time.sleep(0.01)  # the server's stamps are milliseconds
        staff.remember(9, [remembered("b", "pending", None)])
        own.recall(9, ())  # by another thread
        seen.append(own._mirrors[9].since)
        return answer

    seen: list[datetime | None] = []
    monkeypatch.setattr(own_cache, "refresh", slow)
    own.recall(9, ())
    assert [own._mirrors[9].since] == seen != [None]


def test_what_leads_to_somebody_is_written_again_only_before_it_expires(
    own_cache: FaceCache, cache: FaceCache
) -> None:
    seconds = Seconds()
    own = IdentityMemory(own_cache, seconds)
    person, before = remembered("a", "named", 7), None
    for minute in range(0, 121, 40):
        seconds.now = 60.0 * minute
        own.remember(9, [replace(person, asked=minute)])
        notes = cache.refresh(9, "reader", None, {}, lambda _: ()).notes
        assert notes is not None
        written = {note.key.split(":")[-1]: note.updated_at for note in notes}
        assert written.keys() == {"a", "is=7"}
        assert (written["is=7"] != before) is (minute in {0, 80})
        before = written["is=7"]
        time.sleep(0.01)  # the server's stamps are milliseconds


def test_sessions_that_are_not_looked_at_any_more_are_dropped_and_found_again(own_cache: FaceCache) -> None:
    seconds = Seconds()
    own = IdentityMemory(own_cache, seconds)
    for session in range(1, 100):
        own.remember(session, [remembered("a", "named", session)])
    assert list(own._mirrors) == list(range(36, 100))
    seconds.now += KEPT_S + 1
    assert own.recall(1, {"a"})["a"].student_id == 1
    assert list(own._mirrors) == [1]


def content(one: Remembered) -> tuple[object, ...]:
    return (*(getattr(one, name) for name in ("track", "person", "verdict", "student_id", "asked")), b64(one))


def b64(one: Remembered) -> tuple[bytes, bytes | None]:
    return b64encode(one.likeness.to_bytes()), one.template
