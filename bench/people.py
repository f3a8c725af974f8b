"""Whom the benchmarks' meetings are made of: photographs where there are any, drawn faces where not."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from demo import webcam
from demo.cast import CAST, STRANGER, Person
from demo.cast import portrait as draw_portrait
from recognizer.observation import Image

__all__ = ["Folk", "Subject", "drawn_folk", "load_folk"]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A person: the picture to enrol and others of them, each about square with the face in the middle.

    `face_share`: how much of a picture's height the face takes. `pictures` are never enrolled; `portrait` is None for a
    stranger.
    """

    key: str
    portrait: Image | None
    pictures: tuple[Image, ...]
    face_share: float


@dataclass(frozen=True, slots=True)
class Folk:
    """`people` can be enrolled, `strangers` never are. `source` says in words what the pictures are."""

    people: tuple[Subject, ...]
    strangers: tuple[Subject, ...]
    source: str


@lru_cache(maxsize=1)
def load_folk() -> Folk:
    """The photographs of GRIDROLL_FACES (default `../shared/faces`), or the demo's drawn cast."""
    folder = Path(os.environ.get("GRIDROLL_FACES", Path(__file__).parents[2] / "shared" / "faces"))
    if (folder / "people").is_dir():
        return _photographs(folder)
    return drawn_folk()


def _photographs(folder: Path) -> Folk:
    people = []
    for place in sorted((folder / "people").iterdir()):
        pictures = [_read(path) for path in sorted(place.glob("*.jpg"))]
        if len(pictures) > 1:
            people.append(Subject(place.name, pictures[0], tuple(pictures[1:]), 0.456))
    strangers = [
        Subject(f"stranger-{path.stem}", None, (_read(path),), 0.456)
        for path in sorted((folder / "strangers").glob("*.jpg"))
    ]
    source = f"photographs of {len(people)} people and {len(strangers)} strangers"
    return Folk(tuple(people), tuple(strangers), source)


def _read(path: Path) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path} is no picture; remove it")
    return np.asarray(picture, np.uint8)


def drawn_folk() -> Folk:
    """The demo's cast, for where nobody's photographs may be shown."""
    people = tuple(Subject(one.student_no, draw_portrait(one), _poses(one), 0.5) for one in CAST)
    stranger = Subject("stranger", None, _poses(STRANGER), 0.5)
    return Folk(people, (stranger,), f"drawn faces of {len(people)} people and a stranger")


def _poses(person: Person) -> tuple[Image, ...]:
    """Square pictures of a drawn person at moments far apart."""
    size = 320
    wide = [webcam.take(person.seed, 1, 97.0 * moment, size * 16 // 9, size) for moment in range(1, 6)]
    left = (wide[0].shape[1] - size) // 2
    return tuple(np.ascontiguousarray(picture[:, left : left + size]) for picture in wide)
