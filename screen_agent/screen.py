"""The screen as a source of frames, through mss."""

from contextlib import suppress

import cv2
import mss
import numpy as np
from mss.exception import ScreenShotError

from recognizer.observation import Box
from screen_agent.clock import Clock
from screen_agent.errors import SourceError
from screen_agent.frames import Frame

__all__ = ["ScreenSource", "list_monitors"]

NO_DISPLAY = (
    "the screen cannot be seen ({detail}); run this where the meeting window is, with DISPLAY set "
    "(Wayland: use an X11 session), or watch a recording with --source FILE"
)


class ScreenSource:
    """A monitor or a region of the screen.

    `monitor`: 1 is the first one, 0 all of them together, None takes `region_xyxy`, in pixels of the whole desktop.
    `display`: the X display; None takes $DISPLAY. Raises SourceError where there is no display, no such monitor, or the region lies outside the desktop.
    """

    still = False

    def __init__(
        self,
        clock: Clock,
        monitor: int | None = 1,
        region_xyxy: Box | None = None,
        display: str | None = None,
    ) -> None:
        self._clock = clock
        self._screen = _connect(display)
        try:
            self._area = self._choose(monitor, region_xyxy)
            self.grab()
        except BaseException:
            self.close()
            raise

    def grab(self) -> Frame:
        try:
            shot = self._screen.grab(self._area)
        except (ScreenShotError, OSError) as error:
            raise SourceError(NO_DISPLAY.format(detail=error)) from error
        taken_at = self._clock.now()
        pixels = np.frombuffer(shot.bgra, np.uint8).reshape(shot.height, shot.width, 4)
        # cvtColor drops the fourth channel ten times faster than slicing and copying.
        return Frame(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8), taken_at)

    def close(self) -> None:
        with suppress(ScreenShotError):
            self._screen.close()

    def _choose(self, monitor: int | None, region_xyxy: Box | None) -> dict[str, int]:
        monitors = list(self._screen.monitors)
        if region_xyxy is not None:
            x1, y1, x2, y2 = region_xyxy
            desktop = monitors[0]
            right, bottom = desktop["left"] + desktop["width"], desktop["top"] + desktop["height"]
            if not (desktop["left"] <= x1 < x2 <= right and desktop["top"] <= y1 < y2 <= bottom):
                raise SourceError(
                    f"region {x1},{y1},{x2 - x1},{y2 - y1} does not fit the desktop of "
                    f"{desktop['width']}×{desktop['height']} pixels; give X,Y,WIDTH,HEIGHT within it"
                )
            return {"left": x1, "top": y1, "width": x2 - x1, "height": y2 - y1}
        number = 1 if monitor is None else monitor
        if not 0 <= number < len(monitors):
            shown = ", ".join(
                f"{index} ({area['width']}×{area['height']})" for index, area in enumerate(monitors) if index
            )
            raise SourceError(f"there is no monitor {number}; there is {shown}, and 0 for all together")
        area = monitors[number]
        return {key: int(area[key]) for key in ("left", "top", "width", "height")}


def list_monitors() -> list[tuple[int, int]]:
    """Width and height of each monitor in pixels, the first one first. Raises SourceError without a display."""
    screen = _connect()
    try:
        return [(int(area["width"]), int(area["height"])) for area in screen.monitors[1:]]
    finally:
        screen.close()


def _connect(display: str | None = None) -> mss.MSS:
    try:
        return mss.MSS() if display is None else mss.MSS(display=display)
    except (ScreenShotError, OSError) as error:
        raise SourceError(NO_DISPLAY.format(detail=error)) from error
