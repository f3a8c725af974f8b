"""What the ledger's benchmark measured, as tables for the terminal and for docs/ledger.md."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from bench.intake import AGENTS, Pace
from bench.reading import Timed

__all__ = ["Rows", "Sheet", "page", "tables"]

LEAST_LOOKS_PER_S = 300.0
MOST_GROWTH = 1.25
"""What a look may cost at the last mark, in times of the first, and still count as the same: a run is as noisy as that."""

JUDGED = "MariaDB"
"""The limits are for the server that a school runs."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One database. `behind_s`: how long after the last look all ledgers were folded; `peers`: milliseconds a look."""

    paces: tuple[Pace, ...]
    behind_s: float
    peers: Mapping[str, float]
    pages: tuple[Timed, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of words. The first columns are texts, the others numbers."""

    title: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def drawn(self) -> Table:
        table = Table(title=self.title, title_justify="left")
        for place, name in enumerate(self.heading):
            table.add_column(name, justify="left" if place == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        head = f"| {' | '.join(self.heading)} |"
        rule = "|---|" + "---:|" * (len(self.heading) - 1)
        return "\n".join(
            [f"## {self.title}", "", head, rule, *(f"| {' | '.join(row)} |" for row in self.rows), ""]
        )


def tables(sheets: Mapping[str, Sheet]) -> list[Rows]:
    """Paces, peers, pages, and the statements of the pages with a limit."""
    return [_paces(sheets), _peers(sheets), _pages(sheets), _statements(sheets)]


def page(sheets: Mapping[str, Sheet], settings: Mapping[str, str]) -> str:
    """docs/ledger.md."""
    shown = ", ".join(f"`{name}` {value}" for name, value in settings.items())
    heading = HEADING.format(
        agents=AGENTS, settings=shown, machine=_machine(), date=f"{datetime.now(UTC):%Y-%m-%d}"
    )
    return "\n".join([heading, *(table.markdown() for table in tables(sheets))])


def _paces(sheets: Mapping[str, Sheet]) -> Rows:
    rows: list[tuple[str, ...]] = []
    for name, sheet in sheets.items():
        first = sheet.paces[0]
        for pace in sheet.paces:
            growth = pace.median_ms / first.median_ms
            rows.append(
                (
                    f"{name}, {pace.sightings:,} sightings",
                    f"{pace.looks_per_s:.0f}",
                    f"{pace.median_ms:.2f}",
                    f"{pace.p95_ms:.2f}",
                    f"{pace.processor_ms:.2f}",
                    f"{growth:.2f}",
                    _holds(name, pace.looks_per_s >= LEAST_LOOKS_PER_S and growth <= MOST_GROWTH),
                )
            )
        rows.append((f"{name}, all ledgers folded after", f"{sheet.behind_s:.1f} s", *[""] * 5))
    limit = f"at least {LEAST_LOOKS_PER_S:.0f}/s, ratio at most {MOST_GROWTH}"
    heading = ("table", "looks/s", "ms a look", "p95", "processor ms", "ratio to the first", limit)
    return Rows("Taking in looks of 25 faces", heading, tuple(rows))


def _peers(sheets: Mapping[str, Sheet]) -> Rows:
    names = list(next(iter(sheets.values())).peers)
    rows = [("together with others, the ledger follows", *(_ways(sheet, None) for sheet in sheets.values()))]
    rows += [(name, *(_ways(sheet, name) for sheet in sheets.values())) for name in names]
    return Rows(
        "Against the obvious ways, in the same run",
        ("way", *(f"{name}, ms a look" for name in sheets)),
        tuple(rows),
    )


def _ways(sheet: Sheet, name: str | None) -> str:
    ours = sheet.paces[-1].median_ms
    spent = ours if name is None else sheet.peers[name]
    return f"{spent:.1f} ({spent / ours:.1f} ×)"


def _pages(sheets: Mapping[str, Sheet]) -> Rows:
    heading = ["asked", "limit, ms", "statements"]
    for name in sheets:
        heading += [f"{name}, ms", "of which the program's processor", "statements' own"]
    rows = []
    for place, first in enumerate(next(iter(sheets.values())).pages):
        limit = "" if first.limit_ms is None else f"{first.limit_ms:.0f}"
        row = [first.name, limit, str(len(first.statements))]
        for name, sheet in sheets.items():
            timed = sheet.pages[place]
            word = "" if timed.limit_ms is None else f" {_holds(name, timed.holds)}".rstrip()
            row += [f"{timed.total_ms:.1f}{word}", f"{timed.processor_ms:.1f}", f"{timed.statements_ms:.1f}"]
        rows.append(tuple(row))
    return Rows("What pages and looks ask, median of 15", tuple(heading), tuple(rows))


def _statements(sheets: Mapping[str, Sheet]) -> Rows:
    name, sheet = next(iter(sheets.items()))
    rows = [
        (timed.name, f"`{_short(statement)}`", f"{spent_ms:.2f}")
        for timed in sheet.pages
        if timed.limit_ms is not None
        for statement, spent_ms in timed.statements
    ]
    return Rows(f"Their statements, {name}", ("page", "reads", "ms"), tuple(rows))


def _short(statement: str) -> str:
    """What a statement reads, without its columns."""
    words = " ".join(statement.split()).split(" FROM ", 1)[-1]
    return words if len(words) <= 100 else f"{words[:99]}…"


def _holds(name: str, holds: bool) -> str:
    return "" if name != JUDGED else "holds" if holds else "MISSED"


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors {platform.machine()}, {platform.system()} {platform.release()}, load {load:.1f} at the end"


HEADING = """# The ledger at a school's size

Written by `make bench ARGS="ledger --write"` on {date}, {machine}. Do not edit.

2,000 students in 200 courses, one of them of 300; sessions of 45 minutes spread over a term, 40 looks each. {agents} agents
watch at the same time; each waits until its look of 25 faces is durable before it hands in the next. Another thread of the
same process folds the ledgers that are due, as the portal does (each second, and at most a quarter of the time); every look
and every fold is on the audit chain. A thousand classes end within minutes here: what is left to fold then is folded
afterwards. A mark's pace is that of the 2,000 looks after it, by slices of a hundred.
MariaDB runs with {settings}.

Milliseconds are this machine's; on a machine that does other things quote the ratios and the processor time.
"""
