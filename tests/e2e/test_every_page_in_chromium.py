"""Every page of the portal in a real browser: no fault of accessibility, nothing in the console, nothing too wide.

Which pages there are, and who sees them, is what the table of access says: a new page is tried without a word here.
"""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from db.accounts import find_user
from db.database import Database, make_database
from db.disputes import make_dispute
from db.edits import NewEdit, edit_entry
from db.erasures import ask_for_erasure
from db.password_links import add_link
from db.people import find_course, find_student
from db.planning import plan_session
from db.schema import SignIn
from db.settings import Settings
from db.tokens import add_token
from db.webhooks import add_webhook
from portal.accounts.setup import offer_setup
from portal.app import create_app
from portal.desk import desk_of
from portal.sign_in import hash_of
from tests.e2e.browsing import Console, accessibility, faults, served, visiting
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_INSTRUCTOR,
    STAFF,
    STUDENT_A,
    STUDENT_B,
    class_of_two,
)
from tests.portal.test_access import TABLE

VIEWERS: dict[str, str | None] = {
    "nobody": None,
    "student": STUDENT_A,
    "admin": ADMIN,
    "staff": STAFF,
    "instructor": INSTRUCTOR,
    "other_instructor": OTHER_INSTRUCTOR,
}
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Flask]]:
    """The address of a portal with what the table of access speaks of, and something of everything that lists show."""
    home = tmp_path_factory.mktemp("portal")
    settings = Settings(home=home)
    database = make_database(settings.resolved_database_url)
    furnish(database, class_of_two(database))
    app = create_app(settings, database)
    with served(app) as url:
        yield url, app
    database.close()
    shutil.rmtree(home)


def furnish(database: Database, session_id: int) -> None:
    with database.writing() as writing:
        course, ada = find_course(writing, COURSE), find_student(writing, "S-1")
        for email in (ADMIN, INSTRUCTOR):
            user = find_user(writing, email)
            assert user is not None
            add_token(writing, "The room’s computer", f"{email:0<64}"[:64], ["observations"], user, course)
            add_token(writing, "A calendar", f"{email:1<64}"[:64], ["calendar"], user)
            if email == ADMIN:
                add_webhook(writing, "https://example.edu/hook", "sealed", ["review.opened"], user, NOW)
        make_dispute(writing, session_id, ada.id, "I was there from the start.", "student:1")
        ask_for_erasure(writing, ada.id, "I am leaving.", "student:1")
        edit_entry(writing, NewEdit(session_id, "S-2", "he told me so", INSTRUCTOR, "excused"))
        plan_session(writing, COURSE, "Next week", NOW + timedelta(days=7), 45, INSTRUCTOR, NOW)


def pages(viewer: str) -> list[str]:
    """The addresses whose pages this viewer sees."""
    return [row.path for row in TABLE.values() if " " not in row.path and getattr(row, viewer) == 200]


@pytest.fixture(scope="module")
def known() -> set[tuple[int, str]]:
    """What was looked at, at which width: what staff see is mostly what admins see."""
    return set()


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_open_to_everybody_who_may_see_it(
    chromium: Browser,
    portal: tuple[str, Flask],
    known: set[tuple[int, str]],
    viewer: str,
    width: int,
    scheme: str,
) -> None:
    found: list[str] = []
    looked_at = 0
    with visiting(chromium, portal[0], width, scheme, VIEWERS[viewer]) as (page, console):
        for path in pages(viewer):
            answer = page.request.get(path)
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            looked_at += 1
            content = (width, told(answer.text()))
            if content in known:
                continue
            known.add(content)
            page.goto(path)
            found += [f"{path}, {line}" for line in faults(page, console)]
    assert looked_at
    assert not found, "\n".join(found)


def told(html: str) -> str:
    """A page without what is new each time, and without its head, which is the same on each of a viewer's pages."""
    return re.sub(r'(csrf_token|name="uid")" value="[^"]*"', "", html.partition("<main")[2])


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_pages_that_no_list_leads_to_are_fit_to_be_seen(
    chromium: Browser, portal: tuple[str, Flask], tmp_path: Path, width: int, scheme: str
) -> None:
    url, app = portal
    database = desk_of(app).database
    with database.writing() as writing:
        user = find_user(writing, STUDENT_B)
        assert user is not None
        add_link(writing, user, hash_of(f"reset-{width}"), NOW, timedelta(hours=1))
    found: list[str] = []

    def look(page: Page, console: Console, words: str) -> None:
        heading = page.locator("h1, [role=alert], .refused").all_inner_texts()
        assert any(words in text for text in heading), (page.url, heading)
        # That the page itself was refused is what is looked at.
        found.extend(
            f"{page.url}, {line}" for line in faults(page, console) if not re.search(r"\b40\d\b", line)
        )

    def send_empty(page: Page, path: str) -> None:
        """As a browser would that checks nothing."""
        page.goto(path)
        with page.expect_navigation():
            page.locator("main form[method=post]").first.evaluate("form => form.submit()")

    with visiting(chromium, url, width, scheme) as (page, console):
        page.goto("/nothing")
        look(page, console, "Nothing here")
        page.goto(f"/reset/reset-{width}")
        look(page, console, "password")
        page.goto("/reset/used-up")
        look(page, console, "This link is no longer good")
        send_empty(page, "/login")
        look(page, console, "do not")
    with visiting(chromium, url, width, scheme, STAFF) as (page, console):
        page.goto("/admin/users")
        look(page, console, "Not with this account")
    with visiting(chromium, url, width, scheme, ADMIN) as (page, console):
        for path in ("/registration", "/admin/users/new", "/admin/tokens/new", f"/courses/{COURSE}/plan"):
            send_empty(page, path)
            look(page, console, "")
    with visiting(chromium, url, width, scheme, STUDENT_A) as (page, console):
        page.goto("/sessions/1")
        look(page, console, "Nothing here")
        with database.writing() as writing:
            writing.execute(update(SignIn).values(ended_at=NOW))
        page.goto("/me")
        look(page, console, "Please sign in")
    settings = Settings(home=tmp_path)
    empty = make_database(settings.resolved_database_url)
    fresh = create_app(settings, empty)
    with served(fresh) as address, visiting(chromium, address, width, scheme) as (page, console):
        page.goto(str(offer_setup(fresh)))
        look(page, console, "")
    empty.close()
    assert not found, "\n".join(found)


def test_the_harness_finds_a_page_that_nobody_can_read(tmp_path: Path, chromium: Browser) -> None:
    settings = Settings(home=tmp_path)
    database = make_database(settings.resolved_database_url)
    app = create_app(settings, database)
    view = app.view_functions["login.form"]

    def spoilt() -> str:
        return "<html lang=en><title>x</title><main style='width: 2000px'><img src=/nothing.png><p style='color: #ddd'>pale"

    spoilt.__dict__.update(view.__dict__)
    app.view_functions["login.form"] = spoilt
    with served(app) as url, visiting(chromium, url, 390, "light") as (page, console):
        page.goto("/login")
        assert {line.partition(":")[0] for line in accessibility(page)} >= {"image-alt"}
        assert any("Content Security Policy" in line for line in console.take())
    database.close()
