"""`gridroll entry`."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import click
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from db.actor import acting
from db.commands import parse_moment
from db.database import Database, open_database
from db.edits import NewEdit
from db.entries import EntrySheet, Said, entry_sheet, save_entry
from db.ledger import catch_up
from db.presence import STATUSES
from db.sessions import lock_session
from db.settings import load_settings
from portal.entry_words import said_words
from portal.errors import PortalError
from portal.moments import between_joined, between_left, clock, day, utc_text, zone
from portal.wording import minutes, percent, status

__all__ = ["entry"]

SESSION = click.argument("session_id", metavar="SESSION", type=click.IntRange(1, 2**63 - 1))
STUDENT = click.argument("student_no")
BY = click.option("--by", metavar="EMAIL", help="Who edits it; whoever is at the keyboard if left out.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")
EXPECT = click.option(
    "--expect",
    metavar="VERSION",
    type=click.IntRange(1),
    help="Refuse where the entry has another version, for somebody else edited it.",
)
MACHINE = "machine"
"""Given for a field, it leaves the field to the machine again."""


@click.group()
def entry() -> None:
    """A student's entry in a session: what Gridroll says, what staff said, and writing over it."""


@entry.command()
@SESSION
@STUDENT
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def show(session_id: int, student_no: str, kind: str) -> None:
    """The entry of STUDENT_NO in SESSION, its stays and its edits; times are those of the course's zone."""
    with closing(_database()) as database:
        catch_up(database, session_id)
        with database.reading() as reading:
            sheet = entry_sheet(reading, session_id, student_no)
    if kind == "json":
        click.echo(json.dumps(_json(sheet), ensure_ascii=False, indent=2))
    else:
        _show(sheet)


@entry.command()
@SESSION
@STUDENT
@click.option("--status", "word", type=click.Choice([*STATUSES, MACHINE]))
@click.option("--joined", metavar="ISO", help="When they joined, e.g. 2026-11-20T09:05:00+01:00.")
@click.option("--last-seen", metavar="ISO", help="When they were seen last.")
@click.option("--minutes", "length", metavar="N", help="How long they were there.")
@click.option("--remark", metavar="TEXT", help="For staff; an empty one removes it.")
@REASON
@BY
@EXPECT
def edit(
    session_id: int,
    student_no: str,
    word: str | None,
    joined: str | None,
    last_seen: str | None,
    length: str | None,
    remark: str | None,
    reason: str,
    by: str | None,
    expect: int | None,
) -> None:
    """Write over the entry of STUDENT_NO in SESSION. What is not given stays as it is; `machine` leaves a field to
    Gridroll again."""
    given: dict[str, Any] = {}
    if word is not None:
        given["status"] = None if word == MACHINE else word
    if joined is not None:
        given["joined_at"] = None if joined == MACHINE else parse_moment(joined)
    if last_seen is not None:
        given["last_seen_at"] = None if last_seen == MACHINE else parse_moment(last_seen)
    if length is not None:
        given["minutes"] = None if length == MACHINE else _number(length)
    if remark is not None:
        given["remark"] = " ".join(remark.split())
    if not given:
        raise click.UsageError("say what: --status, --joined, --last-seen, --minutes or --remark")
    _save(session_id, student_no, given, reason, by, expect)


@entry.command("hand-back")
@SESSION
@STUDENT
@REASON
@BY
@EXPECT
def hand_back(session_id: int, student_no: str, reason: str, by: str | None, expect: int | None) -> None:
    """Leave the entry of STUDENT_NO in SESSION to Gridroll again."""
    nothing = Said()
    given = {name: getattr(nothing, name) for name in Said.__dataclass_fields__}
    _save(session_id, student_no, given, reason, by, expect)


