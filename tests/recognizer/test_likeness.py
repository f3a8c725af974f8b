import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.embedding import DIMENSIONS, Vector, embed
from recognizer.errors import EngineError
from recognizer.likeness import LOOKS, Likeness
from tests.recognizer.conftest import ANN, BEN, crop_of


def direction(seed: int) -> Vector:
    return np.random.default_rng(seed).normal(0, 1, DIMENSIONS).astype(np.float32)


def test_the_same_picture_seen_again_counts_once() -> None:
    first, second = embed([crop_of(ANN, 400), crop_of(ANN, 400, 3)])
    likeness = Likeness.of(first)
    assert likeness.has_seen(second)
    assert likeness.seen(second) is likeness
    assert likeness.seen(embed([crop_of(BEN)])[0]).looks == 2


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_only_the_latest_looks_are_kept_and_the_mean_is_of_unit_length(seeds: list[int]) -> None:
    likeness = Likeness.of(direction(seeds[0]))
    for seed in seeds[1:]:
        likeness = likeness.seen(direction(seed))
    assert 1 <= likeness.looks <= min(LOOKS, len(set(seeds)))
    assert np.linalg.norm(likeness.mean) == pytest.approx(1, abs=1e-5)


def test_what_is_written_is_read_again() -> None:
    likeness = Likeness.of(direction(1)).seen(direction(2)).with_mirror(direction(1), direction(3))
    again = Likeness.from_bytes(likeness.to_bytes())
    assert np.array_equal(again.vectors, likeness.vectors)
    assert again.mirrored.tolist() == [True, False]
    assert again.resembles(likeness) == pytest.approx(1, abs=1e-6)


def test_a_mirror_image_counts_as_a_view_and_not_as_a_look() -> None:
    crop = crop_of(ANN, 400)
    (seen,), (mirror,) = embed([crop]), embed([crop], mirrored=True)
    likeness = Likeness.of(embed([crop_of(BEN)])[0]).seen(seen)
    assert likeness.lacks_mirror(seen)
    both = likeness.with_mirror(seen, mirror)
    assert (both.looks, both.views) == (2, 3)
    assert both.mirrored.tolist() == [False, True]
    assert both.has_seen(seen)
    assert not both.lacks_mirror(seen)
    assert np.array_equal(both.vectors[0], likeness.vectors[0])
    assert both.vectors[1] @ mirror > likeness.vectors[1] @ mirror


@pytest.mark.parametrize("data", [b"", b"123", b"\0" * 4 * (DIMENSIONS + 2)])
def test_what_is_no_likeness_is_refused_with_the_remedy(data: bytes) -> None:
    with pytest.raises(
        EngineError, match=f"of {len(data)} bytes cannot be read; start the session's watch again"
    ):
        Likeness.from_bytes(data)
