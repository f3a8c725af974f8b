"""A roster with mistakes is handed in, corrected and confirmed in a real browser, on a screen and on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from db.database import Database, make_database
from db.people import find_course
from db.roster import members_of
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import accessibility, fits, served, visiting
from tests.portal.cast import COURSE, INSTRUCTOR, STAFF, STUDENT_A, STUDENT_B, class_of_two

HEADER = "student_no,name,email,enrolled_on"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Database]]:
    """Its address and its ledger, with the class of two."""
    home = tmp_path_factory.mktemp("portal")
    settings = Settings(home=home)
    database = make_database(settings.resolved_database_url)
    class_of_two(database)
    with served(create_app(settings, database)) as url:
        yield url, database
    database.close()
    shutil.rmtree(home)


def hand_in(page: Page, folder: Path, *rows: str) -> None:
    file = folder / "roster.csv"
    file.write_text("\n".join([HEADER, *rows]))
    page.get_by_label("Roster file").set_input_files(file)
    page.get_by_role("button", name="Show what it changes").click()


@pytest.mark.parametrize(
    ("width", "scheme", "email", "new"),
    [(1440, "light", STAFF, "Zoë Zander"), (390, "dark", INSTRUCTOR, "Yusuf Yıldız")],
)
def test_a_roster_with_mistakes_is_corrected_and_confirmed(
    chromium: Browser,
    portal: tuple[str, Database],
    tmp_path: Path,
    width: int,
    scheme: str,
    email: str,
    new: str,
) -> None:
    url, database = portal
    known = (f"S-1,Ada Adams,{STUDENT_A},", f"S-2,Ben Brown,{STUDENT_B},")
    number = f"N-{width}"
    with visiting(chromium, url, width, scheme, email) as (page, console):
        if width < 500:
            page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Courses", exact=True).click()
        page.get_by_role("link", name=COURSE).click()
        page.get_by_role("link", name="Roster", exact=True).click()

        hand_in(page, tmp_path, known[0], f"{number},{new},new.example,soon", "S-1,Again,,")
        problems = page.get_by_role("table", name="What is wrong, line by line")
        expect(problems.get_by_role("row")).to_have_count(4)  # with its head
        expect(problems).to_contain_text("'new.example' of student")
        expect(problems).to_contain_text("stands on line 2 already")
        expect(page.get_by_role("button", name="Import")).to_have_count(0)
        assert fits(page)
        assert not accessibility(page)

        hand_in(page, tmp_path, known[0], f"{number},{new},new{width}@example.edu,2026-11-20")
        changes = page.get_by_role("table", name="Students whom the file adds or changes")
        expect(changes.get_by_role("row").last).to_contain_text(new)
        expect(page.get_by_role("checkbox", name="Ben Brown")).not_to_be_checked()
        assert fits(page)
        assert not accessibility(page)
        page.get_by_role("button", name="Import 1 change").click()
        expect(page.get_by_role("status")).to_have_text("The roster is imported.")
        expect(page.get_by_role("row", name=new)).to_contain_text(number)
        assert fits(page)
        assert not console.take()
    with database.reading() as reading:
        members = members_of(reading, find_course(reading, COURSE).id)
    assert {"Ada Adams", "Ben Brown", new} <= {member.name for member in members}
