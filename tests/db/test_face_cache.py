"""The cache's contract, against a real MongoDB-protocol server."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo import MongoClient

from db.face_cache import MEMORY_TTL_S, CachedFace, FaceCache, Note
from db.mongo import CacheAwayError
from tests.outside_mongo import OutsideMongo

NOW = datetime(2026, 11, 20, 9, 0, 0, 123456, UTC)
SESSION = 9


def face(face_id: str, student_id: int = 1) -> CachedFace:
    return CachedFace(face_id, student_id, f"S{student_id}", "Ann Öberg", "local", "model", 0.75, NOW)


def nothing_missing(lacking: Collection[str]) -> list[CachedFace]:
    raise AssertionError(f"asked the database for {lacking}")


def find(cache: FaceCache, *wanted: CachedFace, missing: object = None) -> dict[str, CachedFace]:
    """The faces as a look finds them, where the database says that they are like this."""
    stamps = {one.face_id: one.stamp for one in wanted}
    lookup = nothing_missing if missing is None else missing
    return cache.refresh(SESSION, "me", None, stamps, lookup).faces  # type: ignore[arg-type]


def recall(cache: FaceCache) -> dict[str, Note]:
    """All notes of the session."""
    notes = cache.refresh(SESSION, "reader", None, {}, nothing_missing).notes
    assert notes is not None
    return {note.key: note for note in notes}


@pytest.fixture
def other(cache: FaceCache) -> Iterator[FaceCache]:
    """The same documents, as another program sees them."""
    other = FaceCache(cache.url, cache.database)
    yield other
    other.close()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[OutsideMongo]:
    outside = OutsideMongo(tmp_path / "outside")
    outside.start()
    yield outside
    outside.close()


def test_a_face_that_was_put_is_found_without_asking_the_database(cache: FaceCache, other: FaceCache) -> None:
    cache.put([face("f1"), face("f2", 2)])
    found = find(other, face("f1"), face("f2", 2))
    assert {key: one.stamp for key, one in found.items()} == {
        "f1": face("f1").stamp,
        "f2": face("f2", 2).stamp,
    }
    assert found["f1"].says_the_same(face("f1"))  # but for the microseconds


def test_a_missing_face_is_filled_from_the_database_once(cache: FaceCache, other: FaceCache) -> None:
    asked: list[set[str]] = []

    def missing(lacking: Collection[str]) -> list[CachedFace]:
        asked.append(set(lacking))
        return [face(face_id) for face_id in lacking]

    cache.put([face("f1")])
    for _ in range(2):
        assert find(cache, face("f1"), face("f2"), missing=missing).keys() == {"f1", "f2"}
    cache.remember(SESSION, "me", [])
    assert find(other, face("f1"), face("f2"), missing=missing).keys() == {"f1", "f2"}
    assert asked == [{"f2"}]


@pytest.mark.parametrize(
    "change",
    [
        {"student_id": 2},
        {"student_no": "S7"},
        {"name": "Ann Berg"},
        {"engine": "rekognition"},
        {"indexed_at": NOW + timedelta(milliseconds=1)},
    ],
)
def test_the_database_outranks_a_cache_that_says_otherwise(
    cache: FaceCache, other: FaceCache, change: dict[str, object]
) -> None:
    cache.put([face("f1")])
    now = replace(face("f1"), **change)  # type: ignore[arg-type]
    for program in (cache, other):
        assert find(program, now, missing=lambda lacking: [now])["f1"] == now
    other.remember(SESSION, "me", [])
    assert cache.stale([now]) == []


def test_a_document_of_another_version_of_gridroll_is_written_anew(
    cache: FaceCache, other: FaceCache
) -> None:
    cache.put([face("f1")])
    client: MongoClient[dict[str, object]] = MongoClient(cache.url)
    client[cache.database]["faces"].update_one({"_id": "f1"}, {"$unset": {"format": 1, "quality": 1}})
    client.close()
    assert find(other, face("f1"), missing=lambda lacking: [face("f1")]).keys() == {"f1"}
    other.remember(SESSION, "me", [])
    assert cache.stale([face("f1")]) == []


def test_a_face_that_nobody_knows_is_left_out(cache: FaceCache) -> None:
    assert find(cache, face("ghost"), missing=lambda lacking: []) == {}


def test_a_face_that_the_database_no_longer_knows_is_not_found(cache: FaceCache) -> None:
    cache.put([face("f1")])
    assert find(cache) == {}


def test_what_is_remembered_can_be_replaced_and_is_read_with_the_servers_time(cache: FaceCache) -> None:
    cache.remember(SESSION, "me", [Note("9:a", {"leads_to": "9:b"})])
    cache.remember(SESSION, "me", [Note("9:a", {"template": "y"}, 3, 4)])
    note = recall(cache)["9:a"]
    assert note == Note("9:a", {"template": "y"}, 3, 4, note.updated_at)  # nothing is left of what it was
    assert note.updated_at is not None
    assert abs(note.updated_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_only_what_others_changed_since_is_read_again(cache: FaceCache) -> None:
    cache.remember(SESSION, "me", [Note("9:mine", {"a": 1})])
    cache.remember(SESSION, "staff", [Note("9:theirs", {"a": 2})])
    cache.remember(SESSION + 1, "staff", [Note("10:theirs", {"a": 3})])
    since = recall(cache)["9:theirs"].updated_at
    assert since is not None
    fresh = cache.refresh(SESSION, "me", since, {}, nothing_missing).notes
    assert [note.key for note in fresh or ()] == ["9:theirs"]
    later = cache.refresh(SESSION, "me", since + timedelta(minutes=1), {}, nothing_missing).notes
    assert later == []


def test_what_was_remembered_for_half_a_day_is_forgotten(cache: FaceCache) -> None:
    cache.remember(SESSION, "me", [Note("9:a", {}, 1), Note("9:b", {}, 2)])
    client: MongoClient[dict[str, object]] = MongoClient(cache.url)
    old = datetime.now(UTC) - timedelta(seconds=MEMORY_TTL_S + 60)
    memory = client[cache.database]["identity_memory"]
    memory.update_one({"_id": "9:a"}, {"$set": {"updated_at": old}})
    cache.prepare()
    assert recall(cache).keys() == {"9:b"}
    expiring = [one for one in memory.index_information().values() if "expireAfterSeconds" in one]
    assert [one["expireAfterSeconds"] for one in expiring] == [MEMORY_TTL_S]
    client.close()


def test_forgetting_a_student_removes_their_faces_and_empties_what_is_remembered_of_them(
    cache: FaceCache, other: FaceCache
) -> None:
    cache.put([face("f1", 1), face("f2", 2)])
    notes = [Note("9:a", {"t": "x"}, 1), Note("9:b", {"t": "y"}, 2), Note("9:c", {"t": "z"}, None, 1)]
    cache.remember(SESSION, "me", notes)
    other.forget(1)
    assert other.face_ids() == {"f2"}
    assert {key: note.held for key, note in recall(cache).items()} == {
        "9:a": None,
        "9:b": {"t": "y"},
        "9:c": None,
    }
    fresh = cache.refresh(SESSION, "me", datetime.now(UTC), {}, nothing_missing).notes
    assert {note.key for note in fresh or ()} == {"9:a", "9:c"}  # who watches learns of it


def test_a_face_that_was_indexed_under_a_students_name_stays_forgotten_in_this_program_too(
    cache: FaceCache,
) -> None:
    cache.put([face("f1", 1)])
    cache.forget(1)
    assert find(cache, face("f1"), missing=lambda lacking: []) == {}


def test_without_the_server_faces_come_from_the_database_and_what_is_new_is_written_when_it_is_back(
    outside: OutsideMongo, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FaceCache(outside.url)
    cache.prepare()
    cache.put([face("f1")])
    outside.kill()
    fetched = cache.refresh(SESSION, "me", None, {"f1": face("f1").stamp, "f2": face("f2").stamp}, lookup)
    assert fetched.faces.keys() == {"f1", "f2"}
    assert fetched.notes is None
    for number in range(3):
        cache.remember(SESSION, "me", [Note("9:a", {"template": str(number)}, 1)])
        cache.put([face("f3")])
    with pytest.raises(CacheAwayError):
        cache.forget(5)  # what is to be erased must be seen to be
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"the face cache at 127.0.0.1:{outside.port} does not answer (")
    assert said.endswith("); going on without it, slower")
    caplog.clear()
    outside.start()
    wait_out_the_pause(cache)
    assert recall(cache) == {}  # asked first, for others may have written meanwhile
    for _ in range(2):  # one write each
        cache.remember(SESSION, "me", [])
    assert {key: note.held for key, note in recall(cache).items()} == {"9:a": {"template": "2"}}
    assert cache.face_ids() == {"f1", "f3"}
    assert [record.message for record in caplog.records] == [
        f"the face cache at 127.0.0.1:{outside.port} answers again"
    ]
    cache.close()


def test_a_server_that_hangs_holds_up_one_look_for_seconds_and_the_next_ones_not_at_all(
    outside: OutsideMongo,
) -> None:
    cache = FaceCache(f"{outside.url}/?timeoutMS=700")
    cache.ping()
    outside.hang()
    took = []
    for _ in range(5):
        began = datetime.now(UTC)
        assert cache.refresh(SESSION, "me", None, {}, nothing_missing).notes is None
        took.append((datetime.now(UTC) - began).total_seconds())
    outside.go_on()
    assert 0.6 < took[0] < 5
    assert max(took[1:]) < 0.3
    cache.close()


def test_what_others_wrote_while_the_server_was_away_is_kept(outside: OutsideMongo) -> None:
    cache = FaceCache(outside.url)
    outside.kill()
    cache.remember(SESSION, "me", [Note("9:a", {"template": "mine"}), Note("9:b", {"template": "mine"})])
    outside.start()
    staff = FaceCache(outside.url)
    staff.remember(SESSION, "staff", [Note("9:a", {"template": "theirs"})])
    cache.give_up(["9:a"])
    wait_out_the_pause(cache)
    cache.remember(SESSION, "me", [])
    assert {key: note.held for key, note in recall(staff).items()} == {
        "9:a": {"template": "theirs"},
        "9:b": {"template": "mine"},
    }
    staff.close()
    cache.close()


def test_what_waits_to_be_written_is_bounded(outside: OutsideMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.face_cache.MOST_UNWRITTEN", 2)
    cache = FaceCache(outside.url)
    outside.kill()
    cache.put([face(f"f{number}") for number in range(5)])
    outside.start()
    wait_out_the_pause(cache)
    cache.put([])
    assert cache.face_ids() == {"f3", "f4"}
    cache.close()


def lookup(lacking: Collection[str]) -> list[CachedFace]:
    """What the database has."""
    return [face(face_id) for face_id in lacking]


def wait_out_the_pause(cache: FaceCache) -> None:
    """As though the seconds had passed for which a server that failed is left alone."""
    cache._server._outage._again_at = 0.0
