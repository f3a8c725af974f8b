"""Staff edit entries and settle reviews in a real browser, two of them at once, on a screen and on a phone."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from db.database import Database, make_database
from db.report import session_report
from db.settings import Settings
from portal.app import create_app
from portal.server import make_server
from tests.e2e.test_portal_in_chromium import fits, sign_in
from tests.portal.cast import ADMIN, INSTRUCTOR, add_accounts, class_of_sixteen

BEN = "2026-1002"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = make_database(f"sqlite:///{tmp_path / 'gridroll.sqlite'}")
    class_of_sixteen(database)
    with database.writing() as writing:
        add_accounts(writing)
    yield database
    database.close()


@pytest.fixture
def url(tmp_path: Path, database: Database) -> Iterator[str]:
    """The address of a portal with one past session of sixteen students."""
    server = make_server(create_app(Settings(home=tmp_path), database), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.url
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


class Desk:
    """Somebody's browser window; `wrong` is what its console said, apart from answers that are meant to be refusals."""

    def __init__(self, context: BrowserContext, email: str) -> None:
        self.page, self.wrong = context.new_page(), list[str]()
        self.page.on(
            "console",
            lambda said: self.wrong.append(said.text) if said.type in {"error", "warning"} else None,
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        sign_in(self.page, email)

    def check(self) -> None:
        """Whatever a page's console says is wrong, but for Chromium's line on a page that came with 409."""
        refusal = "Failed to load resource: the server responded with a status of 409 (CONFLICT)"
        assert [line for line in self.wrong if line != refusal] == []


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=lambda param: f"{param[0]}-{param[1]}")
def desks(chromium: Browser, url: str, request: pytest.FixtureRequest) -> Iterator[tuple[Desk, Desk]]:
    """An instructor's and an admin's window, each in a browser profile of its own."""
    width, scheme = request.param
    contexts = [
        chromium.new_context(
            base_url=url,
            viewport={"width": width, "height": 844},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        for _ in range(2)
    ]
    first, second = Desk(contexts[0], INSTRUCTOR), Desk(contexts[1], ADMIN)
    yield first, second
    first.check()
    second.check()
    for context in contexts:
        context.close()


def fill(page: Page, status: str, minutes: str, reason: str) -> None:
    page.get_by_label("Status").select_option(label=status)
    page.get_by_label("Minutes").fill(minutes)
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Save").click()


def test_of_two_who_edit_one_row_at_once_the_second_is_told_what_changed(
    desks: tuple[Desk, Desk], database: Database
) -> None:
    ines, adam = (desk.page for desk in desks)
    for page in (ines, adam):
        page.goto("/sessions/1")
        page.get_by_role("link", name="Ben Brown", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Ben Brown")
        fits(page)
    fill(ines, "Late", "30", "he told me")
    expect(ines.get_by_role("status")).to_have_text("The entry is saved.")
    fits(ines)

    fill(adam, "Excused", "20", "the doctor’s note")
    told = adam.get_by_role("alert")
    expect(told).to_contain_text("This entry was edited while you had it open")
    expect(told).to_contain_text(INSTRUCTOR)
    expect(told).to_contain_text(
        "Status: Late, before as Gridroll says; Minutes: 30, before as Gridroll says"
    )
    expect(told).to_contain_text("he told me")
    fits(adam)
    expect(adam.get_by_label("Reason")).to_have_value("the doctor’s note")
    expect(adam.get_by_label("Minutes")).to_have_value("20")
    adam.get_by_role("button", name="Save").click()
    expect(adam.get_by_role("status")).to_have_text("The entry is saved.")
    expect(adam.locator(".history li")).to_have_count(2)

    ines.goto("/sessions/1")
    row = ines.get_by_role("row").filter(has_text="Ben Brown")
    expect(row).to_contain_text("Excused")
    expect(row).to_contain_text("Gridroll says present")
    fits(ines)
    with database.reading() as reading:
        ben = next(line for line in session_report(reading, 1).students if line.student_no == BEN)
    assert (ben.status, ben.minutes, ben.source, ben.version) == ("excused", 20.0, "staff", 3)


def test_reviews_are_settled_and_the_second_is_told_who_was_faster(desks: tuple[Desk, Desk]) -> None:
    ines, adam = (desk.page for desk in desks)
    for page in (ines, adam):
        page.goto("/sessions/1")
    olga = ines.locator(".reviews > li").filter(has_text="Olga Orlova")
    olga.get_by_role("button", name="It is Olga Orlova").click()
    expect(ines).to_have_url(re.compile(r"/sessions/1#reviews$"))
    expect(ines.get_by_role("status")).to_have_text("The review is settled.")
    settled = ines.locator(".reviews > li").filter(has_text="It is Olga Orlova.")
    expect(settled).to_contain_text(INSTRUCTOR)
    fits(ines)

    stranger = ines.locator(".reviews > li").filter(has_text="matches nobody")
    stranger.get_by_text("Somebody else, a guest, or with a reason").click()
    guest = stranger.get_by_label("A guest’s name")
    guest.fill("Dr. Cid")
    guest.press("Enter")  # answers nothing: which answer would it be?
    expect(stranger.get_by_role("button", name="It is this guest")).to_be_visible()
    fits(ines)
    stranger.get_by_label("Reason").fill("gave the talk")
    stranger.get_by_role("button", name="It is this guest").click()
    expect(ines.get_by_text("A guest, Dr. Cid.")).to_be_visible()
    expect(ines.get_by_text("60 of 60 looks balance (100 %).")).to_be_visible()

    adam.locator(".reviews > li").filter(has_text="matches nobody").get_by_role(
        "button", name="Nobody of the roster"
    ).click()
    told = adam.get_by_role("alert")
    expect(told).to_contain_text("Somebody else was faster")
    expect(told).to_contain_text(f"A guest, Dr. Cid. {INSTRUCTOR}")
    expect(told).to_contain_text("gave the talk")
    fits(adam)
    adam.get_by_role("link", name="Week 3: limits and continuity").click()
    expect(adam.locator(".reviews > li").filter(has_text="A guest, Dr. Cid.")).to_be_visible()


def test_without_javascript_staff_edit_and_settle_all_the_same(chromium: Browser, url: str) -> None:
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, ADMIN)
    page.goto(f"/sessions/1/entries/{BEN}")
    page.get_by_label("Joined").fill("09:04:00")
    fill(page, "Late", "", "he told me")
    expect(page.get_by_text("Late, joined 09:04:00")).to_be_visible()
    page.get_by_label("Reason").fill("it was somebody else")
    page.get_by_role("button", name="Hand back to Gridroll").click()
    expect(page.get_by_text("The entry is Gridroll’s again.")).to_be_visible()
    page.goto("/sessions/1")
    page.locator(".reviews > li").filter(has_text="most like Olga").get_by_role(
        "button", name="Dismiss"
    ).click()
    expect(page.get_by_text("Dismissed: what Gridroll said stands.")).to_be_visible()
    context.close()
