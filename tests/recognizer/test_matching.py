from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from recognizer.embedding import Vector, unit
from recognizer.index import FaceIndex, index_path
from recognizer.matching import CANDIDATES, Matcher, Matches
from recognizer.vectors import StoredFace, VectorFolder

MANY = 6000
DIRECTIONS = np.random.default_rng(5).normal(0, 1, (128, 128)).astype(np.float32)
DIRECTIONS *= 0.96 ** np.arange(128, dtype=np.float32)[:, np.newaxis]  # few of them matter, as in embeddings


def people(count: int, seed: int = 0) -> Vector:
    rng = np.random.default_rng(seed)
    return unit(rng.normal(0, 1, (count, 128)).astype(np.float32) @ DIRECTIONS + 1.5)


def looks_at(persons: Vector, seed: int = 9) -> Vector:
    """The persons as seen again: at a distance of about .3, as photographs of one person are."""
    noise = np.random.default_rng(seed).normal(0, 0.3 / np.sqrt(128), persons.shape)
    return unit((persons + noise).astype(np.float32))


def faces_of(persons: Vector, name: str = "f") -> list[StoredFace]:
    return [StoredFace(f"{name}{number}", f"S{number}", "model") for number in range(len(persons))]


def best(matches: list[Matches]) -> list[str]:
    return [one[0][0] for one in matches]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[VectorFolder]:
    folder = VectorFolder(tmp_path, "model")
    yield folder
    folder.close()


@pytest.fixture
def many(folder: VectorFolder, monkeypatch: pytest.MonkeyPatch) -> VectorFolder:
    """A folder with more faces than are compared one by one."""
    monkeypatch.setattr("recognizer.matching.MOST_EXACT", 2000)
    persons = people(MANY)
    folder.add(faces_of(persons), persons)
    return folder


def exact(folder: VectorFolder, probes: Vector) -> list[str]:
    snapshot = folder.load()
    return [snapshot.face_ids[row] for row in (probes @ snapshot.matrix.T).argmax(axis=1)]


def test_faces_come_best_first_with_their_cosines(folder: VectorFolder) -> None:
    persons = people(5)
    folder.add(faces_of(persons), persons * 3)  # lengths do not matter
    probe = looks_at(persons[2:3])
    found = Matcher(folder).match(probe, None)[0]
    order = np.argsort(-(persons @ probe[0]))
    assert [face_id for face_id, _ in found] == [f"f{row}" for row in order]
    np.testing.assert_allclose([cosine for _, cosine in found], np.sort(persons @ probe[0])[::-1], atol=1e-6)


def test_no_more_than_a_hundred_faces_are_named_and_they_are_the_best(folder: VectorFolder) -> None:
    persons = people(700)
    folder.add(faces_of(persons), persons)
    probe = looks_at(persons[:1])
    found = Matcher(folder).match(probe, None)[0]
    order = np.argsort(-(persons @ probe[0]))[:CANDIDATES]
    assert [face_id for face_id, _ in found] == [f"f{row}" for row in order]


def test_faces_that_are_not_there_do_not_disturb_a_narrowed_search(folder: VectorFolder) -> None:
    persons = people(5)
    folder.add(faces_of(persons), persons)
    matcher = Matcher(folder)
    assert best(matcher.match(looks_at(persons[:1]), ["ghost", "f3"])) == ["f3"]
    assert matcher.match(looks_at(persons[:2]), ["ghost"]) == [(), ()]
    assert matcher.match(looks_at(persons[:2]), []) == [(), ()]


def test_among_many_faces_the_nearest_is_found_for_99_of_100_looks(many: VectorFolder) -> None:
    probes = looks_at(people(MANY)[::6])
    found = Matcher(many).match(probes, None)
    right = np.mean([one == other for one, other in zip(best(found), exact(many, probes), strict=True)])
    assert right >= 0.99
    cosine = dict(found[0])[best(found)[0]]
    assert cosine == pytest.approx(float(probes[0] @ people(MANY)[0]), abs=1e-5)
    assert index_path(many.folder).exists()


def test_a_few_of_many_faces_are_searched_exactly(many: VectorFolder) -> None:
    probes = looks_at(people(MANY)[:10])
    found = Matcher(many).match(probes, ["f5000", "f77"])
    assert all({face_id for face_id, _ in one} == {"f5000", "f77"} for one in found)
    assert not index_path(many.folder).exists()


def test_most_of_many_faces_are_searched_without_the_others(many: VectorFolder) -> None:
    probes = looks_at(people(MANY)[:40])
    found = Matcher(many).match(probes, [f"f{number}" for number in range(20, MANY)])
    assert not {f"f{number}" for number in range(20)} & {name for one in found for name, _ in one}
    assert best(found)[20:] == [f"f{number}" for number in range(20, 40)]


