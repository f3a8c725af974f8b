"""The cache's contract, against a real MongoDB-protocol server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.embedded_mongo import EmbeddedMongo
from db.errors import ConfigError, StoreError
from db.face_cache import CachedFace, FaceCache, open_cache

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def face(face_id: str, student_id: int = 1) -> CachedFace:
    return CachedFace(face_id, student_id, f"S{student_id}", "Ann Öberg", "local", "model", NOW)


def nothing_missing(lacking: Collection[str]) -> list[CachedFace]:
    raise AssertionError(f"asked the database for {lacking}")


def test_a_face_that_was_put_is_found_without_asking_the_database(cache: FaceCache) -> None:
    cache.put([face("f1"), face("f2", 2)])
    assert cache.find({"f1": 1, "f2": 2}, nothing_missing) == {"f1": face("f1"), "f2": face("f2", 2)}


def test_a_missing_face_is_filled_from_the_database_once(cache: FaceCache) -> None:
    asked: list[set[str]] = []

    def missing(lacking: Collection[str]) -> list[CachedFace]:
        asked.append(set(lacking))
        return [face(face_id) for face_id in lacking]

    cache.put([face("f1")])
    for _ in range(2):
        assert cache.find({"f1": 1, "f2": 1}, missing).keys() == {"f1", "f2"}
    assert asked == [{"f2"}]


def test_the_database_outranks_a_cache_that_says_otherwise(cache: FaceCache) -> None:
    cache.put([face("f1", 2)])
    assert cache.find({"f1": 1}, lambda lacking: [face("f1", 1)])["f1"].student_id == 1
    assert cache.find({"f1": 1}, nothing_missing)["f1"].student_id == 1


def test_what_was_remembered_for_half_a_day_is_forgotten(cache: FaceCache) -> None:
    cache.remember({"9:a": {"student_id": 1, "template": "x"}, "9:b": {"student_id": 2, "template": "y"}})
    old = datetime.now(UTC) - timedelta(hours=13)
    cache._memory.update_one({"_id": "9:a"}, {"$set": {"updated_at": old}})
    cache.prepare()
    assert cache.recall(["9:a", "9:b"]).keys() == {"9:b"}


def test_an_embedded_server_that_dies_is_started_again(tmp_path: Path) -> None:
    cache = open_cache("", tmp_path / "c")
    cache.put([face("f1")])
    os.kill(json.loads((tmp_path / "c" / "server.json").read_text())["pid"], signal.SIGKILL)
    assert cache.find({"f1": 1}, lambda lacking: [face("f1")]).keys() == {"f1"}
    cache.close()
    assert running_servers(tmp_path) == []


def test_a_folder_removed_while_in_use_leaves_no_server_behind(tmp_path: Path) -> None:
    server = EmbeddedMongo(tmp_path / "c")
    shutil.rmtree(tmp_path / "c")
    server.close()
    assert running_servers(tmp_path) == []


def test_a_face_that_nobody_knows_is_left_out(cache: FaceCache) -> None:
    assert cache.find({"ghost": 1}, lambda lacking: []) == {}


def test_putting_a_face_again_overwrites_it(cache: FaceCache) -> None:
    cache.put([face("f1", 1)])
    cache.put([face("f1", 2)])
    assert cache.find({"f1": 2}, nothing_missing)["f1"].student_id == 2


def test_forgetting_a_student_removes_their_faces_and_their_identity_memory(cache: FaceCache) -> None:
    cache.put([face("f1", 1), face("f2", 2)])
    cache.remember({"9:a": {"student_id": 1, "template": "x"}, "9:b": {"student_id": 2, "template": "y"}})
    cache.forget(1)
    assert cache.find({"f1": 1, "f2": 2}, lambda lacking: []).keys() == {"f2"}
    assert cache.recall(["9:a", "9:b"]).keys() == {"9:b"}


def test_what_is_remembered_can_be_replaced_and_recalled(cache: FaceCache) -> None:
    cache.remember({"9:a": {"student_id": None, "template": "x"}})
    cache.remember({"9:a": {"student_id": 3, "template": "y"}})
    assert cache.recall(["9:a", "9:none"])["9:a"]["template"] == "y"


def test_a_server_that_is_away_is_one_clear_line() -> None:
    away = FaceCache("mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200&timeoutMS=400")
    with pytest.raises(StoreError, match=r"face cache at 127\.0\.0\.1:1.* does not answer") as error:
        away.ping()
    assert error.value.transient
    assert "secret" not in str(error.value)
    away.close()


def test_an_address_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="mongodb://host:port"):
        FaceCache("http://example")


def test_the_embedded_server_is_shared_and_stopped_by_the_last_user(tmp_path: Path) -> None:
    first, second = EmbeddedMongo(tmp_path / "c"), EmbeddedMongo(tmp_path / "c")
    assert first.url == second.url
    first.close()
    still = FaceCache(second.url)
    still.ping()
    still.close()
    second.close()
    assert not (tmp_path / "c" / "server.json").exists()
    assert running_servers(tmp_path) == []


def test_the_embedded_server_starts_where_a_killed_one_left_a_number_that_is_another_process_by_now(
    tmp_path: Path,
) -> None:
    (tmp_path / "nx.pid").write_text(str(os.getpid()))
    server = EmbeddedMongo(tmp_path)
    server.close()


def test_the_embedded_server_keeps_its_documents_and_its_files_private(tmp_path: Path) -> None:
    for known in (False, True):
        cache = open_cache("", tmp_path / "c")
        assert (cache.find({"f1": 1}, lambda lacking: []) == {"f1": face("f1")}) is known
        cache.put([face("f1")])
        cache.close()
    exposed = [path.name for path in (tmp_path / "c").iterdir() if path.stat().st_mode & 0o077]
    assert set(exposed) <= {"users.lock", "start.lock"}  # empty files
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0


def test_a_server_left_by_a_killed_program_is_used_and_stopped_by_the_next(tmp_path: Path) -> None:
    program = "import sys, time\nfrom pathlib import Path\nfrom db.embedded_mongo import EmbeddedMongo\n"
    program += "print(EmbeddedMongo(Path(sys.argv[1])).url, flush=True)\ntime.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    server = EmbeddedMongo(tmp_path / "c")
    assert server.url == url
    server.close()
    deadline = time.monotonic() + 10
    while running_servers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running_servers(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another GRIDROLL_HOME"):
        EmbeddedMongo(tmp_path / "file" / "c")


def running_servers(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_text()
        except OSError:
            continue
        if "nx_27017" in command and os.fspath(folder) in command:
            found.append(command)
    return found
