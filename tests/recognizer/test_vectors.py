import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from db.errors import StoreError
from recognizer.embedding import Vector
from recognizer.snapshot import Snapshot
from recognizer.vectors import StoredFace, VectorFolder

FACE = StoredFace("f1", "S1", "model")
VECTOR = np.linspace(-1, 1, 128, dtype=np.float32)
TRACE = VECTOR.tobytes()[40:120]


OPENED: list[VectorFolder] = []


def folder_at(path: Path) -> VectorFolder:
    OPENED.append(VectorFolder(path, "model"))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def some_faces(count: int, seed: int = 0) -> tuple[list[StoredFace], Vector]:
    vectors = np.random.default_rng(seed).normal(0, 0.1, (count, 128)).astype(np.float32)
    return [StoredFace(f"{seed}-{number}", f"S{number}", "model") for number in range(count)], vectors


def ids(snapshot: Snapshot) -> list[str]:
    return list(snapshot.face_ids[: len(snapshot)])


def test_a_vector_is_there_after_a_restart_and_seen_by_another_program(tmp_path: Path) -> None:
    one, other = folder_at(tmp_path), folder_at(tmp_path)
    assert ids(other.load()) == []
    one.add([FACE], VECTOR[np.newaxis])
    for folder in (one, other, folder_at(tmp_path)):
        snapshot = folder.load()
        assert ids(snapshot) == ["f1"]
        np.testing.assert_allclose(snapshot.matrix, [VECTOR / np.linalg.norm(VECTOR)], atol=1e-6)
        assert folder.faces() == [FACE]
        folder.close()


def test_nothing_is_read_again_while_nothing_has_changed(tmp_path: Path) -> None:
    folder, other = folder_at(tmp_path), folder_at(tmp_path)
    folder.add(*some_faces(3))
    before = folder.load()
    assert folder.load() is before
    other.add(*some_faces(1, seed=1))
    assert folder.load() is not before


