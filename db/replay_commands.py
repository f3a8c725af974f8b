"""`gridroll replay`."""

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from db.actor import acting
from db.database import open_database
from db.durations import parse_duration, parse_share
from db.errors import GridrollError
from db.ledger import catch_up
from db.replay import SHOWN, Difference, Replay, Terms, adopt, replay
from db.sessions import find_session, lock_session
from db.settings import load_settings

__all__ = ["replay_session"]

WIDEST = 240
PERCENT = click.FloatRange(0, 100)


@click.command("replay")
@click.argument("session_id", metavar="SESSION", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--late-after", metavar="SPAN", help="Who comes this long after the beginning is late: 5m, 90s, 1h."
)
@click.option("--left-early", metavar="SPAN", help="Who leaves this long before the end left early.")
@click.option("--min-presence", metavar="SHARE", help="Who was there for less of the class is absent: 20%.")
@click.option("--threshold", type=PERCENT, help="Similarity, in percent, from which a face has a name.")
@click.option("--margin", type=PERCENT, help="Least lead in similarity over the runner-up, in percent.")
@click.option(
    "--as-course",
    is_flag=True,
    help="Begin with the course's rules, not with what was adopted for this session alone.",
)
@click.option(
    "--apply", "applied", is_flag=True, help="Keep it: from now on the session is folded like this."
)
@click.option(
    "--reason", default="", metavar="TEXT", help="Why, for those who read it later; --apply needs one."
)
@click.option("--by", metavar="EMAIL", help="Who adopts it; whoever is at the keyboard if left out.")
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def replay_session(
    session_id: int,
    late_after: str | None,
    left_early: str | None,
    min_presence: str | None,
    threshold: float | None,
    margin: float | None,
    as_course: bool,
    applied: bool,
    reason: str,
    by: str | None,
    kind: str,
) -> None:
    """Rebuild the ledger of SESSION from its records, with other rules or thresholds, and show what differs.

    Nothing is changed without --apply. What staff wrote and settled stays in any case.
    """
    terms = Terms(
        late_after_s=None if late_after is None else parse_duration(late_after),
        left_early_s=None if left_early is None else parse_duration(left_early),
        min_presence=None if min_presence is None else parse_share(min_presence),
        match_threshold_pct=threshold,
        match_margin_pct=margin,
    )
    if applied and not reason.strip():
        raise GridrollError("--apply needs a --reason; say why, for those who read it later")
    who = acting(by)
    with closing(open_database(load_settings().resolved_database_url)) as database:
        catch_up(database, session_id)
        if not applied:
            with database.reading() as session:
                found = replay(session, find_session(session, session_id), terms, as_course)
        else:

            def compare_and_adopt(session: Session) -> Replay:
                row = find_session(session, session_id)
                lock_session(session, row.id)
                compared = replay(session, row, terms, as_course)
                adopt(session, row, terms, who, reason.strip(), as_course)
                return compared

            # What is shown is what is done: done again, it would show no difference.
            found = database.transact(compare_and_adopt, idempotent=False)
    if kind == "json":
        click.echo(json.dumps(_json(found, applied), ensure_ascii=False, indent=2))
    else:
        _show(found, applied)


def _json(found: Replay, applied: bool) -> dict[str, object]:
    return {
        "applied": applied,
        "students": [
            {
                "student_no": one.student_no,
                "name": one.name,
                "before": _plain(one.before),
                "after": _plain(one.after),
            }
            for one in found.differences
        ],
        "looks": found.looks,
        "looks_changed": found.looks_changed,
        "reviews_opened": list(found.opened),
        "reviews_withdrawn": list(found.withdrawn),
    }


def _plain(values: Mapping[str, object] | None) -> dict[str, object] | None:
    if values is None:
        return None
    return {
        name: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, datetime)
        else value
        for name, value in values.items()
    }


def _show(found: Replay, applied: bool) -> None:
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        console = Console(width=WIDEST)  # a row stays a line for whatever reads it next
    if found.changes_nothing:
        console.print("nothing differs", highlight=False)
        return
    if found.differences:
        table = Table(
            *("student", "name", "status", "without staff", "joined (UTC)", "last seen (UTC)", "minutes"),
            box=None,
        )
        for one in found.differences:
            cells = (_change(one, name) for name in SHOWN)
            table.add_row(Text(one.student_no), Text(one.name), *map(Text, cells))
        console.print(table)
    console.print(
        f"{len(found.differences)} entries differ, {found.looks_changed} of {found.looks} looks have another balance, "
        f"{len(found.opened)} reviews {'were' if applied else 'would be'} opened, {len(found.withdrawn)} withdrawn",
        highlight=False,
    )
    console.print(
        "adopted" if applied else "nothing was changed; --apply --reason TEXT adopts it", highlight=False
    )


def _change(one: Difference, name: str) -> str:
    before, after = (_cell(values, name) for values in (one.before, one.after))
    return after if before == after else f"{before} → {after}"


def _cell(values: Mapping[str, object] | None, name: str) -> str:
    value = None if values is None else values[name]
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%H:%M:%S}"
    return f"{value:.1f}" if isinstance(value, float) else str(value).replace("_", " ")
