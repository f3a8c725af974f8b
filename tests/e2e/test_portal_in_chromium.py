"""The portal in a real browser: staff and a student, on a screen and on a phone, in light and in dark."""

import base64
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from db.database import make_database
from db.settings import Settings
from portal.app import create_app
from portal.server import make_server
from tests.portal.cast import ADMIN, NAMES, PASSWORD, add_accounts, class_of_sixteen

GORAN = "goran@example.edu"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a portal with one past and one running session of sixteen students."""
    settings = Settings(home=tmp_path_factory.mktemp("portal"))
    database = make_database(settings.resolved_database_url)
    class_of_sixteen(database)
    class_of_sixteen(
        database, datetime.now(UTC) - timedelta(minutes=20), "Week 4: series", looks=20, until_min=20
    )
    with database.writing() as writing:
        add_accounts(writing, GORAN)
    server = make_server(create_app(settings, database), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.url
    server.stop()
    thread.join(10)
    assert not thread.is_alive()
    database.close()


@pytest.fixture(
    params=[(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def page(chromium: Browser, url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test for whatever its visitor would not see but its console would say."""
    width, scheme = request.param
    context = chromium.new_context(
        base_url=url, viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda failed: wrong.append(f"{failed.url} {failed.failure}"))
    page.on(
        "response",
        lambda answer: wrong.append(f"{answer.url} {answer.status}") if answer.status >= 400 else None,
    )
    yield page
    context.close()
    # A picture that was still on its way when the visitor went on is nobody's mistake.
    assert [line for line in wrong if not line.endswith("net::ERR_ABORTED")] == []


def sign_in(page: Page, email: str) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def fits(page: Page) -> None:
    """Nothing makes the page itself scroll sideways, and its colours are those that were asked for."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    red = int(re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
    assert (red < 60) if dark else (red > 200)


def names(page: Page) -> list[str]:
    return page.locator("table[data-sortable]").first.locator("tbody th").all_inner_texts()


def test_staff_find_a_session_read_it_sort_it_and_leave(page: Page) -> None:
    page.goto("/")
    fits(page)
    sign_in(page, ADMIN)
    expect(page).to_have_url(re.compile("/today$"))
    expect(page.get_by_role("heading", name="Week 4: series")).to_be_visible()
    fits(page)
    page.goto("/sessions")
    expect(page.get_by_text("Running")).to_be_visible()
    fits(page)

    page.get_by_role("link", name="Week 3: limits and continuity", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Week 3: limits and continuity")
    expect(page.get_by_role("img", name=re.compile("Timeline of Week 3"))).to_be_visible()
    fits(page)

    assert names(page) == list(NAMES)
    page.get_by_role("button", name="Minutes").click()
    assert names(page)[0] == "Nnamdi Nwosu"
    page.get_by_role("button", name="Minutes").click()
    assert names(page)[-1] == "Olga Orlova"
    assert page.locator("th[aria-sort]").first.get_attribute("aria-sort") == "descending"
    # Times nobody has come last, upwards and downwards.
    for _ in range(2):
        page.get_by_role("button", name="Joined").click()
        assert set(names(page)[-2:]) == {"Nnamdi Nwosu", "Olga Orlova"}

    page.get_by_role("heading", name="The balance sheet of every look").click()
    expect(page.get_by_text("The headcount changed").last).to_be_visible()
    fits(page)

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login$"))
    page.goto("/sessions")
    expect(page.get_by_role("heading", name="Sign in to Gridroll")).to_be_visible()


def test_a_student_reads_their_own_record(page: Page) -> None:
    sign_in(page, GORAN)
    expect(page.get_by_role("heading", level=1)).to_have_text("My attendance")
    expect(page.get_by_text("attended: 1 of 1 session")).to_be_visible()
    expect(page.locator("svg.strip")).to_have_count(2)
    fits(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login$"))


@pytest.mark.parametrize("page", [(390, "light"), (390, "dark")], indirect=True)
def test_the_theme_can_be_turned_over_and_is_remembered(page: Page) -> None:
    page.goto("/login")
    before = page.evaluate("document.documentElement.dataset.bsTheme")
    page.get_by_role("button", name="Dark colours").click()
    after = page.evaluate("document.documentElement.dataset.bsTheme")
    assert {before, after} == {"light", "dark"}
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == after


@pytest.mark.parametrize("page", [(1440, "light")], indirect=True)
def test_the_downloaded_timeline_is_a_picture_of_its_own(page: Page, url: str, tmp_path: Path) -> None:
    sign_in(page, ADMIN)
    page.goto("/sessions")
    page.get_by_role("link", name="Week 3: limits and continuity", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("link", name="Timeline").click()
    assert started.value.suggested_filename == "MATH-101-2026-03-02-session-1.svg"
    started.value.save_as(tmp_path / "timeline.svg")
    # A browser that draws it as an image neither runs scripts nor loads anything for it.
    markup = f'<img src="data:image/svg+xml;base64,{_base64(tmp_path / "timeline.svg")}" alt="">'
    page.set_content(markup)
    assert page.evaluate("document.images[0].decode().then(() => document.images[0].naturalWidth)") == 1120


def test_without_javascript_everything_is_there(chromium: Browser, url: str) -> None:
    context = chromium.new_context(base_url=url, java_script_enabled=False, color_scheme="dark")
    page = context.new_page()
    sign_in(page, ADMIN)
    page.goto("/sessions")
    page.get_by_role("link", name="Week 3: limits and continuity", exact=True).click()
    expect(page.get_by_role("rowheader", name="Ada Adams")).to_be_visible()
    expect(page.get_by_role("button", name="Dark colours")).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login$"))
    context.close()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
