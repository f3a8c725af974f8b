"""The portal at a school's size: how long its pages take while 20 people click through it.

2,000 students, 200 courses and 1,000,000 sightings on a MariaDB of its own; `gridroll serve` as it is, on the same two
cores as that server and the visitors. Each visitor waits 1 to 3 seconds after a page has come, and asks for another. The
peer is an answer of the same server with nothing in it, asked for in the same run.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.filling import PASSWORD, filled
from bench.mariadb import mariadb
from bench.pages import PAGES, PEER
from db.database import Database, make_database
from db.settings import Settings
from portal.app import close_app, create_app

__all__ = ["main"]

DOCS = Path(__file__).parents[1] / "docs"
USERS = 20
PAUSE_S = (1.0, 3.0)
SIGHTINGS, QUICK_SIGHTINGS = 1_000_000, 100_000
ROUNDS, QUICK_ROUNDS = 60, 6


@dataclass(slots=True)
class Tally:
    """Milliseconds of each page, and what went wrong."""

    spent_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    stolen: float = 0.0
    """Share of the cores' time, 0 to 1, that the host gave to other machines meanwhile."""

    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, spent_ms: float) -> None:
        with self.lock:
            self.spent_ms[name].append(spent_ms)


def main(argv: Sequence[str] | None = None) -> None:
    """Print how long each page took; `--write` also writes docs/pages.md."""
    parser = argparse.ArgumentParser(prog="python -m bench portal", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="100,000 sightings, each page 6 times instead of 60"
    )
    parser.add_argument("--write", action="store_true", help="write docs/pages.md")
    parser.add_argument("--users", type=int, default=USERS)
    arguments = parser.parse_args(argv)
    sightings = QUICK_SIGHTINGS if arguments.quick else SIGHTINGS
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    with mariadb() as server, TemporaryDirectory(prefix="gr-bench-", dir="/tmp") as folder:
        settings = Settings(home=Path(folder), database_url=server.url)
        database = make_database(server.url)
        try:
            words, emails = filled(database, sightings)
            cookies = _cookies(settings, database, emails)
        finally:
            database.close()
        with _serving(settings) as port:
            tally = _visited(port, words, cookies, arguments.users, rounds)
    table = _table(tally, arguments.users, sightings)
    Console().print(table)
    for line in tally.wrong[:10]:
        Console().print(line, style="red")
    missed = [row[0] for row in _rows(tally) if "NO" in row]
    if arguments.write:
        (DOCS / "pages.md").write_text(_page(tally, arguments.users, sightings), encoding="utf-8")
    if missed or tally.wrong:
        raise SystemExit(f"gridroll: of {len(PAGES)} pages these are too slow: {', '.join(missed) or 'none'}")


def _cookies(settings: Settings, database: Database, emails: Mapping[str, str]) -> dict[str, str]:
    """By role: a cookie of somebody who signed in, by the form."""
    app = create_app(settings, database)
    cookies = {"nobody": ""}
    for role, email in emails.items():
        client = app.test_client()
        found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
        assert found is not None
        form = {"csrf_token": found[1], "email": email, "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 302, role
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert cookie is not None
        cookies[role] = f"{cookie.key}={cookie.value}"
    close_app(app)
    return cookies


@contextmanager
def _serving(settings: Settings) -> Iterator[int]:
    """The port at which `gridroll serve` answers."""
    environment = os.environ | {
        "GRIDROLL_HOME": str(settings.home),
        "GRIDROLL_DATABASE_URL": settings.database_url,
    }
    command = [sys.executable, "-c", "from gridroll import main; main()", "serve", "--port", "0"]
    program = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        for line in program.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            raise SystemExit("the portal does not start")
    finally:
        program.terminate()
        program.wait(timeout=60)


def _visited(
    port: int, words: Mapping[str, str], cookies: Mapping[str, str], users: int, rounds: int
) -> Tally:
    """Let so many visitors click until each page was seen so often. The first round, when nothing is warm, is not counted."""
    tally = Tally()
    rng = Random(1)
    asked = [(page, number > 0) for number in range(rounds + 1) for page in rng.sample(PAGES, len(PAGES))]
    asked.reverse()

    def visit(number: int) -> None:
        pauses = Random(number)
        time.sleep(pauses.uniform(0, PAUSE_S[1]))
        while asked:
            try:
                page, counts = asked.pop()
            except IndexError:  # another visitor took the last one
                return
            path = page.path.format(**words)
            spent_ms, status = _asked(port, path, cookies[page.role])
            if status != 200:
                tally.wrong.append(f"{page.name}: {path} answered {status}")
            if counts:
                tally.add(page.name, spent_ms)
            time.sleep(pauses.uniform(*PAUSE_S))

    before = _processor_time()
    _side_by_side([lambda number=number: visit(number) for number in range(users)])  # type: ignore[misc]
    busy, stolen = (after - begun for begun, after in zip(before, _processor_time(), strict=True))
    tally.stolen = stolen / (busy + stolen) if stolen else 0.0
    return tally


def _processor_time() -> tuple[int, int]:
    """What this machine's cores did, and what its host took from them, in ticks since it started; 0 where nobody says."""
    try:
        told = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, interrupts, soft_interrupts, stolen = map(int, told[:8])
    except (OSError, ValueError):
        return 0, 0
    return user + nice + system + interrupts + soft_interrupts, stolen


def _asked(port: int, path: str, cookie: str) -> tuple[float, int]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    begun = time.perf_counter()
    try:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        return (time.perf_counter() - begun) * 1000, answer.status
    finally:
        connection.close()


def _side_by_side(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _rows(tally: Tally) -> Iterator[tuple[str, ...]]:
    peer = median(tally.spent_ms[PEER.name])
    for page in PAGES:
        spent = tally.spent_ms[page.name]
        p95 = quantiles(spent, n=20)[-1]
        middle = median(spent)
        kept = "the peer" if page is PEER else "yes" if p95 < page.limit_ms else "NO"
        yield (
            *(page.name, page.role, str(len(spent)), f"{middle:.0f} ms", f"{p95:.0f} ms"),
            *(f"{page.limit_ms:.0f} ms", kept, f"{middle / peer:.1f}"),
        )


HEADINGS = ("page", "seen by", "asked for", "median", "95 of 100 within", "limit", "kept", "times the peer")


def _table(tally: Tally, users: int, sightings: int) -> Table:
    table = Table(
        *HEADINGS,
        title=f"{users} visitors, {sightings:,} sightings, {tally.stolen:.0%} of the cores stolen",
        box=None,
    )
    for row in _rows(tally):
        table.add_row(*row)
    return table


def _page(tally: Tally, users: int, sightings: int) -> str:
    rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(tally))
    return f"""# How quick the pages are

Written by `make bench ARGS="portal --write"`: `gridroll serve` (waitress, and two workers for long pages) and a durable
MariaDB on the two cores of one machine, 2,000 students, 200 courses and {sightings:,} sightings. {users} visitors ask for
each page equally often, 1 to 3 seconds after the one before has come, and share those cores with the servers.

| {" | ".join(HEADINGS)} |
|{"---|" * len(HEADINGS)}
{rows}

The peer is a small file from the same server in the same run: what a request costs before Gridroll does anything. Of the time
that the cores were wanted, {tally.stolen:.0%} went to other machines of the same host; with more than 2 %, all pages are late by turns.
"""


if __name__ == "__main__":
    main()
