"""Runs the simulated class through the real house: roster, agent, recognition, ledger."""

import csv
from collections.abc import Callable
from datetime import datetime
from os import environ
from pathlib import Path

import cv2

from db.sessions import start_session
from demo.cast import CAST, portrait
from demo.script import LESSON
from demo.stage import DrawnSource, Stage, StageClock, StageError
from recognizer.enrolment import Enrolment, Imported
from recognizer.evidence import Evidence
from recognizer.stores import Stores
from recognizer.verify import Verifier
from screen_agent.clock import SystemClock
from screen_agent.commands import ended_by_signals
from screen_agent.errors import SourceError
from screen_agent.frames import FrameSource
from screen_agent.headcount import TileHeadcounter
from screen_agent.schedule import RandomSchedule
from screen_agent.sink import InProcessSink
from screen_agent.watcher import LookReport, Watcher

__all__ = ["COURSE", "TIME_ZONE", "enrol_cast", "open_stage", "plan_session", "watch_lesson", "write_roster"]

COURSE = "BIO-101"
TIME_ZONE = "Europe/Berlin"
CONSENT = "simulated class: drawn faces, nobody's picture"
GAPS_S = (20.0, 60.0)


def write_roster(folder: Path) -> Path:
    """Write `roster.csv` and a photograph of each student of the cast into a folder; returns the roster's path."""
    folder.mkdir(parents=True, exist_ok=True)
    roster = folder / "roster.csv"
    with roster.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["student_no", "name", "email", "photo"])
        for person in CAST:
            photo = folder / f"{person.student_no}.jpg"
            cv2.imwrite(str(photo), portrait(person), [cv2.IMWRITE_JPEG_QUALITY, 92])
            writer.writerow([person.student_no, person.name, person.email, photo.name])
    return roster


def enrol_cast(stores: Stores, folder: Path, progress: Callable[[int, int], None] | None = None) -> Imported:
    """Import the cast as the roster of the course."""
    enrolment = Enrolment(stores.database, stores.cache, stores.engine, stores.settings)
    return enrolment.import_roster(COURSE, write_roster(folder), None, CONSENT, TIME_ZONE, progress)


def plan_session(stores: Stores, starts_at: datetime) -> int:
    """Start the lesson's session; returns its id."""
    with stores.database.writing() as session:
        return start_session(session, COURSE, "Cells and membranes", starts_at, LESSON.minutes).id


def open_stage() -> tuple[Stage | None, str]:
    """A stage on this display, else on a virtual one, else none; and in words which, and why."""
    reasons = []
    for display in [environ["DISPLAY"], None] if environ.get("DISPLAY") else [None]:
        try:
            stage = Stage(display)
        except StageError as error:
            reasons.append(str(error))
            continue
        try:
            source = stage.source(SystemClock())
            try:
                stage.check(source)
            finally:
                source.close()
        except (StageError, SourceError) as error:
            stage.close()
            reasons.append(str(error))
            continue
        kind = "display" if display else "virtual display"
        return stage, f"in a real window on the {kind} {stage.display}, seen through mss"
    return None, f"no screen to be had ({'; '.join(reasons)}): frames are fed to the agent directly"


def watch_lesson(
    stores: Stores,
    session_id: int,
    starts_at: datetime,
    ends_at: datetime,
    stage: Stage | None,
    seed: int,
    report: Callable[[LookReport], None],
) -> bool:
    """Let the agent watch the lesson at random moments. False when a signal ended it early."""
    clock = StageClock(starts_at, stage)
    source: FrameSource = DrawnSource(clock) if stage is None else stage.source(clock)
    try:
        evidence = Evidence(stores.archive)
        sink = InProcessSink(
            Verifier(stores.database, stores.cache, stores.engine, stores.settings, evidence)
        )
        watcher = Watcher(session_id, source, TileHeadcounter(), sink, clock, "demo", seed)
        with ended_by_signals(watcher):
            return watcher.run(RandomSchedule(*GAPS_S, seed).moments(starts_at, ends_at), report)
    finally:
        source.close()
