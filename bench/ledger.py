"""The ledger at a school's size: how fast looks are taken in, and how long the pages' queries take.

2,000 students in 200 courses are watched by 20 agents at a time, each waiting until its look of 25 faces is durable before
it hands in the next; the ledgers are folded beside, in the same process, as the portal does it. On a MariaDB of its own that
acknowledges nothing before it is on the disk, and on SQLite. The peers store the same looks in the same run in the obvious
ways.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench.intake import AGENTS, WINDOW, hand_in, pace, peers
from bench.mariadb import mariadb
from bench.reading import questions, timed
from bench.school import FACES, LOOKS, make_school
from bench.sheet import Sheet, page, tables
from db.database import make_database
from db.ledger import catch_up
from portal.keeper import LedgerKeeper

__all__ = ["main"]

DOCS = Path(__file__).parents[1] / "docs"
MARKS, QUICK_MARKS = (10_000, 100_000, 1_000_000), (10_000, 50_000, 100_000)
SPARE = 3
"""Sessions that nobody watched yet, for the peers."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print paces, peers and queries for MariaDB with SQLite beside it; `--write` also writes docs/ledger.md."""
    parser = argparse.ArgumentParser(prog="python -m bench ledger", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 sightings instead of 1,000,000")
    parser.add_argument("--write", action="store_true", help="write docs/ledger.md")
    parser.add_argument("--only", choices=["MariaDB", "SQLite"], help="one of the two databases")
    arguments = parser.parse_args(argv)
    marks = QUICK_MARKS if arguments.quick else MARKS
    sheets: dict[str, Sheet] = {}
    with mariadb() as server, TemporaryDirectory(prefix="gr-bench-", dir="/tmp") as folder:
        settings = server.settings
        Console().print(", ".join(f"{name} {value}" for name, value in settings.items()))
        urls = {"MariaDB": server.url, "SQLite": f"sqlite:///{folder}/ledger.sqlite"}
        for name, url in urls.items():
            if arguments.only in {None, name}:
                sheets[name] = _measured(url, marks)
    for table in tables(sheets):
        Console().print(table.drawn())
    if arguments.write:
        (DOCS / "ledger.md").write_text(page(sheets, settings), encoding="utf-8")


def _measured(url: str, marks: Sequence[int]) -> Sheet:
    # As many sessions as the last mark takes, its window after it, and another round of agents: at the end of a run
    # fewer of them are left to share a commit.
    sessions = marks[-1] // FACES // LOOKS + WINDOW // LOOKS + AGENTS + SPARE
    database = make_database(url)
    try:
        school = make_school(database, sessions)
        held = school.meetings[:-SPARE]
        with LedgerKeeper(database):
            done = hand_in(database, held)
            begun = time.perf_counter()
        catch_up(database)
        behind_s = time.perf_counter() - begun
        return Sheet(
            paces=tuple(pace(done, mark) for mark in marks),
            behind_s=behind_s,
            peers=peers(database, school.meetings[-SPARE:]),
            pages=tuple(timed(database, question) for question in questions(school, held)),
        )
    finally:
        database.close()


if __name__ == "__main__":
    main()
