"""Plays an invented meeting through the real house, agent to ledger, and notes what was right and what was not."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2

from bench.meeting import Meeting, Tile
from bench.people import Subject
from db.database import make_database
from db.report import StudentLine, session_report
from db.sessions import start_session
from db.settings import load_settings
from recognizer.enrolment import Enrolment
from recognizer.observation import Box
from recognizer.preparation import prepare_engine
from recognizer.stores import Stores, open_stores
from recognizer.verify import Verifier
from screen_agent.clock import MediaClock
from screen_agent.detectors import DETECTORS
from screen_agent.frames import Frame
from screen_agent.headcount import TileHeadcounter
from screen_agent.schedule import RandomSchedule
from screen_agent.sink import InProcessSink
from screen_agent.tiles import overlap
from screen_agent.watcher import LookReport, Watcher

__all__ = ["Outcome", "Played", "SeenFace", "SeenLook", "play"]

COURSE = "BENCH-1"
GAPS_S = (20.0, 60.0)
SAME_TILE = 0.5
START = datetime(2026, 11, 20, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A head that was counted. `key`: whose it is in truth, None for no head at all. `name`: the key it was given."""

    key: str | None
    name: str | None
    track: str


@dataclass(frozen=True, slots=True)
class SeenLook:
    """A look and the truth of that moment: `heads` on camera (keys), `dark`: tiles with the camera off.

    `tiles_found`: of all of them. `embedded`: faces and mirror images. `searches`
    went to the engine, `paid` are billed.
    """

    at_s: float
    headcount: int
    heads: tuple[str, ...]
    dark: int
    tiles_found: int
    faces: tuple[SeenFace, ...]
    embedded: int
    searches: int
    paid: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ledger says of a student, and what it should. `join_error_s`: None for who never came or was not seen."""

    key: str
    status: str
    truth: str
    join_error_s: float | None


@dataclass(frozen=True, slots=True)
class Played:
    """A meeting that was watched. `roster`: keys of the enrolled; `reviews`: kind and the student's key."""

    seed: int
    columns: int
    roster: frozenset[str]
    looks: tuple[SeenLook, ...]
    outcomes: tuple[Outcome, ...]
    reviews: tuple[tuple[str, str | None], ...]


class MeetingSource:
    """A FrameSource that draws the meeting as it is at the clock's present moment."""

    still = False

    def __init__(self, meeting: Meeting, clock: MediaClock) -> None:
        self._meeting = meeting
        self._clock = clock

    def grab(self) -> Frame:
        now = self._clock.now()
        return Frame(self._meeting.draw((now - START).total_seconds()), now)

    def close(self) -> None:
        return None


def play(meeting: Meeting, folder: Path, **settings: Any) -> Played:
    """Watch a meeting from its first minute to its last, with looks at random moments, in stores of its own.

    `folder`: empty, for photographs and state. `settings` as in `gridroll.toml`.
    """
    configured = load_settings(folder / "home", **settings)
    configured.home.mkdir(parents=True)
    make_database(configured.resolved_database_url).close()
    prepare_engine(configured)
    with open_stores(configured) as stores:
        _enrol(stores, meeting.roster, folder / "photos")
        with stores.database.writing() as session:
            session_id = start_session(session, COURSE, "Benchmark", START, meeting.minutes).id
        looks: list[SeenLook] = []
        clock = MediaClock(START)
        verifier = Verifier(stores.database, stores.cache, stores.engine, stores.settings)
        watcher = Watcher(
            session_id,
            MeetingSource(meeting, clock),
            TileHeadcounter(DETECTORS[stores.settings.head_detector]()),
            InProcessSink(verifier),
            clock,
            "bench",
            meeting.seed,
        )
        moments = RandomSchedule(*GAPS_S, meeting.seed).moments(
            START, START + timedelta(minutes=meeting.minutes)
        )
        watcher.run(moments, lambda report: looks.append(_seen(report, meeting)))
        with stores.database.reading() as session:
            report = session_report(session, session_id)
    return Played(
        meeting.seed,
        meeting.columns,
        frozenset(one.key for one in meeting.roster),
        tuple(looks),
        tuple(_outcome(line, meeting) for line in report.students),
        tuple((review.kind, review.student_no) for review in report.reviews),
    )


def _enrol(stores: Stores, roster: Sequence[Subject], folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "roster.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["student_no", "name", "email", "photo"])
        for one in roster:
            if one.portrait is None:
                raise ValueError(f"{one.key} has no portrait to enrol")
            # Without loss: what a codec does to the enrolled picture is not what is measured.
            cv2.imwrite(str(folder / f"{one.key}.png"), one.portrait)
            writer.writerow([one.key, one.key, f"{one.key}@example.org", f"{one.key}.png"])
    enrolment = Enrolment(stores.database, stores.cache, stores.engine, stores.settings)
    enrolment.import_roster(COURSE, path, None, "benchmark")


def _seen(report: LookReport, meeting: Meeting) -> SeenLook:
    observation, receipt = report.observation, report.receipt
    at_s = (observation.taken_at - START).total_seconds()
    tiles = meeting.tiles(at_s)
    return SeenLook(
        at_s=at_s,
        headcount=observation.headcount,
        heads=tuple(tile.key for tile in tiles if tile.key is not None),
        dark=sum(tile.key is None for tile in tiles),
        tiles_found=sum(
            any(overlap(tile.box_xyxy, box) > SAME_TILE for box in report.settled.tiles) for tile in tiles
        ),
        faces=tuple(
            SeenFace(_whose(face.tile_xyxy, tiles), receipt.names.get(face.track), face.track)
            for face in observation.faces
        ),
        embedded=receipt.embedded,
        searches=receipt.searches,
        paid=receipt.paid,
    )


def _whose(box: Box, tiles: Sequence[Tile]) -> str | None:
    best = max(tiles, key=lambda tile: overlap(tile.box_xyxy, box), default=None)
    return best.key if best is not None and overlap(best.box_xyxy, box) > SAME_TILE else None


def _outcome(line: StudentLine, meeting: Meeting) -> Outcome:
    begin_s = min(
        (
            max(stay.from_s, 0.0)
            for seat in meeting.seats
            for stay in seat.stays
            if stay.subject.key == line.student_no
        ),
        default=None,
    )
    error = None
    if begin_s is not None and line.joined_at is not None:
        error = (line.joined_at - START).total_seconds() - begin_s
    return Outcome(line.student_no, line.status, meeting.statuses[line.student_no], error)
