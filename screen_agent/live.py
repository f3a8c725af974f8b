"""What the instructor sees in the terminal while the agent watches."""

from datetime import datetime
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from screen_agent.watcher import LookReport

__all__ = ["LiveStatus"]

REASONS = {
    "headcount": "the headcount changed",
    "tile": "a tile's occupant looks different",
    "unsettled": "a face wanted another look",
    "spot": "spot check",
    "none": "nothing changed",
}


class LiveStatus:
    """A small panel that is redrawn after each look; when the next one comes is never shown.

    `starts_at` and `ends_at` give a recording its progress bar; None shows none. Without a terminal each look is one
    line. Use as a context manager.
    """

    def __init__(
        self, title: str, starts_at: datetime | None, ends_at: datetime | None, console: Console
    ) -> None:
        self._title = title
        self._span = (starts_at, ends_at) if starts_at and ends_at else None
        self._console = console
        self._looks = self._searches = self._paid = self._every_look = 0
        self._last: LookReport | None = None
        self._progress = Progress(
            TextColumn("recording"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._progress.add_task("recording", total=1.0)
        self._live = Live(self._render(), console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> "LiveStatus":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, report: LookReport) -> None:
        self._looks += 1
        self._searches += report.receipt.searches
        self._paid += report.receipt.paid
        self._every_look += report.receipt.headcount
        self._last = report
        if self._span:
            start, end = self._span
            whole = (end - start).total_seconds()
            done = (report.observation.taken_at - start).total_seconds()
            self._progress.update(self._task, completed=min(1.0, done / whole) if whole else 1.0)
        if self._console.is_terminal:
            self._live.update(self._render(), refresh=True)
        else:
            receipt = report.receipt
            self._console.print(
                f"{report.observation.taken_at:%H:%M:%S}  heads {receipt.headcount}  identified {receipt.identified}  "
                f"unknown {receipt.unknown}  recognitions {receipt.searches}  ({report.observation.trigger})",
                highlight=False,
            )

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        if self._last is None:
            table.add_row("last look", "none yet; looks come at moments nobody can foresee")
        else:
            receipt = self._last.receipt
            why = REASONS[self._last.observation.trigger]
            table.add_row("last look", f"{self._last.observation.taken_at.astimezone():%H:%M:%S}, {why}")
            table.add_row("headcount", f"[bold]{receipt.headcount}[/bold]")
            table.add_row("identified", f"[green]{receipt.identified}[/green]")
            table.add_row("unknown", f"[yellow]{receipt.unknown}[/yellow]" if receipt.unknown else "0")
        table.add_row("looks", str(self._looks))
        table.add_row(
            "recognitions",
            f"{self._searches}, {self._paid} of them paid for (every look would be {self._every_look})",
        )
        table.add_row("next look", "[dim]hidden[/dim]")
        panel = Panel(
            table, title=f"Gridroll watches {escape(self._title)}", title_align="left", subtitle="Ctrl-C ends"
        )
        return Group(panel, self._progress) if self._span else panel
