"""Opens the source a `--source` option names."""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from screen_agent.clock import Clock, MediaClock, SystemClock
from screen_agent.errors import SourceError
from screen_agent.frames import FrameSource
from screen_agent.images import SUFFIXES, ImagesSource
from screen_agent.screen import ScreenSource
from screen_agent.video import VideoSource

__all__ = ["Opened", "open_source"]

FORMS = (
    "write screen, screen:1, screen:X,Y,WIDTH,HEIGHT, or the path of a recording or of a folder of pictures"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source with the clock it lives by. `ends_at`: None for one that never ends.

    `times`: the moments it has something to show; None for all. `origin` names it among others.
    """

    source: FrameSource
    clock: Clock
    origin: str
    ends_at: datetime | None = None
    times: tuple[datetime, ...] | None = None


def open_source(spec: str, starts_at: datetime, picture_gap: timedelta) -> Opened:
    """Open what `spec` names.

    `starts_at`: when a recording or the first picture was taken; `picture_gap`: between pictures whose names tell no
    time. Raises SourceError for anything that cannot be watched.
    """
    if spec == "screen" or spec.startswith("screen:"):
        clock = SystemClock()
        return Opened(_screen(spec, clock), clock, spec)
    if re.match(r"(window|camera):|rtsps?://", spec):
        raise SourceError(f"source {spec!r} is not supported by this version; {FORMS}")
    path = Path(spec)
    if not os.path.exists(spec):  # noqa: PTH110 - pathlib raises where a name is too long to exist
        raise SourceError(f"source {spec!r} is neither a known kind nor a file; {FORMS}")
    media_clock = MediaClock(starts_at)
    origin = f"file:{path.name}"
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        images = ImagesSource(path, media_clock, starts_at, picture_gap)
        return Opened(images, media_clock, origin, images.times[-1], tuple(images.times))
    video = VideoSource(path, media_clock, starts_at)
    return Opened(video, media_clock, origin, starts_at + video.length)


def _screen(spec: str, clock: Clock) -> ScreenSource:
    _, _, where = spec.partition(":")
    if not where:
        return ScreenSource(clock)
    if re.fullmatch(r"\d{1,3}", where):
        return ScreenSource(clock, monitor=int(where))
    if re.fullmatch(r"-?\d{1,6},-?\d{1,6},\d{1,6},\d{1,6}", where):
        x, y, width, height = map(int, where.split(","))
        return ScreenSource(clock, monitor=None, region_xyxy=(x, y, x + width, y + height))
    raise SourceError(f"source {spec!r} is no part of the screen; {FORMS}")