def _save(
    session_id: int, student_no: str, given: dict[str, Any], reason: str, by: str | None, expect: int | None
) -> None:
    who, uid = acting(by), str(uuid4())

    def work(session: Session) -> int:
        lock_session(session, session_id)
        sheet = entry_sheet(session, session_id, student_no)
        # Where the answer to the commit was lost, the edit is in force already, and laying over it changes nothing.
        said = replace(sheet.said, **given)
        values = {name: getattr(said, name) for name in Said.__dataclass_fields__}
        new = NewEdit(session_id, student_no, reason.strip(), who, expected_version=expect, uid=uid, **values)
        return save_entry(session, new)

    with closing(_database()) as database:
        version = database.transact(work)
        with database.reading() as reading:
            line = entry_sheet(reading, session_id, student_no).line
    source = "as staff said" if line.source == "staff" else "as Gridroll says"
    click.echo(
        f"{line.name} in session {session_id}: {status(line.status).lower()}, {source} (version {version})"
    )


def _database() -> Database:
    return open_database(load_settings().resolved_database_url)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PortalError(f"{text[:20]!r} is no number of minutes; give 0 to 1440, or machine") from error


def _show(sheet: EntrySheet) -> None:
    there, said = sheet.session.time_zone, sheet.said
    at = partial(clock, time_zone=there)
    table = Table("", "Gridroll says", "staff said", box=None, pad_edge=False, header_style="dim")
    one = sheet.machine
    rows = (
        ("Status", status(one.status) if one else "–", status(said.status) if said.status else "–"),
        ("Joined", at(one.joined_at if one else None), at(said.joined_at)),
        ("Last seen", at(one.last_seen_at if one else None), at(said.last_seen_at)),
        (
            "Minutes",
            minutes(one.minutes) if one else "–",
            "–" if said.minutes is None else minutes(said.minutes),
        ),
        ("Sure", percent(one.confidence if one else None), "–"),
        ("Remark", "–", said.remark or "–"),
    )
    for row in rows:
        table.add_row(*map(Text, row))
    line, session = sheet.line, sheet.session
    heading = Text.assemble(
        (line.name, "bold"),
        f" ({line.student_no}) · {session.title} · {day(session.starts_at, there)}, {zone(session.starts_at, there)} · "
        f"{status(line.status)} · version {sheet.version}",
    )
    stays = [
        Text(
            f"there {clock(stay.seen_from, there)} to {clock(stay.seen_to, there)}; "
            f"joined: {between_joined(stay.not_before, stay.seen_from, there)}; "
            f"left: {between_left(stay.seen_to, stay.not_after, there)}"
        )
        for stay in line.intervals
    ]
    edits = [
        Text(
            f"{one.version}. {day(one.made_at, there)}, {clock(one.made_at, there)}, {one.made_by}: "
            f"{said_words(one.said, there)}. Reason: {one.reason}"
        )
        for one in sheet.edits
    ]
    Console(highlight=False, soft_wrap=True).print(
        Group(heading, Text(""), table, Text(""), *(stays or [Text("No look saw them.")]), *edits)
    )


def _json(sheet: EntrySheet) -> dict[str, Any]:
    machine, line = sheet.machine, sheet.line

    def values(one: Any) -> dict[str, Any]:
        return {
            "status": one.status,
            "joined_at": _iso(one.joined_at),
            "last_seen_at": _iso(one.last_seen_at),
            "minutes": one.minutes,
        }

    return {
        "session": sheet.session.id,
        "student_no": line.student_no,
        "name": line.name,
        "version": sheet.version,
        "source": line.source,
        **values(line),
        "remark": line.remark,
        "machine": None if machine is None else values(machine),
        "intervals": [[_iso(stay.seen_from), _iso(stay.seen_to)] for stay in line.intervals],
        "edits": [
            {
                **values(one.said),
                "remark": one.said.remark,
                "reason": one.reason,
                "made_by": one.made_by,
                "made_at": _iso(one.made_at),
                "version": one.version,
            }
            for one in sheet.edits
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
