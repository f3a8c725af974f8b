"""Who may open what: every route, for everybody."""

from typing import NamedTuple

import pytest
from flask import Flask

from portal.access import PUBLIC, roles_of
from tests.portal.cast import ADMIN, INSTRUCTOR, STUDENT_A
from tests.portal.conftest import Browser


class Row(NamedTuple):
    """Expected status codes by viewer."""

    path: str
    nobody: int
    student: int
    instructor: int
    admin: int


STAFF_ONLY = {"nobody": 302, "student": 404, "instructor": 200, "admin": 200}
TABLE = {
    "static": Row("/static/gridroll.css", 200, 200, 200, 200),
    "login.form": Row("/login", 200, 302, 302, 302),
    "login.enter": Row("POST /login", 401, 401, 401, 401),  # the form without an account
    "front.page": Row("/", 302, 302, 302, 302),
    "sessions.listing": Row("/sessions", **STAFF_ONLY),
    "sessions.page": Row("/sessions/1", **STAFF_ONLY),
    "sessions.timeline": Row("/sessions/1/timeline.svg", **STAFF_ONLY),
    "sessions.report_csv": Row("/sessions/1/report.csv", **STAFF_ONLY),
    "sessions.report_xlsx": Row("/sessions/1/report.xlsx", **STAFF_ONLY),
    "sessions.report_json": Row("/sessions/1/report.json", **STAFF_ONLY),
    "entries.page": Row("/sessions/1/entries/S-1", **STAFF_ONLY),
    "entries.save": Row("POST /sessions/1/entries/S-1", 401, 404, 400, 400),  # a form without anything in it
    "reviews.page": Row("/sessions/1/reviews/1", **STAFF_ONLY),
    "reviews.settle": Row("POST /sessions/1/reviews/1", 401, 404, 400, 400),
    "me.page": Row("/me", 302, 200, 403, 403),
    "login.leave": Row("POST /logout", 401, 302, 302, 302),  # last, for it ends the visit
}


def test_the_table_names_every_route(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == TABLE.keys()


@pytest.mark.parametrize(
    ("viewer", "email"),
    [("nobody", None), ("student", STUDENT_A), ("instructor", INSTRUCTOR), ("admin", ADMIN)],
)
def test_each_route_opens_to_those_it_is_for(
    app: Flask, browser: Browser, meeting: int, viewer: str, email: str | None
) -> None:
    if email is not None:
        browser.sign_in(email)
    app.config["WTF_CSRF_ENABLED"] = False
    found = {}
    for endpoint, row in TABLE.items():
        method, path = row.path.split() if " " in row.path else ("GET", row.path)
        answer = browser.client.open(path, method=method, buffered=True)
        found[endpoint] = answer.status_code
        if viewer == "nobody" and answer.status_code == 302:
            assert answer.location.startswith("/login")
    assert found == {endpoint: getattr(row, viewer) for endpoint, row in TABLE.items()}


def test_only_the_login_page_and_static_files_are_public(app: Flask) -> None:
    public = {endpoint for endpoint, view in app.view_functions.items() if roles_of(view) is PUBLIC}
    assert public == {"static", "login.form", "login.enter"}


@pytest.mark.parametrize("email", [None, STUDENT_A, ADMIN])
def test_a_view_that_declares_nothing_is_open_to_nobody(
    app: Flask, browser: Browser, meeting: int, email: str | None
) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    if email is not None:
        browser.sign_in(email)
    answer = browser.get("/forgotten")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_to_a_student_what_is_forbidden_and_what_does_not_exist_look_the_same(
    browser: Browser, meeting: int
) -> None:
    browser.sign_in(STUDENT_A)
    paths = (f"/sessions/{meeting}", "/sessions/999", "/sessions/999/report.csv", "/nothing", "/sessions/-1")
    answers = [browser.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize("number", ["0", "999", str(2**63 - 1), str(2**63), "9" * 40, "x", "1.5"])
def test_a_session_that_does_not_exist_is_a_page_that_says_so(
    browser: Browser, meeting: int, number: str
) -> None:
    browser.sign_in(ADMIN)
    answer = browser.get(f"/sessions/{number}")
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
