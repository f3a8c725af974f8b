"""`gridroll balance`."""

import json
from contextlib import closing
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.database import open_database
from db.ledger import catch_up
from db.report import SessionReport, session_report
from db.settings import load_settings
from portal.balance import cause_words, runs
from portal.moments import clock, utc_text
from portal.wording import percent

__all__ = ["balance"]


@click.command()
@click.argument("session_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def balance(session_id: int, kind: str) -> None:
    """Which looks of session ID balance (every head has a name or was settled), and what explains the others."""
    with closing(open_database(load_settings().resolved_database_url)) as database:
        catch_up(database, session_id)
        with database.reading() as reading:
            report = session_report(reading, session_id)
    if kind == "json":
        click.echo(json.dumps(_json(report), ensure_ascii=False, indent=2))
    else:
        Console(highlight=False, soft_wrap=True).print(_table(report))


def _table(report: SessionReport) -> RenderableType:
    balanced, looks = sum(look.is_verified for look in report.looks), len(report.looks)
    if not looks:
        return Text("No look has been taken yet.")
    heading = Text(f"{balanced} of {looks} looks balance ({percent(balanced / looks)}).", "bold")
    there, found = report.session.time_zone, runs(report)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("When", no_wrap=True)
    for name in ("Looks", "Headcount", "Unexplained"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("What explains it")
    for run in found:
        until = f" to {clock(run.last_at, there)}" if run.looks > 1 else ""
        fewest, most = run.headcounts
        table.add_row(
            f"{clock(run.first_at, there)}{until}",
            str(run.looks),
            str(fewest) if fewest == most else f"{fewest}–{most}",
            str(run.unexplained),
            Text(cause_words(run.causes) or "not recorded, by an earlier version"),
        )
    return Group(heading, table) if found else heading


def _json(report: SessionReport) -> dict[str, Any]:
    balanced, looks = sum(look.is_verified for look in report.looks), len(report.looks)
    return {
        "session": report.session.id,
        "looks": looks,
        "balanced": balanced,
        "share": round(balanced / looks, 4) if looks else None,
        "sheet": [
            {
                "taken_at": utc_text(look.taken_at),
                "trigger": look.trigger,
                "headcount": look.headcount,
                "identified": look.identified,
                "unknown": look.unknown,
                "reviewed": look.reviewed,
                "searches": look.searches,
                "balances": look.is_verified,
                "causes": dict(look.causes),
            }
            for look in report.looks
        ],
    }
