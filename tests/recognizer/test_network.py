import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from demo.cast import CAST
from recognizer.embedding import align, embed
from recognizer.errors import EngineError
from recognizer.network import Network, cache_folder, load_network, model_folder
from recognizer.observation import FaceCrop
from recognizer.photo import find_faces
from recognizer.weights import convert
from tests.recognizer.conftest import ANN, crop_of

Vectors = NDArray[np.float64]


@pytest.fixture(scope="module")
def weights() -> bytes:
    return (model_folder() / "dlib_face_recognition_resnet_model_v1.dat").read_bytes()


@pytest.fixture(scope="module")
def drawn() -> list[FaceCrop]:
    return [crop_of(person) for person in CAST[:9]]


@pytest.fixture(scope="module")
def drawn_vectors(drawn: list[FaceCrop]) -> Vectors:
    return dlib_answers(drawn)


def dlib_answers(crops: list[FaceCrop]) -> Vectors:
    """What dlib itself says of the faces, float64 of shape (n, 128)."""
    points: Any = dlib.shape_predictor(str(model_folder() / "shape_predictor_5_face_landmarks.dat"))
    network: Any = dlib.face_recognition_model_v1(
        str(model_folder() / "dlib_face_recognition_resnet_model_v1.dat")
    )
    rows = []
    for crop in crops:
        rgb = np.ascontiguousarray(crop.image[..., ::-1])
        rows.append(network.compute_face_descriptor(rgb, points(rgb, dlib.rectangle(*crop.box_xyxy))))
    return np.array(rows)


def test_the_network_answers_what_dlib_answers_for_drawn_faces(
    drawn: list[FaceCrop], drawn_vectors: Vectors
) -> None:
    np.testing.assert_allclose(embed(drawn), drawn_vectors, rtol=0, atol=1e-5)


def test_the_network_answers_what_dlib_answers_for_photographs(real_faces: Path) -> None:
    crops = []
    for path in sorted(real_faces.glob("people/*/1.jpg"))[:10]:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        crops.append(FaceCrop(image, (find_faces(image) or [(68, 68, 182, 182)])[0]))
    assert len(crops) == 10
    np.testing.assert_allclose(embed(crops), dlib_answers(crops), rtol=0, atol=1e-5)


def test_a_face_at_the_rim_of_its_picture_is_embedded_as_dlib_does() -> None:
    crop = crop_of(ANN)
    x1, y1, x2, y2 = crop.box_xyxy
    cut = FaceCrop(np.ascontiguousarray(crop.image[y1:y2, x1:x2]), (0, 0, x2 - x1, y2 - y1))
    np.testing.assert_allclose(embed([cut]), dlib_answers([cut]), rtol=0, atol=1e-5)


def test_no_faces_make_no_embeddings() -> None:
    assert embed([]).shape == (0, 128)


def test_a_face_has_the_same_embedding_alone_and_in_any_batch(drawn: list[FaceCrop]) -> None:
    together = embed(drawn)
    alone = np.concatenate([embed([crop]) for crop in drawn])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_threads_embed_as_one_after_the_other(drawn: list[FaceCrop]) -> None:
    alone = [embed([crop])[0] for crop in drawn]
    with ThreadPoolExecutor(6) as pool:
        at_once = list(pool.map(lambda crop: embed([crop])[0], drawn * 3))
    np.testing.assert_allclose(at_once, alone * 3, rtol=0, atol=1e-6)


def test_a_converted_network_is_used_again_without_the_converter(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom recognizer.network import Network\n"
        "Network(Path(sys.argv[1]))\nprint('onnx' in sys.modules)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "new")],
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],  # the disk was full
        lambda content: content[:-1000] + bytes(1000),  # blocks that never reached the disk
        lambda content: content[32:],  # a plain model, without its hash
    ],
)
def test_a_damaged_copy_of_the_network_is_written_anew(tmp_path: Path, damage: Any) -> None:
    Network(tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    chips = [align(crop_of(ANN))]
    np.testing.assert_allclose(Network(tmp_path).embed(chips), load_network().embed(chips), atol=1e-6)
    assert kept.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [kept]


def test_where_no_copy_can_be_kept_the_network_works_all_the_same(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    chips = [align(crop_of(ANN))]
    for folder in (None, in_the_way, in_the_way / "below"):
        np.testing.assert_allclose(Network(folder).embed(chips), load_network().embed(chips), atol=1e-6)


def test_programs_that_start_together_leave_one_whole_copy(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: Network(tmp_path), range(3)))
    assert [path.suffix for path in tmp_path.iterdir()] == [".onnx"]


def test_the_copy_is_kept_where_the_platform_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "gridroll"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "gridroll"


def test_missing_weights_are_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("recognizer.network.model_folder", lambda: tmp_path)
    with pytest.raises(EngineError, match=r"cannot read the face model .*pip install"):
        Network(None)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
def test_half_a_weights_file_is_one_clear_line(weights: bytes, share: float) -> None:
    with pytest.raises(EngineError, match=r"damaged or of another network; run 'pip install"):
        convert(weights[: int(len(weights) * share)])


def test_another_networks_weights_are_one_clear_line() -> None:
    other = model_folder() / "mmod_human_face_detector.dat"
    with pytest.raises(EngineError, match="of another network"):
        convert(other.read_bytes())


def test_starting_the_command_line_loads_no_network() -> None:
    program = "import sys, gridroll\nprint(sorted({'onnxruntime', 'onnx', 'dlib'} & set(sys.modules)))"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
    ).stdout
    assert said.strip() == "[]"
