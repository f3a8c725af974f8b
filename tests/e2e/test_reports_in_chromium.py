"""Staff read a course's report and print it; an admin follows a deed, verifies the log and checks health."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from db.database import make_database
from db.edits import NewEdit, edit_entry
from db.people import find_course
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import fits, served, visiting
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, add_accounts, class_of_sixteen

BEN = "2026-1002"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a portal with a class of sixteen, one of whom staff wrote over."""
    settings = Settings(home=tmp_path_factory.mktemp("portal"))
    database = make_database(settings.resolved_database_url)
    meeting = class_of_sixteen(database)
    with database.writing() as writing:
        add_accounts(writing)
        find_course(writing, COURSE).attendance_limit = 0.75
        edit_entry(writing, NewEdit(meeting, BEN, "he told me so", INSTRUCTOR, "absent"))
    with served(create_app(settings, database)) as url:
        yield url
    database.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_an_instructor_reads_a_report_and_prints_it(
    chromium: Browser, url: str, width: int, scheme: str
) -> None:
    with visiting(chromium, url, width, scheme, INSTRUCTOR) as (page, console):
        page.goto("/reports")
        page.get_by_role("link", name=COURSE).click()
        row = page.get_by_role("row", name=re.compile("Ben Brown"))
        expect(row.get_by_title("Absent")).to_be_visible()
        expect(row).to_contain_text("below the limit")
        assert stays_put(page)
        page.get_by_label("Students by").select_option(label="Lowest attendance first")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody .who-came").first).to_contain_text("Ben Brown")
        with page.expect_download() as saved:
            page.get_by_role("link", name="Canvas gradebook").click()
        assert saved.value.suggested_filename == f"{COURSE}-canvas-grades.csv"
        page.get_by_role("link", name="Turnout and detections").click()
        expect(page.get_by_role("img", name="Persons seen, by day")).to_be_visible()
        assert fits(page)

        page.emulate_media(media="print")
        expect(page.get_by_role("heading", name=COURSE)).to_be_visible()
        expect(page.get_by_role("button", name="Show")).to_be_hidden()
        assert console.take() == []


def stays_put(page: Page) -> bool:
    """Whether a student's name stays at the left while the table's box is scrolled."""
    stays: bool = page.evaluate(
        """() => {
          const box = document.querySelector(".matrix-box");
          const heading = [...box.querySelectorAll("tbody th")].at(1);
          const left = heading.getBoundingClientRect().left;
          box.scrollLeft = 60;
          const moved = Math.abs(heading.getBoundingClientRect().left - left);
          box.scrollLeft = 0;
          return moved < 1;
        }"""
    )
    return stays


def test_an_admin_follows_a_deed_and_finds_the_log_altered(chromium: Browser, url: str) -> None:
    with visiting(chromium, url, 1440, "light", ADMIN) as (page, console):
        page.goto("/history")
        page.get_by_role("textbox", name="Student").fill(BEN)
        page.get_by_role("combobox", name="What").select_option(label="Entries, excuses, pictures")
        page.get_by_role("button", name="Show").click()
        line = page.get_by_role("row", name=re.compile("Entry edited"))
        expect(line).to_contain_text("Status: Absent")
        expect(line).to_contain_text("he told me so")
        line.get_by_role("link", name=f"Ben Brown ({BEN})").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Ben Brown")

        page.get_by_role("link", name="Admin", exact=True).click()
        page.get_by_role("navigation", name="Admin").get_by_role("link", name="Audit log").click()
        page.get_by_role("button", name="Verify now").click()
        # The course's limit was written into the ledger behind the chain's back.
        expect(page.get_by_text("Tampered with")).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Course 1 is not as it was recorded in row 1.")).to_be_visible()
        expect(page.get_by_text(f"by {ADMIN}")).to_be_visible()
        assert fits(page)
        assert console.take() == []