def test_an_earlier_snapshot_stays_as_it_was(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    faces, vectors = some_faces(40)
    folder.add(faces, vectors)
    before = folder.load()
    matrix = before.matrix.copy()
    folder.remove(["0-3"])
    for seed in range(1, 6):
        folder.add(*some_faces(30, seed))
        folder.load()
    np.testing.assert_array_equal(before.matrix, matrix)
    assert ids(before) == [face.face_id for face in faces]
    assert before.row("1-2") is None
    assert before.row("0-3") == 3


def test_faces_that_come_and_go_leave_what_a_fresh_start_would_read(tmp_path: Path) -> None:
    folder, other = folder_at(tmp_path), folder_at(tmp_path)
    rng = np.random.default_rng(3)
    for seed in range(12):
        one, two = (folder, other) if seed % 2 else (other, folder)
        one.add(*some_faces(int(rng.integers(1, 50)), seed))
        here = ids(two.load())
        two.remove([here[index] for index in rng.integers(0, len(here), 5)])
    fresh = folder_at(tmp_path).load()
    for snapshot in (folder.load(), other.load()):
        assert ids(snapshot) == ids(fresh)
        np.testing.assert_array_equal(snapshot.matrix, fresh.matrix)
        np.testing.assert_array_equal(snapshot.numbers, fresh.numbers)
        assert [snapshot.row(face_id) for face_id in ids(fresh)] == list(range(len(fresh)))


def test_a_number_is_never_given_to_a_second_face(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    folder.add(*some_faces(2))
    numbers = set(folder.load().numbers.tolist())
    folder.remove(["0-0", "0-1"])
    folder.add(*some_faces(2, seed=1))
    assert not numbers & set(folder.load().numbers.tolist())


def test_a_face_that_is_there_already_is_refused_and_nothing_else_stored(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    folder.add([FACE], VECTOR[np.newaxis])
    with pytest.raises(StoreError, match="already"):
        folder.add([StoredFace("f2", "S2", "model"), FACE], np.stack([VECTOR, VECTOR]))
    assert ids(folder.load()) == ["f1"]


def test_an_embedding_with_a_hole_is_refused(tmp_path: Path) -> None:
    hollow = VECTOR.copy()
    hollow[5] = np.nan
    with pytest.raises(StoreError, match="finite"):
        folder_at(tmp_path).add([FACE], hollow[np.newaxis])


def test_a_program_killed_while_writing_loses_no_face_it_said_was_stored(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from recognizer.vectors import StoredFace, VectorFolder\n"
        "folder = VectorFolder(Path(sys.argv[1]), 'model')\n"
        "for number in range(100000):\n"
        "    folder.add([StoredFace(f'f{number}', 'S', 'model')], np.full((1, 128), .1, np.float32))\n"
        "    print(number, flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(25)]
    os.kill(writer.pid, signal.SIGKILL)
    said += [int(line) for line in writer.stdout]
    writer.wait(timeout=20)
    writer.stdout.close()
    stored = ids(folder_at(tmp_path).load())
    assert stored[: len(said)] == [f"f{number}" for number in said]
    assert len(stored) - len(said) in (0, 1)


def test_threads_and_programs_add_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    folders = [folder_at(tmp_path) for _ in range(2)]

    def work(seed: int) -> None:
        for face, vector in zip(*some_faces(15, seed), strict=True):
            folders[seed % 2].add([face], vector[np.newaxis])
            folders[seed % 2].load()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for folder in folders:
        assert sorted(ids(folder.load())) == sorted(f"{seed}-{n}" for seed in range(4) for n in range(15))


def test_a_folder_waits_for_a_program_that_is_making_it(tmp_path: Path) -> None:
    maker = sqlite3.connect(tmp_path / "faces.sqlite", isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: maker.execute("COMMIT")).start()
    folder_at(tmp_path).add(*some_faces(2))
    assert len(folder_at(tmp_path).faces()) == 2
    maker.close()


def test_a_damaged_face_is_named_and_the_others_are_found(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    folder.add(*some_faces(3))
    assert folder.complaint is None
    folder.close()
    with sqlite3.connect(tmp_path / "faces.sqlite") as raw:
        vector = bytearray(raw.execute("SELECT vector FROM face WHERE face_id = '0-1'").fetchone()[0])
        vector[100] ^= 4
        raw.execute("UPDATE face SET vector = ? WHERE face_id = '0-1'", (bytes(vector),))
    raw.close()
    again = folder_at(tmp_path)
    assert ids(again.load()) == ["0-0", "0-2"]
    assert again.complaint is not None
    assert "0-1 of S1" in again.complaint
    assert "enrol those students again" in again.complaint
    assert "0-1" in {face.face_id for face in again.faces()}
    assert again.remove(["0-1"]) == {"0-1"}
    assert again.complaint is None


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "faces.sqlite").write_bytes(b"what is this " * 1000)
    with pytest.raises(StoreError, match=r"faces\.sqlite are damaged .*backup"):
        folder_at(tmp_path).load()


def test_faces_of_another_network_are_refused(tmp_path: Path) -> None:
    VectorFolder(tmp_path, "older network").add([StoredFace("f1", "S1", "older network")], VECTOR[np.newaxis])
    with pytest.raises(StoreError, match=r"'older network', this program uses 'model'; move .* import"):
        folder_at(tmp_path).load()


def test_faces_written_by_a_newer_gridroll_are_refused(tmp_path: Path) -> None:
    folder_at(tmp_path).load()
    with sqlite3.connect(tmp_path / "faces.sqlite") as raw:
        raw.execute("PRAGMA user_version = 9")
    raw.close()
    with pytest.raises(StoreError, match="format 9, this program knows 1; use a newer"):
        folder_at(tmp_path).load()


def test_nothing_of_a_removed_vector_stays_in_any_file(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    folder.add(*some_faces(30))
    folder.add([FACE], VECTOR[np.newaxis])
    folder.load()
    assert any(TRACE in path.read_bytes() for path in tmp_path.iterdir())
    assert folder.remove(["f1", "f1", "ghost"]) == {"f1"}
    assert not any(TRACE in path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / "faces.sqlite-wal").stat().st_size == 0
    assert folder.load().row("f1") is None


def test_a_reader_in_the_way_of_erasing_is_said_and_erasing_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recognizer.vectors.BUSY_S", 0.05)
    folder = folder_at(tmp_path)
    folder.add([FACE], VECTOR[np.newaxis])
    reader = sqlite3.connect(tmp_path / "faces.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM face").fetchone()
    with pytest.raises(StoreError, match=r"not erased yet.* do it again") as said:
        folder.remove(["f1"])
    assert said.value.transient
    assert ids(folder.load()) == []
    reader.close()
    folder.remove(["f1"])
    assert not any(TRACE in path.read_bytes() for path in tmp_path.iterdir())


def test_a_writer_in_the_way_is_an_error_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recognizer.vectors.BUSY_S", 0.05)
    folder = folder_at(tmp_path)
    folder.load()
    writer = sqlite3.connect(tmp_path / "faces.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="in use by another program") as said:
        folder.add([FACE], VECTOR[np.newaxis])
    assert said.value.transient
    writer.close()
    folder.add([FACE], VECTOR[np.newaxis])
    assert ids(folder.load()) == ["f1"]


def test_a_folder_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    folder = folder_at(tmp_path / "v")
    folder.load()
    for path in (tmp_path / "v").iterdir():
        path.unlink()
    (tmp_path / "v").rmdir()
    with pytest.raises(StoreError, match="are gone"):
        folder.load()


def test_a_backup_put_in_its_place_is_seen(tmp_path: Path) -> None:
    folder, backup = folder_at(tmp_path / "v"), folder_at(tmp_path / "b")
    folder.add([FACE], VECTOR[np.newaxis])
    folder.load()
    backup.add(*some_faces(2))
    backup.close()
    for name in ("faces.sqlite-wal", "faces.sqlite-shm"):
        (tmp_path / "v" / name).unlink(missing_ok=True)
    (tmp_path / "b" / "faces.sqlite").replace(tmp_path / "v" / "faces.sqlite")
    assert ids(folder.load()) == ["0-0", "0-1"]


def test_vector_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = folder_at(tmp_path / "v")
    folder.add([FACE], VECTOR[np.newaxis])
    files = [tmp_path / "v", *(tmp_path / "v").iterdir()]
    assert len(files) > 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def old_file(folder: Path, face_id: str, model: str = "model") -> Path:
    """A face as version 0.1.0 stored it."""
    path = folder / f"{face_id}.json"
    record = {"external_id": "S1", "model": model, "vector": [float(value) for value in VECTOR]}
    path.write_text(json.dumps(record))
    return path


def test_faces_of_the_first_release_are_taken_over_once(tmp_path: Path) -> None:
    old = [old_file(tmp_path, face_id) for face_id in ("a", "b")]
    folder = folder_at(tmp_path)
    np.testing.assert_allclose(
        folder.load().matrix, np.stack([VECTOR, VECTOR]) / np.linalg.norm(VECTOR), atol=1e-6
    )
    assert folder.faces() == [StoredFace("a", "S1", "model"), StoredFace("b", "S1", "model")]
    assert not any(path.exists() for path in old)
    folder.remove(["a"])
    assert ids(folder_at(tmp_path).load()) == ["b"]


def test_taking_over_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    folder_at(tmp_path).add([StoredFace("a", "S1", "model")], VECTOR[np.newaxis])
    old_file(tmp_path, "a")
    old_file(tmp_path, "b")
    assert ids(folder_at(tmp_path).load()) == ["a", "b"]
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("content", ["{", "{}", '{"external_id": "S1", "model": "m", "vector": [1.0]}'])
def test_a_damaged_file_of_the_first_release_is_kept_and_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    old_file(tmp_path, "a")
    folder = folder_at(tmp_path)
    assert ids(folder.load()) == ["a"]
    assert folder.complaint is not None
    assert "bad.json" in folder.complaint
    assert (tmp_path / "bad.json").read_text() == content


def test_old_faces_of_another_network_are_refused_and_left_alone(tmp_path: Path) -> None:
    old = old_file(tmp_path, "a", model="older network")
    with pytest.raises(StoreError, match="'older network'"):
        folder_at(tmp_path).load()
    assert old.exists()
