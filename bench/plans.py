"""How the servers answer the product's busiest queries: by which index, and how many rows they expect to read.

The statements are those that the product's own functions send, caught on their way. Written to docs/queries.md.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from bench.mariadb import mariadb
from bench.reading import own_record, watching
from bench.school import Meeting, School, make_school
from db.accounts import find_sign_in
from db.costs import session_costs
from db.database import Database, make_database
from db.due import due_sessions
from db.ingest import LookWriter
from db.judgements import known_faces
from db.ledger import catch_up
from db.looks import find_look, looks_of, namings_of, recognisable_now, tracks_before
from db.people import cached_faces, indexed_faces, roster_of
from db.report import session_report
from db.schema import AttendanceRow, Base, JudgementRow, SessionRow
from db.session_list import list_sessions
from db.sessions import find_session
from db.term import term_report

__all__ = ["BIG", "BUSIEST", "Busy", "Step", "main", "plans", "small_school"]

DOCS = Path(__file__).parents[1] / "docs"
BIG = frozenset(
    {
        *("sightings", "looks", "namings", "attendance", "intervals", "judgements", "reviews", "audit"),
        *("recognisable", "students", "enrolments", "faces", "users", "sign_ins", "engine_calls", "sessions"),
    }
)
"""Tables that grow with the school or with time."""

HELD, LOOKS = 30, 10
BEFORE, ENTRIES, JUDGED = 3000, 9000, 1500
"""Sessions of years before, entries in them, and verdicts."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A query, or the few of one function. `why`: what makes it busy."""

    name: str
    why: str
    ask: Callable[[Session, School, Meeting], object]


@dataclass(frozen=True, slots=True)
class Step:
    """How one table of a statement is read. `access`: the server's word; `key`: the index, None for none.

    `rows`: how many the server expects to read, None where it does not say; `extra`: what it does besides.
    """

    query: str
    statement: str
    table: str
    access: str
    key: str | None
    rows: int | None
    extra: str

    @property
    def has_limit(self) -> bool:
        return " LIMIT " in self.statement


BUSIEST = (
    Busy(
        "the session of a look", "each look", lambda reading, _, held: find_session(reading, held.session_id)
    ),
    Busy(
        "a look that was stored before",
        "each look",
        lambda reading, _, held: find_look(reading, held.session_id, "none"),
    ),
    Busy(
        "the tracks of the look before",
        "each look with faces to ask about",
        lambda reading, _, held: tracks_before(reading, held.session_id, held.starts_at + timedelta(hours=1)),
    ),
    Busy(
        "the roster, its faces, and whose they are",
        "each look",
        lambda reading, _, held: _faces(reading, held),
    ),
    Busy(
        "faces that staff judged",
        "each look",
        lambda reading, _, held: known_faces(reading, held.roster, held.starts_at),
    ),
    Busy(
        "whom an engine knows and is not noted yet",
        "each commit of looks",
        lambda reading, _, held: reading.execute(recognisable_now([held.session_id])).all(),
    ),
    Busy("ledgers that are due", "each second", lambda reading, _school, _held: due_sessions(reading)),
    Busy(
        "the sightings of a session", "each fold", lambda reading, _, held: looks_of(reading, held.session_id)
    ),
    Busy(
        "the namings of a session", "each fold", lambda reading, _, held: namings_of(reading, held.session_id)
    ),
    Busy("who is signed in", "each page", lambda reading, school, _: _sign_in(reading, school.token_hash)),
    Busy("a session's page", "staff", lambda reading, _, held: session_report(reading, held.session_id)),
    Busy(
        "what a session cost",
        "each session's page",
        lambda reading, _, held: session_costs(reading, held.session_id, "USD", Decimal(0)),
    ),
    Busy(
        "the list of sessions",
        "staff, first of all",
        lambda reading, _school, held: list_sessions(reading, held.starts_at),
    ),
    Busy(
        "a student's record",
        "students",
        lambda reading, school, _: own_record(reading, school.student_id),
    ),
    Busy(
        "a course's term",
        "staff; reads the most rows",
        lambda reading, school, _: _term(reading, school),
    ),
)


def small_school(database: Database) -> tuple[School, Meeting]:
    """Enough rows that a server prefers an index where there is one; and one of the sessions that were looked at."""
    school = make_school(database, HELD, students=600, courses=25, large=100, large_sessions=6)
    writer = LookWriter(database)
    for meeting in school.meetings:
        writer.put_all(list(meeting.looks(LOOKS)))
    catch_up(database)
    _add_past(database, school)
    with database.engine.begin() as connection:
        # A server does this by itself sooner or later; SQLite never does.
        if connection.dialect.name != "sqlite":
            names = ", ".join(Base.metadata.tables)
            connection.execute(text(f"ANALYZE TABLE {names} PERSISTENT FOR ALL")).all()
    return school, school.meetings[-1]


def plans(database: Database, school: School, held: Meeting) -> list[Step]:
    """The plan of each statement of the busiest queries."""
    steps: list[Step] = []
    for busy in BUSIEST:
        with watching(database) as seen, database.reading() as reading:
            busy.ask(reading, school, held)
        for statement, parameters, _ in seen:
            if statement.startswith("SET "):
                continue  # how the transaction reads; there is no plan for that
            steps += _explain(database, busy.name, " ".join(statement.split()), parameters)
    return steps


