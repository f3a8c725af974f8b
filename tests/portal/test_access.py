"""Who may open what: every route, for everybody."""

from typing import NamedTuple

import pytest
from flask import Flask

from db.accounts import find_user
from db.database import Database
from db.people import find_course
from db.tokens import add_token
from portal.access import PUBLIC, roles_of, scope_of
from portal.bearer import hash_token, new_token
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_INSTRUCTOR,
    STAFF,
    STUDENT_A,
    STUDENT_B,
)
from tests.portal.conftest import Browser


class Row(NamedTuple):
    """A request, and the status that each caller gets. Ada's and session 1's are what addresses name.

    `nobody`, `student` (Ada), `other_student` (Ben), `instructor` (of the course), `other_instructor` (of another),
    `staff`, `admin`, and `agent`: a program with a token for observations of the course.
    """

    path: str
    nobody: int
    student: int
    other_student: int
    instructor: int
    other_instructor: int
    staff: int
    admin: int
    agent: int


def for_staff(path: str, done: int = 200, elsewhere: int = 404) -> Row:
    """`elsewhere`: what an instructor of another course gets."""
    nobody = 401 if path.startswith("POST ") else 302
    return Row(path, nobody, 404, 404, done, elsewhere, done, done, nobody)


def for_office(path: str, done: int = 200) -> Row:
    """What changes students, and what sees all courses."""
    nobody = 401 if path.startswith("POST ") else 302
    return Row(path, nobody, 404, 404, 403, 403, done, done, nobody)


def for_lists(path: str) -> Row:
    """Where every instructor sees what is theirs."""
    return for_staff(path, elsewhere=200)


TABLE = {
    "static": Row("/static/gridroll.css", *[200] * 8),
    "login.form": Row("/login", 200, 302, 302, 302, 302, 302, 302, 200),
    "login.enter": Row("POST /login", *[401] * 8),  # the form without an account
    "front.page": Row("/", *[302] * 8),
    "dashboard.page": for_lists("/today"),
    "dashboard.live": for_lists("/today/live.json"),
    "sessions.listing": for_lists("/sessions"),
    "sessions.page": for_staff("/sessions/1"),
    "sessions.live": for_staff("/sessions/1/live.json"),
    "sessions.looks": for_staff("/sessions/1/looks.json"),
    "sessions.timeline": for_staff("/sessions/1/timeline.svg"),
    "sessions.report_csv": for_staff("/sessions/1/report.csv"),
    "sessions.report_xlsx": for_staff("/sessions/1/report.xlsx"),
    "sessions.report_json": for_staff("/sessions/1/report.json"),
    "entries.page": for_staff("/sessions/1/entries/S-1"),
    "entries.save": for_staff("POST /sessions/1/entries/S-1", 400),  # a form without anything in it
    "entries.save_many": for_staff("POST /sessions/1/entries", 400),
    "entries.undo": for_staff("POST /sessions/1/undo", 400),
    "looks.page": for_staff("/sessions/1/looks/1"),
    "looks.evidence": for_staff("/sessions/1/evidence/1.jpg", 404),  # of a class without crops
    "reviews.page": for_staff("/sessions/1/reviews/1"),
    "reviews.settle": for_staff("POST /sessions/1/reviews/1", 400),
    "students.listing": for_lists("/students"),
    "students.page": for_staff("/students/S-1"),
    "students.photo": for_staff("/students/S-1/photos/1.jpg", 404),  # there is none yet
    "students.form": for_office("/registration"),
    "students.register": for_office("POST /registration", 400),
    "students.add_photo": for_office("POST /students/S-1/photos", 400),
    "students.remove_photo": for_office("POST /students/S-1/photos/1/remove", 404),
    "students.agree": for_office("POST /students/S-1/consent", 400),
    "students.withdraw": for_office("POST /students/S-1/consent/withdraw", 400),
    "students.remove": for_office("POST /students/S-1/remove", 400),
    "faces.listing": for_lists("/faces"),
    "faces.remove": for_office("POST /faces/nothing/remove", 404),
    "pictures.listing": for_lists("/pictures"),
    "pictures.page": for_staff("/sessions/1/picture"),
    "pictures.take": for_staff("POST /sessions/1/picture", 400),
    "queue.page": for_lists("/reviews"),
    "queue.answer": for_staff("POST /sessions/1/reviews/1/answer", 400),
    "queue.confirm": for_staff("POST /reviews/confirm", 400, elsewhere=400),  # nothing is ticked
    "queue.roster": for_staff("/sessions/1/roster.json?q=a"),
    "me.page": Row("/me", 302, 200, 200, 403, 403, 403, 403, 302),
    "me.session": Row("/me/sessions/1", 302, 200, 200, 403, 403, 403, 403, 302),
    "me.dispute": Row("POST /me/sessions/1", 401, 400, 400, 403, 403, 403, 403, 401),
    "me.crop": Row("/me/evidence/1.jpg", 302, 404, 404, 403, 403, 403, 403, 302),
    "mine.page": Row("/me/data", 302, 200, 200, 403, 403, 403, 403, 302),
    "mine.consent": Row("POST /me/data/consent", 401, 400, 400, 403, 403, 403, 403, 401),
    "mine.withdraw": Row("POST /me/data/withdrawal", 401, 400, 400, 403, 403, 403, 403, 401),
    "mine.download": Row("/me/data/download", 302, 200, 200, 403, 403, 403, 403, 302),
    "mine.ask": Row("POST /me/data/erasure", 401, 400, 400, 403, 403, 403, 403, 401),
    "erasures.listing": Row("/students/erasures", 302, 404, 404, 403, 403, 200, 200, 302),
    "erasures.settle": Row("POST /students/erasures/1", 401, 404, 404, 403, 403, 400, 400, 401),
    "login.leave": Row("POST /logout", 401, 302, 302, 302, 302, 302, 302, 401),  # last, for it ends the visit
}
CALLERS = {
    "nobody": None,
    "student": STUDENT_A,
    "other_student": STUDENT_B,
    "instructor": INSTRUCTOR,
    "other_instructor": OTHER_INSTRUCTOR,
    "staff": STAFF,
    "admin": ADMIN,
    "agent": None,
}


