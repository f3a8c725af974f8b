"""Shows the simulated class on a screen, moment by moment, and gives the agent its time."""

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from types import TracebackType

import cv2
import numpy as np

from demo.script import LESSON, SIZE_PX
from recognizer.observation import Box
from screen_agent.clock import Clock, MediaClock
from screen_agent.errors import AgentError
from screen_agent.frames import Frame
from screen_agent.screen import ScreenSource

__all__ = ["DrawnSource", "Stage", "StageClock", "StageError"]

LARGEST_DIFFERENCE = 1.0
CHECKS, CHECK_GAP_S = 10, 0.2


class StageError(AgentError):
    """The class cannot be shown on a screen here."""


class Stage:
    """A real window with the simulated class. Use as a context manager.

    `display`: the X display to use; None starts an Xvfb of its own. Raises StageError where that cannot be had.
    """

    def __init__(self, display: str | None) -> None:
        self._xvfb: subprocess.Popen[bytes] | None = None
        self._window: subprocess.Popen[str] | None = None
        try:
            self.display = display or self._start_xvfb()
            self.region_xyxy = self._open_window()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Stage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def show(self, at_s: float) -> None:
        """Show a moment of the lesson; when this returns, its pixels are on the screen."""
        window = self._running_window()
        assert window.stdin is not None
        try:
            window.stdin.write(f"{at_s!r}\n")
            window.stdin.flush()
        except OSError as error:
            raise StageError("the simulated class's window was closed; start the demo again") from error
        self._expect("shown")

    def source(self, clock: Clock) -> ScreenSource:
        """The window's pixels, grabbed from the screen."""
        return ScreenSource(clock, monitor=None, region_xyxy=self.region_xyxy, display=self.display)

    def check(self, source: ScreenSource) -> None:
        """Raise StageError unless the source sees exactly what the window shows: another window may cover it.

        A window that was just opened may take a moment to get there.
        """
        drawn = LESSON.draw(0.0)
        for _ in range(CHECKS):
            self.show(0.0)
            seen = source.grab().image
            if seen.shape == drawn.shape and float(cv2.absdiff(seen, drawn).mean()) <= LARGEST_DIFFERENCE:
                return
            time.sleep(CHECK_GAP_S)
        raise StageError(f"the window on display {self.display} is covered or scaled")

    def close(self) -> None:
        for process in (self._window, self._xvfb):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self._window is not None:
            for pipe in (self._window.stdin, self._window.stdout):
                if pipe is not None:
                    pipe.close()

    def _start_xvfb(self) -> str:
        program = shutil.which("Xvfb")
        if program is None:
            raise StageError("there is no display and no Xvfb; 'apt-get install xvfb' brings one")
        reading, writing = os.pipe()
        screen = f"{SIZE_PX[0]}x{SIZE_PX[1]}x24"
        command = [
            program,
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            screen,
            "-nolisten",
            "tcp",
            "-terminate",
        ]
        try:
            self._xvfb = subprocess.Popen(
                command,
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        # Xvfb itself picks a free display number and writes it once it serves.
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        if not number:
            raise StageError("Xvfb does not start; run 'Xvfb :99' to see why")
        return f":{number}"

    def _open_window(self) -> Box:
        self._window = subprocess.Popen(
            [sys.executable, "-m", "demo.window"],
            env={**os.environ, "DISPLAY": self.display},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        position = self._expect("ready")
        x, y = int(position[0]), int(position[1])
        return x, y, x + SIZE_PX[0], y + SIZE_PX[1]

    def _expect(self, word: str) -> list[str]:
        window = self._running_window()
        assert window.stdout is not None
        answer = window.stdout.readline().split()
        if answer[:1] != [word]:
            raise StageError(f"the simulated class's window does not open on display {self.display}")
        return answer[1:]

    def _running_window(self) -> "subprocess.Popen[str]":
        if self._window is None:
            raise StageError("the simulated class's window is closed")
        return self._window


class StageClock(MediaClock):
    """The lesson's time: sleeping until a moment shows that moment on the stage, and takes no longer than that.

    `stage` is None where the frames are drawn directly.
    """

    def __init__(self, starts_at: datetime, stage: Stage | None) -> None:
        super().__init__(starts_at)
        self.starts_at = starts_at
        self._stage = stage

    @property
    def at_s(self) -> float:
        return (self.now() - self.starts_at).total_seconds()

    def sleep_until(self, moment: datetime) -> bool:
        slept = super().sleep_until(moment)
        if slept and self._stage is not None:
            self._stage.show(self.at_s)
        return slept


class DrawnSource:
    """Frames of the lesson without a screen, where there is none to be had."""

    still = False

    def __init__(self, clock: StageClock) -> None:
        self._clock = clock

    def grab(self) -> Frame:
        return Frame(np.asarray(LESSON.draw(self._clock.at_s), np.uint8), self._clock.now())

    def close(self) -> None:
        return None
