"""Names and addresses as long as they may be: no page grows wider than the window, and no name runs into the bars."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from db.database import Database, make_database
from db.people import find_student
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import fits, served, visiting
from tests.portal.cast import ADMIN, STUDENT_A, class_of_sixteen, class_of_two
from tests.portal.test_access import TABLE

LONG_NAME = "Wilhelmina" * 20
LONG_EMAIL = f"{'a' * 108}@example.edu"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("portal"))
    database = make_database(settings.resolved_database_url)
    class_of_two(database)
    class_of_sixteen(database)
    lengthen(database)
    with served(create_app(settings, database)) as url:
        yield url
    database.close()


def lengthen(database: Database) -> None:
    with database.writing() as writing:
        ada = find_student(writing, "S-1")
        ada.name = LONG_NAME
        find_student(writing, "S-2").email = LONG_EMAIL
        wide = ("N" * 21, "WILHELMINA MONTGOMERY-HOLLINGSWORTH", "W" * 24, "王" * 30, "i" * 60, "ﷺ" * 24)
        for number, name in enumerate(wide, 1001):
            find_student(writing, f"2026-{number}").name = name
        find_student(writing, "2026-1016").name = LONG_NAME


def sticking_out(page: Page) -> list[str]:
    # A box that scrolls or cuts would hide it from `fits`; headings above cards scroll at any length of name.
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
          .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1 && !one.closest(".scroll, thead"))
          .slice(0, 3).map((one) => one.outerHTML.slice(0, 120))"""
    )
    return [*found, *([] if fits(page) else ["scrolls sideways"])]


@pytest.mark.parametrize(("viewer", "email"), [("admin", ADMIN), ("student", STUDENT_A)])
def test_no_page_grows_wider_than_the_window(chromium: Browser, url: str, viewer: str, email: str) -> None:
    found, pages = [], 0
    with visiting(chromium, url, 1440, "light", email) as (page, _):
        for row in TABLE.values():
            last = row.path.rpartition("/")[2]
            is_file = "." in last or last == "download"
            if " " in row.path or is_file or getattr(row, viewer) != 200:
                continue
            answer = page.goto(row.path)
            if answer is None or "text/html" not in answer.headers.get("content-type", ""):
                continue
            pages += 1
            for width in (1440, 768, 390):
                page.set_viewport_size({"width": width, "height": 900})
                found += [f"{row.path} at {width}: {what}" for what in sticking_out(page)]
    assert not found, "\n".join(found)
    assert pages > (40 if viewer == "admin" else 5)


def test_no_name_of_the_timeline_runs_into_the_bars(chromium: Browser, url: str) -> None:
    with visiting(chromium, url, 1440, "light", ADMIN) as (page, _):
        page.goto("/sessions/2")
        found = page.locator("svg.timeline").first.evaluate(
            """(svg) => [...svg.querySelectorAll("g > svg > text")].map((text) => {
              const own = text.closest("svg");
              const column = own.width.baseVal.value;
              const line = own.parentElement.parentElement.querySelector("line");
              return [text.textContent, text.getComputedTextLength(), column, line.x1.baseVal.value - 16];
            })"""
        )
    assert len(found) == 18
    assert [name for name, length, column, room in found if not length < column < room] == []
