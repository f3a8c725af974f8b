"""How often pages ask the ledger: seldom, and no more often when it holds more."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask

from bench.pages import PAGES
from db.database import Database
from tests.portal.cast import ADMIN, INSTRUCTOR, START, STUDENT_A, class_of_sixteen
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting
from tests.portal.test_access import TABLE

VIEWERS = {"admin": ADMIN, "instructor": INSTRUCTOR, "student": STUDENT_A}


TIMED = {
    "admin": {"nobody", "admin"},
    "instructor": {"nobody", "admin", "instructor"},
    "student": {"nobody", "student"},
}
"""Whose pages of the benchmark have what a viewer's pages have."""

NAMED: defaultdict[str, str] = defaultdict(lambda: "1")
"""What addresses name; only which pages they are of is asked here."""

OF_A_FILE = 2 * MOST
"""A file gathers what stands on several pages."""


@pytest.mark.parametrize("viewer", VIEWERS)
def test_no_page_asks_more_than_twelve_times_nor_more_often_for_more_sessions(
    app: Flask, browser: Browser, database: Database, meeting: int, viewer: str
) -> None:
    browser.sign_in(VIEWERS[viewer])
    paths = [row.path for row in TABLE.values() if " " not in row.path and getattr(row, viewer) == 200]
    pages = {path for path in paths if browser.get(path).mimetype == "text/html"}

    def asked() -> dict[str, list[str]]:
        found = {}
        for path in paths:
            with counting(database) as seen:
                assert browser.get(path).status_code == 200
            found[path] = seen
        return found

    timed = {urlsplit(page.path).path.format_map(NAMED) for page in PAGES if page.role in TIMED[viewer]}
    assert endpoints(app, pages) <= endpoints(app, timed)

    before = asked()
    for week in range(1, 4):
        class_of_sixteen(database, START + timedelta(weeks=week), f"Week {week}", looks=12, seed=week)
    asked()  # what is made or folded at the first visit is not asked again
    after = asked()
    assert {path: len(seen) for path, seen in before.items() if len(seen) > OF_A_FILE} == {}
    assert {path: len(before[path]) for path in pages if len(before[path]) > MOST} == {}
    grown = {path: after[path] for path in paths if len(after[path]) > len(before[path])}
    assert grown == {}


def endpoints(app: Flask, paths: Iterable[str]) -> set[object]:
    urls = app.url_map.bind("localhost")
    return {urls.match(path)[0] for path in paths}
