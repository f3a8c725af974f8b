from pathlib import Path

import numpy as np
import pytest

from db.errors import StoreError
from recognizer.vectors import StoredFace, VectorFolder

FACE = StoredFace("f1", "S1", "model")
VECTOR = np.linspace(-1, 1, 128, dtype=np.float32)


def test_a_vector_is_there_after_a_restart_and_seen_by_another_program(tmp_path: Path) -> None:
    one, other = VectorFolder(tmp_path), VectorFolder(tmp_path)
    assert other.load()[0] == []
    one.add(FACE, VECTOR)
    for folder in (one, other, VectorFolder(tmp_path)):
        faces, matrix = folder.load()
        assert faces == [FACE]
        np.testing.assert_array_equal(matrix, VECTOR[np.newaxis])


def test_a_file_that_was_being_written_when_the_power_went_is_no_face(tmp_path: Path) -> None:
    folder = VectorFolder(tmp_path)
    folder.add(FACE, VECTOR)
    (tmp_path / "tmpabc.part").write_text('{"vec')
    assert VectorFolder(tmp_path).load()[0] == [FACE]


@pytest.mark.parametrize("content", ["{", "{}", '{"external_id": "S1", "model": "m", "vector": [1.0]}'])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(StoreError, match=r"bad\.json .*(remove it)"):
        VectorFolder(tmp_path).load()


def test_a_removed_vector_leaves_no_file(tmp_path: Path) -> None:
    folder = VectorFolder(tmp_path)
    folder.add(FACE, VECTOR)
    assert folder.remove(["f1", "f1"]) == {"f1"}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    folder = VectorFolder(tmp_path / "v")
    (tmp_path / "v").rmdir()
    with pytest.raises(StoreError, match="are gone"):
        folder.load()


def test_vector_files_are_for_their_owner_only(tmp_path: Path) -> None:
    VectorFolder(tmp_path / "v").add(FACE, VECTOR)
    assert (tmp_path / "v" / "f1.json").stat().st_mode & 0o077 == 0
