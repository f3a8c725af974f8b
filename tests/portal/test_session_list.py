"""The list of sessions, and the choice of one for a picture: what has begun is not crowded out by what is planned."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from db.database import Database
from db.sessions import start_session
from portal.desk import Desk, desk_of, put_desk
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, OTHER_COURSE, START
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting

NOW = START + timedelta(days=3)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now(app: Flask, meeting: int) -> None:
    held = desk_of(app)
    put_desk(app, Desk(held.settings, held.database, held.backroom, held.cache, lambda: NOW))


def plan(database: Database, course: str, *hours: float, minutes: int = 45) -> None:
    """Sessions so many hours from now, named after them."""
    with database.writing() as writing:
        for after in hours:
            start_session(writing, course, f"At {after:+g}.", NOW + after * HOUR, minutes)


def listed(text: str) -> list[str]:
    """Titles in the order of the page."""
    return re.findall(r'data-label="Session"[^>]*>\s*<a [^>]*>([^<]+)</a>', text)


def test_sessions_to_come_stand_apart_and_crowd_no_other_out(browser: Browser, database: Database) -> None:
    plan(database, OTHER_COURSE, *range(1, 301))
    plan(database, COURSE, -2, -0.5)
    browser.sign_in(ADMIN)
    page = browser.get("/sessions").text
    coming, begun = page.split("newest first")
    assert "To come" in coming
    assert listed(coming) == ["At +1.", "At +2.", "At +3.", "At +4.", "At +5."]
    assert listed(begun) == ["At -0.5.", "At -2.", "Limits"]


def test_begun_sessions_are_shown_a_page_at_a_time_and_of_one_course(
    browser: Browser, database: Database
) -> None:
    plan(database, OTHER_COURSE, *range(-60, 0), 7)
    browser.sign_in(ADMIN)
    first = browser.get("/sessions").text
    assert "1–50 of 61" in first
    second = browser.get("/sessions?page=2").text
    assert "51–61 of 61" in second
    assert "To come" not in second
    assert listed(second)[-2:] == ["At -60.", "Limits"]
    of_course = browser.get(f"/sessions?course={COURSE}").text
    assert listed(of_course) == ["Limits"]
    assert "To come" not in of_course
    assert f"course={OTHER_COURSE}&amp;page=2" in browser.get(f"/sessions?course={OTHER_COURSE}").text
    assert "The list ends before this page" in browser.get("/sessions?page=9").text
    with counting(database) as seen:
        browser.get(f"/sessions?course={OTHER_COURSE}")
    assert len(seen) <= MOST


def test_an_instructor_sees_and_filters_their_own_courses_only(browser: Browser, database: Database) -> None:
    plan(database, OTHER_COURSE, -1, 1)
    browser.sign_in(INSTRUCTOR)
    for path in ("/sessions", f"/sessions?course={OTHER_COURSE}"):
        assert listed(browser.get(path).text) == ["Limits"]


def test_a_picture_is_offered_for_sessions_that_have_begun_running_ones_first(
    browser: Browser, database: Database
) -> None:
    plan(database, OTHER_COURSE, *range(1, 60))
    plan(database, COURSE, *[-3 - after / 100 for after in range(40)])
    plan(database, COURSE, -20, minutes=24 * 60)
    browser.sign_in(ADMIN)
    offered = listed(browser.get("/pictures").text)
    assert offered[:2] == ["At -20.", "At -3."]
    assert len(offered) == 30
