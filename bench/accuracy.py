"""The accuracy sheet: invented meetings of known truth, watched by the real agent, recogniser and ledger.

`python -m bench accuracy` prints it and writes it, with how it was made, to `docs/accuracy.md` and
`docs/pictures/det.svg`. Every meeting has students who stay away, come late, leave early or come back, cameras that go
off, uninvited guests, a student who hands the camera to a stranger, one who holds a photograph before it, and galleries
laid out anew; looks come at random moments 20 to 60 seconds apart, over frames drawn for these very moments.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.curve import draw_curves
from bench.figures import Figures, figures
from bench.meeting import make_meeting
from bench.people import load_folk
from bench.play import Played, play

__all__ = ["main"]

DOCS = Path(__file__).parents[1] / "docs"
MINUTES, QUICK_MINUTES = 45.0, 12.0
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class _Series:
    """Meetings of one kind. `remote`: against the Rekognition-compatible server of the tests, with these settings."""

    name: str
    columns: int
    meetings: int
    remote: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


SERIES = (
    _Series("3×3", 3, 6),
    _Series("5×5", 5, 20),
    _Series("7×7", 7, 6),
    _Series("5×5, tiered", 5, 3, True, {"engine": "tiered", "budget_per_session": 1, "budget_per_month": 9}),
    _Series("5×5, Rekognition", 5, 3, True, {"engine": "rekognition"}),
)
QUICK = (_Series("3×3", 3, 1), _Series("5×5", 5, 1))

ROWS: tuple[tuple[str, str, str], ...] = (
    # figure, what it is called, how it is written
    ("meetings", "meetings", "d"),
    ("looks", "looks", "d"),
    ("tiles_found", "tiles found", ".1%"),
    ("exact", "headcount exact", ".1%"),
    ("within_one", "headcount within one", ".1%"),
    ("mean_error", "headcount, mean error (heads)", ".3f"),
    ("false_heads", "heads seen on camera-off tiles", ".2%"),
    ("identified", "faces of students with their name, at the look itself", ".1%"),
    ("misnamed", "faces with somebody else's name", ".3%"),
    ("unnamed", "faces of students without a name", ".1%"),
    ("named_in_time", "students named within three looks of appearing", ".1%"),
    ("student_sessions", "student-sessions", "d"),
    ("status_right", "status right", ".1%"),
    ("wrongly_present", "absent students marked present", "d"),
    ("join_error_s", "join, median error (s)", ".0f"),
    ("join_error_95_s", "join, 95 % within (s)", ".0f"),
    ("appearances", "appearances", "d"),
    ("embedded", "faces embedded per appearance", ".2f"),
    ("searches", "searches per appearance", ".2f"),
    ("paid", "paid searches per appearance", ".2f"),
    ("every_look", "searches per appearance, if everybody were asked at every look", ".1f"),
    ("reviews", "reviews for staff, per meeting", ".1f"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Play the meetings, print the sheet, and write it unless it is the quick one."""
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short meetings; nothing is written")
    parser.add_argument("--seed", type=int, default=1, help="of the first meeting; the others follow")
    parser.add_argument("--only", help="the series of this name")
    arguments = parser.parse_args(argv)
    chosen = [one for one in (QUICK if arguments.quick else SERIES) if arguments.only in {None, one.name}]
    if not chosen:
        names = ", ".join(one.name for one in SERIES)
        raise SystemExit(f"there are no meetings called {arguments.only!r}; choose from {names}")
    minutes = QUICK_MINUTES if arguments.quick else MINUTES
    sheet = {one.name: figures(_played(one, arguments.seed, minutes)) for one in chosen}
    Console().print(_table(sheet))
    if not arguments.quick and arguments.only is None:
        command = (
            f"make bench ARGS='accuracy --seed {arguments.seed}'" if arguments.seed != 1 else "make bench"
        )
        curves = draw_curves(DOCS / "pictures" / "det.svg")
        (DOCS / "accuracy.md").write_text(_page(sheet, curves, command), encoding="utf-8")


def _played(series: _Series, first_seed: int, minutes: float) -> list[Played]:
    with ExitStack() as stack:
        settings = dict(series.settings)
        if series.remote:
            # Imported here: without a provider none of this is needed.
            from tests.rekognition_server import ACCESS_KEY, RekognitionServer

            folder = Path(stack.enter_context(TemporaryDirectory(prefix="gridroll-bench-")))
            server = stack.enter_context(RekognitionServer(folder))
            os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "bench"}
            settings["rekognition_endpoint_url"] = server.url
            settings["rekognition_region"] = "eu-central-1"
            settings["rekognition_rate_per_s"] = 1000
        pool = stack.enter_context(ProcessPoolExecutor(PROCESSES))
        progress = stack.enter_context(Progress(transient=True, disable=not sys.stderr.isatty()))
        task = progress.add_task(series.name, total=series.meetings)
        waiting = [
            pool.submit(_play_one, seed, series.columns, minutes, settings | _collection(settings, seed))
            for seed in range(first_seed, first_seed + series.meetings)
        ]
        for one in waiting:
            one.add_done_callback(lambda _: progress.advance(task))
        return [one.result() for one in waiting]


def _collection(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Meetings that are played side by side must not find each other's students."""
    return {"rekognition_collection": f"bench-{seed}"} if settings else {}


def _play_one(seed: int, columns: int, minutes: float, settings: dict[str, Any]) -> Played:
    cv2.setNumThreads(1)  # the meetings share the cores already
    with TemporaryDirectory(prefix="gridroll-bench-") as folder:
        return play(make_meeting(load_folk(), seed, columns, minutes), Path(folder), **settings)


def _table(sheet: dict[str, Figures]) -> Table:
    table = Table("", *sheet)
    for name, label, form in ROWS:
        table.add_row(label, *(format(getattr(one, name), form) for one in sheet.values()))
    return table


def _page(sheet: dict[str, Figures], curves: str, command: str) -> str:
    head = ["| |" + "|".join(f" {name} " for name in sheet) + "|", "|---" * (len(sheet) + 1) + "|"]
    rows = [
        f"| {label} | " + " | ".join(format(getattr(one, name), form) for one in sheet.values()) + " |"
        for name, label, form in ROWS
    ]
    return "\n".join(
        [HEADING.format(command=command, source=load_folk().source), *head, *rows, "", curves, ""]
    )


HEADING = """# Accuracy sheet

Written by `{command}`. Do not edit.

Meetings of 45 minutes are invented from {source}: photograph 0 of a person is enrolled, the others are seen, moved and
lit anew at every moment, with a camera's noise and a codec's losses; which of them is seen changes once or twice a
minute. A fifth of the roster stays away. Some come late, leave early, go dark or come back; guests sit in, one student
hands the camera to a stranger, one holds a photograph before it. Tiles move whenever somebody joins or leaves, and three
times besides. Galleries are of 1920 × 1080 pixels in five themes, with gaps of 4 to 12 pixels, square and rounded corners,
side panels and letterboxed pictures. The agent finds tiles, heads and changes itself, at random moments 20 to 60 seconds
apart; faces go through enrolment, recognition and the ledger as in a real class. The engines called tiered and
Rekognition ask the server of the tests, which speaks Rekognition's protocol and compares with the local network: their
columns show what is asked and paid, not how well Amazon recognises.
"""

if __name__ == "__main__":
    main()
