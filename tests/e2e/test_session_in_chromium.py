"""Staff at a session in a real browser: edit in a row, edit together and undo, and from the chart to a look."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from db.database import Database, make_database
from db.edits import NewEdit
from db.entries import save_entry
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import fits, served, sign_in, visiting
from tests.portal.cast import ADMIN, INSTRUCTOR, add_accounts, class_of_sixteen

REFUSED = "status of 409 (CONFLICT)"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A past session for each width, and one that runs."""
    home = tmp_path_factory.mktemp("portal")
    database = make_database(Settings(home=home).resolved_database_url)
    class_of_sixteen(database)
    class_of_sixteen(database)
    now = datetime.now(UTC) - timedelta(minutes=20)
    class_of_sixteen(database, now, "Week 4: series", looks=20, until_min=19.9)
    with database.writing() as writing:
        add_accounts(writing)
    yield database
    database.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("keys")
    with served(create_app(Settings(home=home), database)) as url:
        yield url


def row(page: Page, name: str) -> Locator:
    return page.locator("tr[data-entry]").filter(has_text=name)


@pytest.mark.parametrize(("width", "scheme", "session"), [(1440, "dark", 1), (390, "light", 2)])
def test_staff_edit_in_a_row_and_together_undo_and_look_closer(
    chromium: Browser, url: str, database: Database, width: int, scheme: str, session: int
) -> None:
    with visiting(chromium, url, width, scheme, ADMIN) as (page, console):
        page.goto(f"/sessions/{session}")
        page.get_by_label("Name or number").fill("erdogan")
        expect(page.locator("tr[data-entry]:visible")).to_have_count(1)
        expect(page).to_have_url(re.compile(r"\?q=erdogan"))
        page.get_by_label("Name or number").fill("")

        # In its row, while somebody else does the same.
        row(page, "Ben Brown").locator(".edit-row").click()
        form = page.get_by_role("form", name="Edit the entry of Ben Brown")
        expect(form.get_by_label("Status")).to_be_focused()
        new = NewEdit(session, "2026-1002", "the tram", INSTRUCTOR, status="absent")
        database.transact(lambda writing: save_entry(writing, new))
        form.get_by_label("Status").select_option(label="Late")
        form.get_by_label("Reason").fill("he told me")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("Status: Absent, before as Gridroll says")
        expect(form.get_by_label("Reason")).to_have_value("he told me")
        assert fits(page)
        assert all(REFUSED in line or line.endswith(" 409") for line in console.take())
        form.get_by_role("button", name="Save again").click()
        expect(row(page, "Ben Brown")).to_contain_text("Late")
        expect(page.get_by_role("status")).to_contain_text("Saved for Ben Brown.")
        expect(page.locator("#figures .status-late dd")).to_have_text("3")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("The edit is undone.")
        expect(row(page, "Ben Brown")).to_contain_text("Absent")

        # Together.
        for name in ("Dmitri", "Elif"):
            row(page, name).get_by_role("checkbox").check()
        bulk = page.get_by_role("form", name="Edit all ticked rows")
        expect(bulk).to_contain_text("2 ticked")
        bulk.get_by_label("Status").select_option(label="Excused")
        bulk.get_by_label("Reason").fill("school trip")
        bulk.get_by_role("button", name="Save all ticked").click()
        expect(page.get_by_role("status")).to_contain_text("Saved for 2 students.")
        expect(row(page, "Elif")).to_contain_text("Excused")
        assert fits(page)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("The edits of 2 students are undone.")
        expect(row(page, "Elif")).to_contain_text("Present")

        # From the chart to a look, and on by its neighbours.
        page.locator(".u-over").click(position={"x": 60, "y": 60})
        expect(page).to_have_url(re.compile(rf"/sessions/{session}/looks/\d+$"))
        first = page.url
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Look at ")
        assert page.url != first
        expect(page.locator("svg.grid-drawing rect").first).to_be_visible()
        assert fits(page)
        assert console.take() == []