def test_a_kept_index_gives_the_same_answers(many: VectorFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = looks_at(people(MANY)[:50])
    first = Matcher(many).match(probes, None)
    monkeypatch.setattr("recognizer.index.FaceIndex._build", None)  # not built again
    assert Matcher(many).match(probes, None) == first


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
def test_a_damaged_index_is_built_again(many: VectorFolder, content: bytes) -> None:
    probes = looks_at(people(MANY)[:50])
    first = Matcher(many).match(probes, None)
    whole = index_path(many.folder).read_bytes()
    index_path(many.folder).write_bytes(content or whole[:-500])
    assert Matcher(many).match(probes, None) == first
    assert len(index_path(many.folder).read_bytes()) == len(whole)


def test_faces_that_come_later_are_found_too(many: VectorFolder) -> None:
    matcher = Matcher(many)
    matcher.match(looks_at(people(1)), None)
    late = people(30, seed=1)
    other = VectorFolder(many.folder, "model")
    other.add(faces_of(late, "late"), late)
    other.close()
    assert best(matcher.match(looks_at(late), None)) == [f"late{number}" for number in range(30)]
    # Few as they are, they are not worth a new file; a program that starts now adds them again.
    assert best(Matcher(many).match(looks_at(late), None)) == [f"late{number}" for number in range(30)]


def test_a_collection_that_has_grown_much_is_laid_out_anew(many: VectorFolder) -> None:
    matcher = Matcher(many)
    matcher.match(looks_at(people(1)), None)
    more = people(4 * MANY, seed=2)
    many.add(faces_of(more, "more"), more)
    probes = looks_at(more[::240])
    right = np.mean(np.array(best(matcher.match(probes, None))) == np.array(exact(many, probes)))
    assert right >= 0.99


def test_a_removed_face_is_never_found_and_its_entry_is_off_the_disk(many: VectorFolder) -> None:
    matcher, elsewhere = Matcher(many), Matcher(VectorFolder(many.folder, "model"))
    probes = looks_at(people(MANY)[:40])
    for one in (matcher, elsewhere):
        one.match(probes, None)
    gone = {f"f{number}" for number in range(0, 40, 2)}
    many.remove(gone, [index_path(many.folder)])
    assert not index_path(many.folder).exists()
    for one in (matcher, elsewhere, Matcher(many)):
        found = one.match(probes, None)
        assert not gone & {name for matches in found for name, _ in matches}
        assert best(found)[1::2] == [f"f{number}" for number in range(1, 40, 2)]
    assert index_path(many.folder).exists()
    elsewhere._folder.close()


def test_an_index_made_before_a_removal_is_not_kept_after_it(
    many: VectorFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program removes a face while this one is still building its index."""
    build = FaceIndex._build

    def build_slowly(index: FaceIndex, snapshot: object) -> None:
        build(index, snapshot)  # type: ignore[arg-type]
        other = VectorFolder(many.folder, "model")
        other.remove(["f3"], [index_path(many.folder)])
        other.close()

    monkeypatch.setattr("recognizer.index.FaceIndex._build", build_slowly)
    matcher = Matcher(many)
    matcher.match(looks_at(people(1)), None)
    assert not index_path(many.folder).exists()
    found = matcher.match(looks_at(people(MANY)[3:4]), None)
    assert best(found) != ["f3"]
    assert index_path(many.folder).exists()


def test_a_search_that_began_before_a_removal_does_not_bring_the_face_back(many: VectorFolder) -> None:
    index, probes = FaceIndex(many), looks_at(people(MANY)[-1:])
    before = many.load()
    removed = int(before.numbers[-1])
    index.nearest(before, probes)
    many.remove([before.face_ids[-1]], [index_path(many.folder)])
    index.nearest(many.load(), probes)
    index.nearest(before, probes)
    more = people(MANY // 2, seed=1)
    many.add(faces_of(more, "more"), more)
    index.nearest(many.load(), probes)  # so many that the file is written again
    kept = np.load(BytesIO(index_path(many.folder).read_bytes()[32:]))["numbers"].tolist()
    assert len(kept) == MANY - 1 + MANY // 2
    assert removed not in kept


def test_where_no_index_can_be_kept_searches_work_all_the_same(many: VectorFolder) -> None:
    index_path(many.folder).mkdir()
    probes = looks_at(people(MANY)[:20])
    assert best(Matcher(many).match(probes, None)) == [f"f{number}" for number in range(20)]


@pytest.mark.parametrize("most_exact", [2000, 100_000])
def test_threads_that_search_while_others_write_get_right_answers(
    many: VectorFolder, monkeypatch: pytest.MonkeyPatch, most_exact: int
) -> None:
    monkeypatch.setattr("recognizer.matching.MOST_EXACT", most_exact)
    matcher = Matcher(many)
    probes = looks_at(people(MANY)[:400])
    alone = [matcher.match(probes[first : first + 20], None) for first in range(0, 400, 20)]

    def write(seed: int) -> list[list[Matches]]:
        far = -people(50, seed)  # nobody any probe resembles
        many.add(faces_of(far, f"far{seed}-"), far)
        many.remove([f"far{seed}-{number}" for number in range(50)], [index_path(many.folder)])
        return []

    def read(_: int) -> list[list[Matches]]:
        return [matcher.match(probes[first : first + 20], None) for first in range(0, 400, 20)]

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write if turn % 3 == 2 else read, turn) for turn in range(9)]
        for at_once in (task.result() for task in done):
            for one, other in zip(at_once, alone, strict=False):
                assert best(one) == best(other)
                assert [matches[0][1] for matches in one] == pytest.approx(
                    [matches[0][1] for matches in other], abs=1e-6
                )