def main(argv: Sequence[str] | None = None) -> None:
    """Print the plans of both databases; `--write` also writes docs/queries.md."""
    parser = argparse.ArgumentParser(prog="python -m bench queries", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same; it is quick")
    parser.add_argument("--write", action="store_true", help="write docs/queries.md")
    arguments = parser.parse_args(argv)
    found: dict[str, list[Step]] = {}
    with mariadb() as server, TemporaryDirectory(prefix="gridroll-bench-") as folder:
        for name, url in {"MariaDB": server.url, "SQLite": f"sqlite:///{folder}/ledger.sqlite"}.items():
            database = make_database(url)
            found[name] = plans(database, *small_school(database))
            database.close()
        version = server.settings["version"]
    for name, steps in found.items():
        table = Table("query", "table", "access", "index", "rows", "besides", title=name)
        for step in steps:
            table.add_row(
                step.query,
                step.table,
                step.access,
                step.key,
                "" if step.rows is None else str(step.rows),
                step.extra,
            )
        Console().print(table)
    if arguments.write:
        (DOCS / "queries.md").write_text(_page(found, version), encoding="utf-8")


def _add_past(database: Database, school: School) -> None:
    """What other years left: a server chooses by how small a part of a table is asked for."""
    began, day = school.meetings[0].starts_at, timedelta(days=1)
    with database.writing() as session:
        first = find_session(session, school.meetings[0].session_id)
        held = [
            {
                "id": 10_000 + n,
                "course_id": first.course_id,
                "title": "Before",
                "starts_at": at,
                "ends_at": at,
            }
            for n in range(BEFORE)
            for at in [began - n * day]
        ]
        session.execute(insert(SessionRow), held)
        people = school.meetings[0].roster
        entry = {"status": "present", "minutes": 45.0, "source": "system", "version": 1}
        entries = [
            entry | {"session_id": 10_000 + n // len(people), "student_id": people[n % len(people)]}
            for n in range(ENTRIES)
        ]
        session.execute(insert(AttendanceRow), entries)
        session.execute(insert(JudgementRow), [_judged(school, n) for n in range(JUDGED)])


def _judged(school: School, number: int) -> dict[str, object]:
    """A verdict of somebody who is not the student; of most the face has expired."""
    at, lasting = school.meetings[0].starts_at, number % 50 == 0
    return {
        "session_id": school.meetings[number % HELD].session_id,
        "subject": f"track-{number}",
        "kind": "unknown_face",
        "verdict": "not_student",
        "student_id": school.student_id,
        "made_by": "staff@school.example",
        "made_at": at,
        "template": b"0" * 1000 if lasting else None,
        "expires_at": at + timedelta(days=1000 if lasting else -1),
    }


def _term(reading: Session, school: School) -> None:
    first, last = school.meetings[0].starts_at, school.meetings[-1].starts_at
    term_report(reading, school.large, last, first, last + timedelta(days=1))


def _faces(reading: Session, held: Meeting) -> None:
    row = find_session(reading, held.session_id)
    faces = indexed_faces(reading, roster_of(reading, row.course_id).keys())
    cached_faces(reading, [face.face_id for face in faces])


def _sign_in(reading: Session, token_hash: str) -> None:
    assert find_sign_in(reading, token_hash, timedelta(days=1), timedelta(days=1)) is not None


def _explain(database: Database, query: str, statement: str, parameters: object) -> Iterator[Step]:
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):  # type: ignore[arg-type]
                if (found := re.match(r"(SCAN|SEARCH) (\S+)(?: USING (.*?))?$", row.detail)) is not None:
                    access, table, how = found.groups()
                    key = re.search(r"INDEX (\S+)|(INTEGER PRIMARY KEY)", how or "")
                    yield Step(
                        *(query, statement, _table(table), access, key[1] or key[2] if key else None, None),
                        extra="",
                    )
                else:
                    yield Step(query, statement, "", row.detail, None, None, "")
            return
        for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters):  # type: ignore[arg-type]
            yield Step(
                query,
                statement,
                _table(row.table or ""),
                row.type or "",
                row.key,
                None if row.rows is None else int(row.rows),
                row.Extra or "",
            )


def _table(name: str) -> str:
    """The table behind an alias, which SQLAlchemy numbers."""
    return re.sub(r"_\d+$", "", name)


def _page(found: dict[str, list[Step]], version: str) -> str:
    parts = [HEADING.format(version=version)]
    parts += ["| query | how often |", "|---|---|"]
    parts += [f"| {busy.name} | {busy.why} |" for busy in BUSIEST]
    for name, steps in found.items():
        parts += [
            "",
            f"## {name}",
            "",
            "| query | table | access | index | rows | besides |",
            "|---|---|---|---|---|---|",
        ]
        last = ""
        for step in steps:
            query = "" if step.query == last else step.query
            rows = "" if step.rows is None else str(step.rows)
            parts.append(
                f"| {query} | {step.table} | {step.access} | {step.key or ''} | {rows} | {step.extra} |"
            )
            last = step.query
    return "\n".join([*parts, ""])


HEADING = """# How the busiest queries are answered

Written by `make bench ARGS="queries --write"`. Do not edit.

The statements are those that Gridroll's own functions send to MariaDB {version} and to SQLite, on a school of 600 students,
25 courses, 3,030 sessions, 7,500 sightings and 10,000 entries. Each line is a table that is read: `const`, `eq_ref`, `ref` and `range` are
by an index, `index` is in an index's order until there are enough, `ALL` would be the whole table. `tests/db/test_explain.py`
holds them to it.
"""

if __name__ == "__main__":
    main()
