"""`gridroll doctor`: says what works, what is missing and how to get it."""

import os
import sys

import click
import cv2
import mss
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.health import Check, State, attempt, check_stores
from db.settings import load_settings
from recognizer.health import check_recognition
from screen_agent.clock import SystemClock
from screen_agent.errors import SourceError
from screen_agent.headcount import TileHeadcounter
from screen_agent.screen import ScreenSource, list_monitors

__all__ = ["doctor"]

MARKS = {
    State.WORKS: "[green]works[/green]",
    State.ABSENT: "[dim]not set up[/dim]",
    State.BROKEN: "[red]broken[/red]",
}


@click.command()
def doctor() -> None:
    """Say what works, what is missing and how to get it."""
    settings = load_settings()
    checks = [Check("home", State.WORKS, str(settings.home)), _screen(), attempt("heads", _heads)]
    checks += [*check_recognition(settings), *check_stores(settings)]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(check.name, MARKS[check.state], Text(check.detail))
    Console().print(table)
    if any(check.state is State.BROKEN for check in checks):
        sys.exit(1)


def _screen() -> Check:
    """The screen, by really grabbing it."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return Check(
            "screen", State.ABSENT, "no DISPLAY here; run this at the meeting window, or watch recordings"
        )
    return attempt("screen", _grab)


def _grab() -> str:
    source = ScreenSource(SystemClock(), monitor=1)
    try:
        image = source.grab().image
    finally:
        source.close()
    height, width = image.shape[:2]
    if image.std() == 0:
        raise SourceError("the screen is seen as one plain colour; allow screen recording for this terminal")
    others = len(list_monitors()) - 1
    return f"mss {mss.__version__} grabbed {width}×{height} pixels" + (
        f", {others} more monitors" if others else ""
    )


def _heads() -> str:
    """The detector, by really running it."""
    TileHeadcounter().count(np.zeros((216, 384, 3), np.uint8))
    return f"Haar cascade alt2, OpenCV {cv2.__version__}"
