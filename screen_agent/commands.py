"""`gridroll watch`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from db.settings import load_settings
from screen_agent.detectors import DETECTORS
from screen_agent.errors import AgentError
from screen_agent.headcount import TileHeadcounter
from screen_agent.live import LiveStatus
from screen_agent.preview import write_preview
from screen_agent.schedule import FixedSchedule, RandomSchedule, parse_every
from screen_agent.sources import open_source
from screen_agent.tasks import task_elsewhere, task_here
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
@click.option("--portal", metavar="URL", help="Hand the looks in to that portal instead of recognising here.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Holds the agent's token for the portal.",
)
def watch(
    session_id: int,
    source: str,
    every: str,
    hourly: bool,
    seed: int | None,
    preview: Path | None,
    portal: str | None,
    token_file: Path | None,
) -> None:
    """Look at a class until it ends, and keep its ledger."""
    if (portal is None) != (token_file is None):
        raise click.UsageError("--portal and --token-file belong together")
    shortest, longest = parse_every(every)
    if preview is not None and (preview.is_dir() or not preview.parent.is_dir()):
        raise AgentError(f"--preview {preview} is no file in a folder that exists; name a PNG")
    settings = load_settings()
    place = (
        task_here(settings, session_id)
        if portal is None or token_file is None
        else task_elsewhere(settings, session_id, portal, token_file)
    )
    with place as row:
        opened = open_source(source, row.starts_at, timedelta(seconds=(shortest + longest) / 2))
        try:
            counter = TileHeadcounter(DETECTORS[settings.head_detector]())
            watcher = Watcher(session_id, opened.source, counter, row.sink, opened.clock, opened.origin, seed)
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