def test_the_table_names_every_route(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == TABLE.keys()


@pytest.mark.parametrize("caller", CALLERS)
def test_each_route_opens_to_those_it_is_for(
    app: Flask, browser: Browser, database: Database, meeting: int, caller: str
) -> None:
    email = CALLERS[caller]
    if email is not None:
        browser.sign_in(email)
    headers = {"Authorization": f"Bearer {agent_token(database)}"} if caller == "agent" else {}
    app.config["WTF_CSRF_ENABLED"] = False
    found = {}
    for endpoint, row in TABLE.items():
        method, path = row.path.split() if " " in row.path else ("GET", row.path)
        answer = browser.client.open(path, method=method, buffered=True, headers=headers)
        found[endpoint] = answer.status_code
        if email is None and answer.status_code == 302:
            assert answer.location.startswith("/login")
    assert found == {endpoint: getattr(row, caller) for endpoint, row in TABLE.items()}


def agent_token(database: Database) -> str:
    token = new_token()
    with database.writing() as writing:
        user, course = find_user(writing, INSTRUCTOR), find_course(writing, COURSE)
        assert user is not None
        add_token(writing, "Room 7", hash_token(token), ["observations"], user, course)
    return token


def test_only_the_login_page_and_static_files_are_public(app: Flask) -> None:
    public = {endpoint for endpoint, view in app.view_functions.items() if roles_of(view) is PUBLIC}
    assert public == {"static", "login.form", "login.enter"}


def test_every_view_says_whom_it_is_for(app: Flask) -> None:
    silent = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if (roles_of(view) is None) == (scope_of(view) is None)
    }
    assert not silent


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
