"""A recording as a source of frames, sought at the moments the agent looks."""

from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from screen_agent.clock import Clock
from screen_agent.errors import EndOfSource, SourceError
from screen_agent.frames import Frame

__all__ = ["VideoSource"]

READ_ON_S = 2.0
"""Frames this near ahead are decoded one by one: a seek goes back to the last key frame and costs more."""


class VideoSource:
    """A recording whose first frame was taken at `starts_at`. `length`: until its last frame.

    Raises SourceError for a file that is missing or no video that can be decoded.
    """

    still = False

    def __init__(self, path: Path, clock: Clock, starts_at: datetime) -> None:
        if not path.is_file():
            raise SourceError(f"there is no recording {path}")
        self._path = path
        self._clock = clock
        self._starts_at = starts_at
        self._video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self._rate = self._video.get(cv2.CAP_PROP_FPS)
        self._frames = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if not self._video.isOpened() or self._rate <= 0 or self._frames <= 0:
            self._video.release()
            raise SourceError(f"recording {path} cannot be read; give a video such as MP4, MKV or WebM")
        self.length = timedelta(seconds=(self._frames - 1) / self._rate)
        self._next = 0

    def grab(self) -> Frame:
        moment = self._clock.now()
        wanted = round((moment - self._starts_at).total_seconds() * self._rate)
        if not 0 <= wanted < self._frames:
            raise EndOfSource(f"recording {self._path} has no frame at {moment.isoformat()}")
        if wanted < self._next or wanted - self._next > READ_ON_S * self._rate:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, wanted)
            self._next = wanted
        while self._next < wanted and self._video.grab():
            self._next += 1
        found, image = self._video.read()
        if not found:
            # Containers often count a frame or two more than can be decoded.
            if wanted >= self._frames - self._rate:
                raise EndOfSource(f"recording {self._path} ends before {moment.isoformat()}")
            raise SourceError(
                f"recording {self._path} is damaged at {moment - self._starts_at}; convert it anew"
            )
        self._next += 1
        return Frame(np.asarray(image, np.uint8), moment)

    def close(self) -> None:
        self._video.release()
