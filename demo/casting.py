"""Choose the cast: `python -m demo.casting` tries seeds and prints those that fit together.

A face is kept when the detector finds it in its photograph and at every tried moment of class, when it
stays itself to the embedding, and when it is far from everybody chosen before.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from demo import webcam
from demo.cast import CAST, Person, portrait
from demo.gallery import layout
from demo.traits import face_from_seed

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Vector = npt.NDArray[np.float64]

SELF_MOST = 0.36
OTHERS_LEAST = 0.58
_MOMENTS_S = (3.0, 18.4, 41.7, 77.1)


class Judge:
    """The detector and the embedding the faces must satisfy. Loads its models on construction."""

    def __init__(self) -> None:
        spec = find_spec("face_recognition_models")
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(
                "face_recognition_models is not installed: pip install -r requirements.txt"
            )
        models = Path(next(iter(spec.submodule_search_locations))) / "models"
        self._points = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._net = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        self._hog = dlib.get_frontal_face_detector()
        self._cascade = cv2.CascadeClassifier(
            str(Path(cv2.__file__).with_name("data") / "haarcascade_frontalface_alt2.xml")
        )

    def heads(self, tile: Pixels) -> list[Box]:
        """Find heads in a tile (h, w, 3): boxes (x1, y1, x2, y2), largest first."""
        height = tile.shape[0]
        return self._found(tile, round(0.28 * height), round(0.75 * height))

    def faces(self, photograph: Pixels) -> list[Box]:
        """Find faces in an enrolment photograph: boxes (x1, y1, x2, y2), largest first."""
        return self._found(photograph, 80, min(photograph.shape[:2]))

    def faces_by_hog(self, photograph: Pixels) -> int:
        """Count faces with the second detector."""
        return len(self._hog(np.ascontiguousarray(photograph[..., ::-1]), 0))

    def embedding(self, image: Pixels, box: Box) -> Vector:
        """Embed the face in a box: (128,) float64."""
        rgb = np.ascontiguousarray(image[..., ::-1])
        shape = self._points(rgb, dlib.rectangle(*box))
        return np.array(self._net.compute_face_descriptor(rgb, shape))

    def _found(self, image: Pixels, least: int, most: int) -> list[Box]:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        found = self._cascade.detectMultiScale(gray, 1.1, 1, minSize=(least, least), maxSize=(most, most))
        boxes = [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in found]
        return sorted(boxes, key=lambda box: box[0] - box[2])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that stays itself: the photograph's embedding (128,), and those seen in class (n, 128)."""

    seed: int
    enrolled: Vector
    seen: Vector


def signature(tile: Pixels, box: Box) -> Vector:
    """Reduce the face in a box to 16 by 16 grey values with mean 0 and deviation 1."""
    x1, y1, x2, y2 = box
    gray = cv2.cvtColor(tile[max(y1, 0) : y2, max(x1, 0) : x2], cv2.COLOR_BGR2GRAY)
    small = cv2.resize(gray, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.asarray((small - small.mean()) / max(float(small.std()), 1e-6))


def audition(seed: int, judge: Judge) -> Candidate | None:
    """Try a face in a photograph and in small tiles; `None` when it isn't found or isn't itself."""
    photograph = portrait(Person("", "", "", seed))
    faces = judge.faces(photograph)
    if len(faces) != 1 or judge.faces_by_hog(photograph) != 1:
        return None
    enrolled = judge.embedding(photograph, faces[0])
    x1, y1, x2, y2 = layout(16)[0]
    seen: list[Vector] = []
    for i, at_s in enumerate(_MOMENTS_S):
        tile = webcam.take(seed, seed + i, at_s, x2 - x1, y2 - y1, speaking=i == 2)
        heads = judge.heads(tile)
        if len(heads) != 1:
            return None
        seen.append(judge.embedding(tile, heads[0]))
        if float(np.linalg.norm(seen[-1] - enrolled)) > SELF_MOST:
            return None
    return Candidate(seed, enrolled, np.stack(seen))


def apart(a: Candidate, b: Candidate) -> float:
    """Give the least distance between one's photograph and the other's photograph or tiles."""
    to_a = np.linalg.norm(np.vstack([b.seen, b.enrolled]) - a.enrolled, axis=1)
    to_b = np.linalg.norm(a.seen - b.enrolled, axis=1)
    return float(min(to_a.min(), to_b.min()))


def largest_group(distance: Vector, least: float, turns: int = 6000) -> list[int]:
    """Find many rows of a distance matrix (n, n) that are pairwise at least so far apart.

    A tabu search: somebody joins for free, or in exchange for the one member they are too close to, or,
    when neither is possible, anybody joins and all they are too close to leave.
    """
    rng = np.random.default_rng(0)
    n = len(distance)
    clash = distance < least
    np.fill_diagonal(clash, False)
    clashes, barred_until = np.zeros(n, int), np.zeros(n, int)
    inside = np.zeros(n, bool)
    best: list[int] = []
    for turn in range(turns):
        choice = np.flatnonzero(~inside & (clashes == 0))
        if not len(choice):
            choice = np.flatnonzero(~inside & (clashes == 1) & (barred_until < turn))
        if not len(choice):
            choice = np.flatnonzero(~inside)
        if not len(choice):
            break
        newcomer = int(rng.choice(choice))
        leaving = np.flatnonzero(inside & clash[newcomer])
        inside[leaving] = False
        clashes -= clash[leaving].sum(axis=0)
        barred_until[leaving] = turn + rng.integers(5, 12)
        inside[newcomer] = True
        clashes += clash[newcomer]
        if inside.sum() > len(best):
            best = [int(i) for i in np.flatnonzero(inside)]
    return best


def main() -> None:
    """Audition seeds and print the largest group of faces that are far apart from each other."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--first", type=int, default=0, help="first seed to try")
    parser.add_argument("--tries", type=int, default=200, help="how many seeds to try, 2 s each")
    parser.add_argument("--seeds", type=int, nargs="*", help="try these instead")
    parser.add_argument("--least", type=float, default=OTHERS_LEAST, help="least distance between two people")
    options = parser.parse_args()
    judge = Judge()
    tried = options.seeds or range(options.first, options.first + options.tries)
    found = [one for one in (audition(seed, judge) for seed in tried) if one is not None]
    distance = np.array([[apart(a, b) for b in found] for a in found])
    group = largest_group(distance, options.least)
    for i in group:
        face = face_from_seed(found[i].seed)
        nearest = min(distance[i, j] for j in group if j != i) if len(group) > 1 else 9.9
        sex = "woman" if face.feminine > 0.5 else "man"
        print(f"{face.seed:7d}  nearest {nearest:.2f}  {sex:5s}  age {face.age:.1f}  {face.hairdo}")
    print(f"{len(group)} of {len(found)} suitable faces; a cast takes {len(CAST)} and a stranger")


if __name__ == "__main__":
    main()
