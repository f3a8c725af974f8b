"""Pictures as a source of frames: one look each."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recognizer.errors import PhotoError
from recognizer.observation import Image
from recognizer.picture import decode_picture, read_picture_file
from screen_agent.clock import Clock
from screen_agent.errors import EndOfSource, SourceError
from screen_agent.frames import Frame

__all__ = ["ImagesSource"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
STAMP = re.compile(r"(\d{8})[T_-]?(\d{6})(Z?)")
MAX_BYTES = 60_000_000
MAX_PIXELS = 60_000_000


class ImagesSource:
    """A picture, or a folder of them in the order of their names.

    `times`: when each was taken. A name that holds a UTC time (`20261120T090000Z.png`) says it itself; else the
    pictures lie `gap` apart from `starts_at` on. Raises SourceError for a folder without pictures.
    """

    still = True

    def __init__(self, path: Path, clock: Clock, starts_at: datetime, gap: timedelta) -> None:
        paths = (
            [path]
            if path.is_file()
            else sorted(item for item in path.glob("*") if item.suffix.lower() in SUFFIXES)
        )
        if not paths:
            raise SourceError(f"there is no picture in {path}; give PNG, JPEG, WebP, BMP or TIFF files")
        stamped = [(_stamp(item.stem) or starts_at + index * gap, item) for index, item in enumerate(paths)]
        self._pictures = sorted(stamped)
        self._clock = clock
        self.times = [taken_at for taken_at, _ in self._pictures]

    def grab(self) -> Frame:
        now = self._clock.now()
        shown = [picture for picture in self._pictures if picture[0] <= now]
        if not shown:
            raise EndOfSource(f"no picture was taken at or before {now.isoformat()}")
        taken_at, path = shown[-1]
        return Frame(_read(path), taken_at)

    def close(self) -> None:
        return None


def _stamp(name: str) -> datetime | None:
    match = STAMP.search(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read(path: Path) -> Image:
    try:
        return decode_picture(read_picture_file(path, MAX_BYTES), str(path), MAX_PIXELS)
    except PhotoError as error:
        raise SourceError(str(error)) from error