DRAWN = """(() => {
  window.drawn = [];
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    window.drawn = [];
    return clearRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.drawn.push(text);
    return fillText.call(this, text, ...more);
  };
})()"""
"""Keeps what is written on canvas, from the last time it was cleared."""

NEXT_FRAME = (
    "() => new Promise((told) => setTimeout(() => requestAnimationFrame(() => told(window.drawn)), 200))"
)


def test_a_chart_of_a_single_look_tells_its_minutes_apart(
    chromium: Browser, url: str, database: Database
) -> None:
    session = class_of_sixteen(database, title="Week 5: limits", looks=1)
    with visiting(chromium, url, 1440, "light", ADMIN) as (page, console):
        page.add_init_script(DRAWN)
        page.goto(f"/sessions/{session}")
        expect(page.locator(".u-over")).to_be_visible()
        times = [text for text in page.evaluate(NEXT_FRAME) if ":" in text]
        assert len(times) == len(set(times)) >= 3
        assert any(time.startswith("09:") for time in times)
        assert console.take() == []


def test_an_open_page_follows_and_says_when_the_connection_is_lost(
    chromium: Browser, url: str, database: Database
) -> None:
    with visiting(chromium, url, 1440, "light", INSTRUCTOR) as (page, console):
        page.clock.install()
        page.goto("/today")
        card = page.locator(".now")
        expect(card).to_contain_text("Week 4: series")
        assert console.take() == []
        page.route("**/today/live.json", lambda route: route.abort())
        page.clock.run_for(6000)
        lost = page.get_by_text("Connection lost, trying again.")
        expect(lost).to_be_visible()
        page.unroute("**/today/live.json")
        page.clock.run_for(15000)
        expect(lost).to_be_hidden()
        expect(card).to_contain_text("of 16 came")


def test_who_was_signed_out_is_told_so_and_led_to_the_sign_in(chromium: Browser, url: str) -> None:
    with visiting(chromium, url, 1440, "light", INSTRUCTOR) as (page, _):
        page.clock.install()
        page.goto("/today")
        for cookies in ("kept", "cleared"):  # the first answer is 401, those after it lead elsewhere
            if cookies == "cleared":
                page.context.clear_cookies()
            else:
                sign_out_elsewhere(page)
            page.clock.run_for(6000)
            expect(
                page.get_by_text("You are signed out, and what you see may be out of date.")
            ).to_be_visible()
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.get_by_text("Connection lost")).to_be_hidden()
        page.get_by_role("link", name="Sign in again").click()
        expect(page).to_have_url(re.compile(r"/login\?next=%2Ftoday|/login\?next=/today"))


def sign_out_elsewhere(page: Page) -> None:
    """In another window of the same browser."""
    other = page.context.new_page()
    other.goto("/today")
    other.locator("form[action='/logout'] button").evaluate("button => button.form.submit()")
    other.wait_for_url(lambda url: "/today" not in url)
    other.close()


def test_a_row_is_saved_after_signing_in_again_with_what_was_typed(chromium: Browser, url: str) -> None:
    with visiting(chromium, url, 1440, "light", INSTRUCTOR) as (page, _):
        page.goto("/sessions/2")
        row(page, "Chiara").locator(".edit-row").click()
        form = page.get_by_role("form", name="Edit the entry of Chiara")
        form.get_by_label("Status").select_option(label="Excused")
        form.get_by_label("Reason").fill("a letter")
        sign_out_elsewhere(page)
        form.get_by_role("button", name="Save").click()
        told = form.get_by_role("alert")
        expect(told).to_contain_text("Your sign-in has ended and nothing was saved.")
        form.get_by_role("button", name="Save").click()
        expect(told).to_contain_text("Your sign-in has ended")
        with page.context.expect_page() as opened:
            told.get_by_role("link", name="Sign in again in another window").click()
        sign_in(opened.value, INSTRUCTOR)
        expect(form.get_by_label("Reason")).to_have_value("a letter")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("Saved for Chiara")
        expect(row(page, "Chiara")).to_contain_text("Excused")
