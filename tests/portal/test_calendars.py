"""Sessions in people's own calendars, by links that hold a secret."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select

from db.accounts import find_user, set_active
from db.database import Database
from db.instructors import remove_instructor
from db.people import find_course
from db.planning import change_session, session_mark
from db.schema import TokenRow
from db.sessions import find_session, start_session
from db.tokens import add_token
from portal.bearer import hash_token, new_token
from portal.desk import Desk, desk_of, put_desk
from tests.portal.cast import COURSE, INSTRUCTOR, OTHER_COURSE, PASSWORD, STAFF, START, STUDENT_A, STUDENT_B
from tests.portal.conftest import Browser

NOW = START + timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(app: Flask, meeting: int, database: Database) -> None:
    del meeting
    held = desk_of(app)
    put_desk(app, Desk(held.settings, held.database, held.backroom, held.cache, lambda: NOW))
    with database.writing() as writing:
        start_session(writing, OTHER_COURSE, "Bonds; salts, and äther", START + timedelta(days=2), 90)


def make_link(browser: Browser, email: str, name: str = "My phone") -> str:
    browser.sign_in(email)
    form = {"csrf_token": browser.token("/calendar"), "name": name}
    answer = browser.client.post("/calendar", data=form)
    assert answer.status_code == 302
    page = browser.get("/calendar").text
    (link,) = re.findall(r'<code class="secret">([^<]+)</code>', page)
    assert link.startswith("http://127.0.0.1:8080/calendar/grl_")
    # It is shown once.
    assert link not in browser.get("/calendar").text
    browser.sign_out("/calendar")
    return str(link).removeprefix("http://127.0.0.1:8080")


def events(browser: Browser, link: str) -> dict[str, str]:
    """By UID: what it is called, and when in UTC."""
    answer = browser.get(link)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "no-store" in answer.headers["Cache-Control"]
    found = Calendar.from_ical(answer.data)
    assert b"\r\n" in answer.data
    return {
        str(
            event["UID"]
        ): f"{event['SUMMARY']}, {event.decoded('DTSTART'):%d %H:%M %Z} to {event.decoded('DTEND'):%H:%M %Z}"
        for event in found.walk("VEVENT")
    }


MATH = {"session-1@127.0.0.1": "MATH-101: Limits, 02 08:00 UTC to 08:45 UTC"}
CHEM = {"session-2@127.0.0.1": "CHEM-7: Bonds; salts, and äther, 04 08:00 UTC to 09:30 UTC"}


@pytest.mark.parametrize(("email", "expected"), [(INSTRUCTOR, MATH), (STUDENT_A, MATH), (STAFF, MATH | CHEM)])
def test_a_link_shows_the_sessions_of_its_owners_courses(
    browser: Browser, email: str, expected: dict[str, str]
) -> None:
    assert events(browser, make_link(browser, email)) == expected


def test_links_and_events_are_of_the_portals_own_address_whatever_a_request_claims(
    app: Flask, browser: Browser
) -> None:
    app.config["PUBLIC_URL"] = "https://roll.example.edu/"
    client, evil = browser.client, "http://evil.example"

    def send(path: str, **values: str) -> None:
        found = re.search(r'"csrf_token" value="([^"]+)"', client.get(path, base_url=evil).text)
        assert found is not None
        form = {"csrf_token": found[1], **values}
        assert client.post(path, base_url=evil, data=form).status_code == 302

    send("/login", email=STUDENT_A, password=PASSWORD)
    send("/calendar")
    page = client.get("/calendar", base_url=evil).text
    (path,) = re.findall(r">https://roll\.example\.edu(/calendar/grl_[^<]+\.ics)</code>", page)
    assert f'href="webcal://roll.example.edu{path}"' in page
    for base in ("http://localhost", evil):
        feed = Calendar.from_ical(client.get(path, base_url=base).data)
        assert [str(event["UID"]) for event in feed.walk("VEVENT")] == ["session-1@roll.example.edu"]


def test_where_a_school_has_too_many_sessions_the_longest_past_are_left_out(
    browser: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.agenda.MOST_LINES", 4)
    with database.writing() as writing:
        for days in (-20, -10, 5, 6):
            start_session(writing, COURSE, f"{days:+}", NOW + timedelta(days=days), 45)
    link = make_link(browser, STAFF)
    told = [words.partition(",")[0] for words in events(browser, link).values()]
    # The one that began last, and all to come.
    assert told == ["MATH-101: Limits", "CHEM-7: Bonds; salts", "MATH-101: +5", "MATH-101: +6"]
    monkeypatch.setattr("db.agenda.MOST_LINES", 2)
    told = [words.partition(",")[0] for words in events(browser, link).values()]
    assert told == ["CHEM-7: Bonds; salts", "MATH-101: +5"]


def test_a_session_that_moves_stays_the_same_event(browser: Browser, database: Database) -> None:
    link = make_link(browser, STAFF)
    with database.writing() as writing:
        row = find_session(writing, 2)
        at = datetime(2026, 3, 30, 7, 0, tzinfo=UTC)
        change_session(writing, 2, row.title, at, 60, session_mark(row), STAFF, NOW)
    changed = events(browser, link)["session-2@127.0.0.1"]
    assert changed == "CHEM-7: Bonds; salts, and äther, 30 07:00 UTC to 08:00 UTC"


def test_a_link_follows_what_its_owner_may_see_and_ends_with_their_account(
    browser: Browser, database: Database
) -> None:
    link = make_link(browser, INSTRUCTOR)
    with database.writing() as writing:
        ines = find_user(writing, INSTRUCTOR)
        assert ines is not None
        remove_instructor(writing, find_course(writing, COURSE), ines)
    assert events(browser, link) == {}
    with database.writing() as writing:
        ines = find_user(writing, INSTRUCTOR)
        assert ines is not None
        set_active(writing, ines, False)
    assert browser.get(link).status_code == 404


def test_an_ended_link_gives_nothing_and_only_its_owner_ends_it(browser: Browser) -> None:
    link = make_link(browser, STUDENT_A)
    browser.sign_in(STUDENT_B)
    form = {"csrf_token": browser.token("/calendar")}
    assert browser.client.post("/calendar/1/end", data=form).status_code == 404
    browser.sign_out("/calendar")
    assert browser.get(link).status_code == 200
    browser.sign_in(STUDENT_A)
    page = browser.get("/calendar").text
    assert "My phone" in page
    assert "last read Tue 3 Mar 2026 UTC" in page
    form = {"csrf_token": browser.token("/calendar")}
    assert browser.client.post("/calendar/1/end", data=form).status_code == 302
    assert "You have none." in browser.get("/calendar").text
    assert browser.get(link).status_code == 404


def test_a_token_for_something_else_is_no_link_and_a_link_opens_nothing_else(
    browser: Browser, database: Database
) -> None:
    token = new_token()
    with database.writing() as writing:
        user = find_user(writing, STAFF)
        assert user is not None
        agent = add_token(writing, "Room 7", hash_token(token), ["observations"], user).id
    assert browser.get(f"/calendar/{token}.ics").status_code == 404
    for odd in ("x", "grl_", "grl_" + "a" * 43, "grl_" + "a" * 190, "é"):
        assert browser.get(f"/calendar/{odd}.ics").status_code == 404
    browser.sign_in(STAFF)
    form = {"csrf_token": browser.token("/calendar")}
    assert browser.client.post(f"/calendar/{agent}/end", data=form).status_code == 404


def test_so_many_links_and_no_more(browser: Browser, database: Database) -> None:
    browser.sign_in(STUDENT_A)
    for _ in range(10):
        browser.client.post("/calendar", data={"csrf_token": browser.token("/calendar")})
    form = {"csrf_token": browser.token("/calendar"), "name": "One more"}
    answer = browser.client.post("/calendar", data=form)
    assert answer.status_code == 400
    assert "which is as many as fit; end one first" in answer.text
    assert 'value="One more"' in answer.text
    long = browser.client.post("/calendar", data={**form, "name": "n" * 121})
    assert long.status_code == 400
    with database.reading() as reading:
        rows = reading.scalars(select(TokenRow)).all()
    assert {row.scopes for row in rows} == {"calendar"}
    assert len(rows) == 10
