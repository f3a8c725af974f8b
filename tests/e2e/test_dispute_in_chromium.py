"""A student says that an entry is wrong, staff correct and answer it, the student reads that; on a screen and on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Page, expect

from db.database import make_database
from db.settings import Settings
from demo.cast import CAST, portrait
from portal.app import create_app
from portal.desk import desk_of
from tests.e2e.browsing import fits, served, visiting
from tests.portal.cast import INSTRUCTOR, STUDENT_B, class_of_two
from tests.portal.crops import keep_crop


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a portal with a session of Ada and Ben, and a picture of Ben."""
    home: Path = tmp_path_factory.mktemp("portal")
    settings = Settings(home=home)
    database = make_database(settings.resolved_database_url)
    meeting = class_of_two(database)
    app = create_app(settings, database)
    face = cv2.imencode(".jpg", cv2.resize(portrait(CAST[1]), (160, 200)))[1].tobytes()
    keep_crop(database, desk_of(app).backroom.archive, meeting, "t2", face, 3)
    with served(app) as url:
        yield url
    database.close()
    shutil.rmtree(home)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_dispute_is_made_and_answered(chromium: Browser, url: str, width: int, scheme: str) -> None:
    with (
        visiting(chromium, url, width, scheme, STUDENT_B) as (ben, ben_console),
        visiting(chromium, url, width, scheme, INSTRUCTOR) as (ines, ines_console),
    ):
        words = f"My camera froze, seen at {width} pixels."
        ben.goto("/me")
        ben.get_by_role("link", name="Limits").click()
        picture = ben.get_by_role("img", name="You at 09:06:00")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 160
        ben.get_by_label("What is wrong").fill(words)
        ben.get_by_role("button", name="Send to staff").click()
        expect(ben.get_by_role("status")).to_have_text("Staff will read it. Their answer appears here.")
        expect(ben.get_by_text("Waiting for an answer")).to_be_visible()
        assert fits(ben)

        answered(ines, words)
        assert fits(ines)

        ben.reload()
        expect(ben.get_by_text(f"You are right: {words}")).to_be_visible()
        expect(ben.locator(".page-head .badge-status")).to_have_text("Present")
        expect(ben.get_by_text("your screen froze", exact=False)).to_have_count(0)
        assert fits(ben)
        assert ben_console.take() + ines_console.take() == []


def answered(page: Page, words: str) -> None:
    """Staff find it, correct the entry where that is still to be done, and answer."""
    page.goto("/sessions/1")
    review = page.locator(".reviews > li").filter(has_text=words)
    review.get_by_role("link", name="Correct it here").click()
    if page.locator(".page-head .badge-status").inner_text() != "Present":
        page.get_by_label("Status").select_option(label="Present")
        page.get_by_label("Reason").fill("your screen froze, says the recording")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_have_text("The entry is saved.")
    page.goto("/sessions/1")
    review = page.locator(".reviews > li").filter(has_text=words)
    review.get_by_label("Answer").fill(f"You are right: {words}")
    review.get_by_role("button", name="They are right").click()
    expect(page.get_by_role("status")).to_have_text("The review is settled.")
    expect(page.locator(".reviews > li").filter(has_text="The student is right.").first).to_be_visible()
