"""Detection error trade-off: how many faces are missed for how many wrong names, by looks averaged."""

from functools import reduce
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from bench.camera import camera_picture, choose_framing
from bench.people import Subject, load_folk
from db.settings import Settings
from recognizer.cascade import to_gray
from recognizer.embedding import Vector, embed
from recognizer.likeness import Likeness
from recognizer.local import similarity_pct
from recognizer.observation import FaceCrop
from recognizer.photo import find_faces
from screen_agent.change import cut_face
from screen_agent.detectors import HaarDetector
from screen_agent.headcount import Head

__all__ = ["draw_curves"]

TILE_PX = (376, 211)
LOOKS = (1, 2, 3, 5)
DRAWS = 20

Scores = NDArray[np.float64]


def draw_curves(path: Path) -> str:
    """Write the curves as SVG; returns what they show, as Markdown.

    Genuine: a person of the folk against their own enrolled photograph. Impostor: against everybody else's, and strangers.
    """
    folk = load_folk()
    enrolled = embed([_portrait(one) for one in folk.people])
    seen = [_seen(index, one) for index, one in enumerate((*folk.people, *folk.strangers))]
    random = Random(1)
    scores = {looks: _scores(enrolled, seen, looks, random) for looks in LOOKS}
    threshold = float(Settings.model_fields["match_threshold_pct"].default)
    _plot(path, scores, threshold)
    told = [
        f"| {looks} | {np.mean(genuine < threshold):.1%} | {np.mean(impostor >= threshold):.3%} "
        f"| {len(genuine)} / {len(impostor)} |"
        for looks, (genuine, impostor) in scores.items()
    ]
    lines = [
        "## Missed against mistaken",
        "",
        "One face against one enrolled photograph, before roster, assignment, margin and further looks have their say:",
        "",
        f"| different looks averaged | missed at {threshold:g} % | wrong person passes | pairs |",
        "|---|---|---|---|",
        *told,
        "",
        "![missed faces against accepted impostors, by number of looks](pictures/det.svg)",
    ]
    return "\n".join(lines)


def _portrait(one: Subject) -> FaceCrop:
    if one.portrait is None:
        raise ValueError(f"{one.key} has no portrait")
    return FaceCrop(one.portrait, find_faces(one.portrait)[0])


def _seen(index: int, one: Subject) -> list[Vector]:
    """The embedding of each of a person's pictures in a tile; those in which no head is found are left out."""
    width, height = TILE_PX
    detector, crops = HaarDetector(), []
    for picture in range(len(one.pictures)):
        tile = camera_picture(one, picture, choose_framing(index), 40.0 * picture, width, height, one)
        box = detector.in_tile(to_gray(tile))
        if box is not None:
            crops.append(cut_face(tile, Head((0, 0, width, height), box)))
    return list(embed(crops))


def _scores(enrolled: Vector, seen: list[list[Vector]], looks: int, random: Random) -> tuple[Scores, Scores]:
    genuine, impostor = [], []
    for index, vectors in enumerate(seen):
        stranger = index >= len(enrolled)
        if len(vectors) < looks and not stranger:
            continue
        for _ in range(1 if stranger else DRAWS):
            drawn = random.sample(vectors, min(looks, len(vectors)))
            if not drawn:
                continue
            likeness = reduce(Likeness.seen, drawn[1:], Likeness.of(drawn[0]))
            cosines = np.array([likeness.resembles(Likeness.of(one)) for one in enrolled])
            percents = similarity_pct(cosines)
            if stranger:
                impostor += percents.tolist()
            else:
                genuine.append(percents[index])
                impostor += np.delete(percents, index).tolist()
    return np.array(genuine), np.array(impostor)


def _plot(path: Path, scores: dict[int, tuple[Scores, Scores]], threshold: float) -> None:
    # Imported here: it takes half a second, and only this needs it.
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "gridroll"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    steps = np.linspace(0, 100, 501)
    for looks, (genuine, impostor) in scores.items():
        missed = np.array([np.mean(genuine < step) for step in steps])
        passed = np.array([np.mean(impostor >= step) for step in steps])
        (line,) = axes.plot(passed, missed, label=f"{looks} look{'s' if looks > 1 else ''}")
        at = np.searchsorted(steps, threshold)
        axes.plot(passed[at], missed[at], "o", color=line.get_color())
    axes.set(
        xscale="symlog",
        xlim=(0, 1),
        ylim=(0, 0.6),
        xlabel="wrong people accepted (share of pairs)",
        ylabel="right people missed (share of faces)",
        title=f"Averaging different looks (dots: {threshold:g} %)",
    )
    axes.set_xscale("symlog", linthresh=1e-4)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
