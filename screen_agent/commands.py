"""`gridroll watch`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from db.actor import at_keyboard
from db.proof.settings_trail import note_settings
from db.sessions import find_session
from db.settings import load_settings
from recognizer.evidence import Evidence
from recognizer.stores import open_stores
from recognizer.verify import Verifier
from screen_agent.detectors import DETECTORS
from screen_agent.errors import AgentError
from screen_agent.headcount import TileHeadcounter
from screen_agent.live import LiveStatus
from screen_agent.preview import write_preview
from screen_agent.schedule import FixedSchedule, RandomSchedule, parse_every
from screen_agent.sink import InProcessSink
from screen_agent.sources import open_source
from screen_agent.watcher import LookReport, Watcher

__all__ = ["watch"]


@click.command()
@click.option(
    "--session",
    "session_id",
    type=click.IntRange(1, 2**63 - 1),
    required=True,
    help="As 'gridroll session start' printed it.",
)
@click.option(
    "--source", required=True, help="screen, screen:1, screen:X,Y,WIDTH,HEIGHT or the path of a recording."
)
@click.option(
    "--every", default="20-60", show_default=True, help="Shortest and longest gap between looks, seconds."
)
@click.option("--hourly", is_flag=True, help="Look once an hour instead.")
@click.option("--seed", type=int, help="Makes the moments repeatable.")
@click.option(
    "--preview", type=click.Path(path_type=Path), help="PNG to keep the last look in, with boxes and names."
)
def watch(
    session_id: int, source: str, every: str, hourly: bool, seed: int | None, preview: Path | None
) -> None:
    """Look at a class until it ends, and keep its ledger."""
    shortest, longest = parse_every(every)
    if preview is not None and (preview.is_dir() or not preview.parent.is_dir()):
        raise AgentError(f"--preview {preview} is no file in a folder that exists; name a PNG")
    with open_stores(load_settings()) as stores:
        with stores.database.reading() as reading:
            row = find_session(reading, session_id)
        note_settings(stores.database, stores.settings, at_keyboard())
        opened = open_source(source, row.starts_at, timedelta(seconds=(shortest + longest) / 2))
        try:
            evidence = Evidence(stores.archive)
            verifier = Verifier(stores.database, stores.cache, stores.engine, stores.settings, evidence)
            sink = InProcessSink(verifier)
            counter = TileHeadcounter(DETECTORS[stores.settings.head_detector]())
            watcher = Watcher(session_id, opened.source, counter, sink, opened.clock, opened.origin, seed)
            schedule: FixedSchedule | RandomSchedule
            if opened.times is not None:
                schedule = FixedSchedule(at=opened.times)
            elif hourly:
                schedule = FixedSchedule(period=timedelta(hours=1))
            else:
                schedule = RandomSchedule(shortest, longest, seed)
            recorded = opened.ends_at is not None
            begins = row.starts_at if recorded else max(opened.clock.now(), row.starts_at)
            ends = min(row.ends_at, opened.ends_at) if opened.ends_at is not None else row.ends_at
            if not recorded and begins >= row.ends_at:
                raise AgentError(
                    f"session {session_id} ended at {row.ends_at:%Y-%m-%d %H:%M} UTC; start another, or watch a recording"
                )
            looks = 0
            status = LiveStatus(
                f"{row.title} (session {session_id})",
                row.starts_at if recorded else None,
                ends if recorded else None,
                Console(),
            )

            def report(look: LookReport) -> None:
                nonlocal looks
                looks += 1
                status.show(look)
                if preview is not None:
                    write_preview(preview, look)

            with status, ended_by_signals(watcher):
                finished = watcher.run(schedule.moments(begins, ends), report)
            if finished and not looks:
                raise AgentError(
                    f"{source} shows nothing between {begins:%Y-%m-%d %H:%M:%S} and {ends:%H:%M:%S} UTC, when session "
                    f"{session_id} is; give the session another --starts-at"
                )
        finally:
            opened.source.close()


@contextmanager
def ended_by_signals(watcher: Watcher) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the watch after the look under way.

    Under nohup a closed terminal does not.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        watcher.stop()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
