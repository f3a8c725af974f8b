"""Who may open what: every route, for everybody."""

from collections.abc import Collection
from typing import NamedTuple

import pytest
from flask import Flask

from db.accounts import find_user
from db.database import Database
from db.people import find_course
from db.tokens import SCOPES, add_token
from portal.access import PUBLIC, roles_of, scope_of
from portal.bearer import hash_token, new_token
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_COURSE,
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


def for_everybody(path: str, done: int = 200) -> Row:
    """Where everybody who signs in finds what is theirs."""
    nobody = 401 if path.startswith("POST ") else 302
    return Row(path, nobody, done, done, done, done, done, done, nobody)


def for_lists(path: str) -> Row:
    """Where every instructor sees what is theirs."""
    return for_staff(path, elsewhere=200)


def for_programs(path: str, agent: int = 403) -> Row:
    """Nobody's cookie opens it. `agent`: what a token for observations gets."""
    return Row(path, 401, 401, 401, 401, 401, 401, 401, agent)


def for_admins(path: str, done: int = 200) -> Row:
    nobody = 401 if path.startswith("POST ") else 302
    return Row(path, nobody, 404, 404, 403, 403, 403, done, nobody)


TABLE = {
    "static": Row("/static/gridroll.css", *[200] * 8),
    "login.form": Row("/login", 200, 302, 302, 302, 302, 302, 302, 200),
    "login.enter": Row("POST /login", *[401] * 8),  # the form without an account
    "login.code_form": Row("/login/code", *[302] * 8),  # the password comes first
    "login.try_code": Row("POST /login/code", *[401] * 8),
    "recovery.forgot_form": Row("/forgot", *[200] * 8),
    "recovery.forgot": Row("POST /forgot", *[200] * 8),  # this portal sends no mail, which it says
    "recovery.reset_form": Row("/reset/guessed", *[404] * 8),
    "recovery.reset": Row("POST /reset/guessed", *[404] * 8),
    "setup.form": Row("/setup/guessed", *[404] * 8),
    "setup.make": Row("POST /setup/guessed", *[404] * 8),
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
    "account.page": for_everybody("/account"),
    "account.change_password": for_everybody("POST /account/password", 400),
    "account.end_others": for_everybody("POST /account/sign-ins/end", 302),
    "account.factor_form": for_everybody("/account/second-factor"),
    "account.add_factor": for_everybody("POST /account/second-factor", 400),
    "account.remove_factor": for_everybody("POST /account/second-factor/remove", 400),
    "users.listing": for_admins("/admin/users"),
    "users.new": for_admins("/admin/users/new"),
    "users.add": for_admins("POST /admin/users", 400),
    "users.page": for_admins("/admin/users/1"),
    "users.change_role": for_admins("POST /admin/users/1/role", 400),
    "users.change_courses": for_admins("POST /admin/users/1/courses", 400),
    "users.change_state": for_admins("POST /admin/users/1/state", 400),
    "users.give_link": for_admins("POST /admin/users/1/link", 302),
    "users.remove_factor": for_admins("POST /admin/users/1/second-factor/remove", 400),
    "tokens.listing": for_admins("/admin/tokens"),
    "tokens.new": for_admins("/admin/tokens/new"),
    "tokens.add": for_admins("POST /admin/tokens", 400),
    "tokens.revoke": for_admins("POST /admin/tokens/1/revoke", 400),
    "tokens.own": for_lists("/account/tokens"),
    "tokens.new_own": for_lists("/account/tokens/new"),
    "tokens.add_own": for_staff("POST /account/tokens", 400, elsewhere=400),
    "tokens.revoke_own": for_staff("POST /account/tokens/99/revoke", 404),  # nobody’s
    "api_sessions.listing": for_programs("/api/v1/sessions"),
    "api_sessions.plan": for_programs("POST /api/v1/sessions"),
    "api_sessions.one": for_programs("/api/v1/sessions/1"),
    "api_attendance.listing": for_programs("/api/v1/sessions/1/attendance"),
    "api_attendance.one": for_programs("/api/v1/sessions/1/attendance/S-1"),
    "api_attendance.write": for_programs("PUT /api/v1/sessions/1/attendance/S-1"),
    "api_reviews.listing": for_programs("/api/v1/reviews"),
    "api_reviews.one": for_programs("/api/v1/sessions/1/reviews/1"),
    "api_reviews.settle": for_programs("POST /api/v1/sessions/1/reviews/1/settlement"),
    "api_people.students": for_programs("/api/v1/students"),
    "api_people.student": for_programs("/api/v1/students/S-1"),
    "api_people.courses": for_programs("/api/v1/courses"),
    "api_people.course": for_programs(f"/api/v1/courses/{COURSE}"),
    "api_people.add_course": for_programs("POST /api/v1/courses"),
    "api_people.add_student": for_programs(f"POST /api/v1/courses/{COURSE}/students"),
    "api_reports.session": for_programs("/api/v1/sessions/1/report"),
    "api_reports.term": for_programs(f"/api/v1/courses/{COURSE}/term"),
    "api_observations.span": for_programs("/api/v1/sessions/1/observations", 200),
    "api_observations.take": for_programs("POST /api/v1/sessions/1/observations", 415),  # no body at all
    "api.openapi": for_lists("/api/v1/openapi.json"),
    "api.docs": for_lists("/api/v1/docs"),
    "webhooks.listing": for_admins("/admin/webhooks"),
    "webhooks.add": for_admins("POST /admin/webhooks", 400),
    "webhooks.test": for_admins("POST /admin/webhooks/1/test", 404),
    "webhooks.end": for_admins("POST /admin/webhooks/1/end", 404),
    "webhooks.again": for_admins("POST /admin/webhooks/messages/1/again", 404),
    "students.listing": for_lists("/students"),
    "students.page": for_staff("/students/S-1"),
    "students.photo": for_staff("/students/S-1/photos/1.jpg", 404),  # there is none yet
    "students.form": for_office("/registration"),
    "students.register": for_office("POST /registration", 400),
    "students.add_photo": for_office("POST /students/S-1/photos", 400),
    "students.remove_photo": for_office("POST /students/S-1/photos/1/remove", 404),
    "students.agree": for_office("POST /students/S-1/consent", 400),
    "students.withdraw": for_office("POST /students/S-1/consent/withdraw", 400),
    "students.correct": for_office("POST /students/S-1/details", 409),
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
    "reports.page": for_lists("/reports"),
    "reports.course": for_staff("/reports/MATH-101"),
    "reports.turnout": for_staff("/reports/MATH-101/turnout"),
    "reports.report_csv": for_staff("/reports/MATH-101/report.csv"),
    "reports.report_workbook": for_staff("/reports/MATH-101/report.xlsx"),
    "reports.turnout_file": for_staff("/reports/MATH-101/turnout.csv"),
    "reports.moodle_grades_file": for_staff("/reports/MATH-101/moodle-grades.csv"),
    "reports.moodle_term_file": for_staff("/reports/MATH-101/moodle-attendance.csv"),
    "reports.canvas_grades_file": for_staff("/reports/MATH-101/canvas-grades.csv"),
    "reports.moodle_session_file": for_staff("/sessions/1/moodle.csv"),
    "history.page": for_lists("/history"),
    "history.of_session": for_staff("/sessions/1/history"),
    "admin.page": for_admins("/admin"),
    "admin.settings": for_admins("/admin/settings"),
    "admin.costs": for_admins("/admin/costs"),
    "admin.costs_file": for_admins("/admin/costs.csv"),
    "admin.audit": for_admins("/admin/audit"),
    "admin.verify": for_admins("POST /admin/audit", 302),
    "admin.anchor": for_admins("/admin/audit/anchor.json"),
    "admin.health": for_admins("/admin/health"),
    "admin.check_health": for_admins("POST /admin/health", 302),
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
    "courses.listing": for_lists("/courses"),
    "courses.make": for_office("POST /courses", 400),
    "courses.page": for_staff("/courses/MATH-101"),
    "courses.settings": for_staff("/courses/MATH-101/settings"),
    "courses.change": for_office("POST /courses/MATH-101/details", 400),
    "courses.rules": for_staff("POST /courses/MATH-101/rules", 400),
    "courses.add_teacher": for_office("POST /courses/MATH-101/instructors", 400),
    "courses.remove_teacher": for_office("POST /courses/MATH-101/instructors/remove", 302),  # nobody
    "courses.timetable": for_staff("/courses/MATH-101/timetable"),
    "courses.add": for_staff("POST /courses/MATH-101/timetable", 400),
    "courses.slot": for_staff("/courses/MATH-101/timetable/1"),
    "courses.save_slot": for_staff("POST /courses/MATH-101/timetable/1", 400),
    "courses.remove_from_timetable": for_staff("POST /courses/MATH-101/timetable/1/remove", 302),
    "courses.new_session": for_staff("/courses/MATH-101/plan"),
    "courses.plan": for_staff("POST /courses/MATH-101/plan", 400),
    "courses.planned": for_staff("/sessions/1/plan"),
    "courses.change_planned": for_staff("POST /sessions/1/plan", 400),
    "courses.remove_planned": for_staff("POST /sessions/1/remove", 400),  # looks are on record
    "roster.page": for_staff("/courses/MATH-101/roster"),
    "roster.download": for_staff("/courses/MATH-101/roster.csv"),
    "roster.template": for_staff("/courses/MATH-101/roster/template.csv"),
    "roster.preview": for_staff("POST /courses/MATH-101/roster/preview", 400),
    "roster.confirm": for_staff("POST /courses/MATH-101/roster/confirm", 400),
    "roster.member": for_staff("/courses/MATH-101/roster/S-1/remove"),
    "calendar.page": for_everybody("/calendar", 200),
    "calendar.make": for_everybody("POST /calendar", 302),
    "calendar.end": for_everybody("POST /calendar/999/end", 404),
    "calendar.feed": Row("/calendar/grl_nobody-has-this.ics", *[404] * 8),
    "roster.remove": for_staff(
        "POST /courses/MATH-101/roster/S-2/remove", 302
    ),  # late, for it changes who is who
    "login.leave": Row("POST /logout", 401, 302, 302, 302, 302, 302, 302, 401),  # last, for it ends the visit
}


class Scope(NamedTuple):
    """The one scope that opens a route to a program.

    `reaching`: what its token gets, of all courses or of this one; `elsewhere`: what a token of another course gets.
    """

    name: str
    reaching: int = 200
    elsewhere: int = 404


UNNAMED = 415
"""A change without a body, where the course is told in it."""

SCOPE_TABLE = {
    "api_sessions.listing": Scope("sessions", elsewhere=200),
    "api_sessions.plan": Scope("sessions", 415, UNNAMED),
    "api_sessions.one": Scope("sessions"),
    "api_attendance.listing": Scope("attendance"),
    "api_attendance.one": Scope("attendance"),
    "api_attendance.write": Scope("attendance:edit", 415),
    "api_reviews.listing": Scope("reviews", elsewhere=200),
    "api_reviews.one": Scope("reviews"),
    "api_reviews.settle": Scope("reviews:edit", 415),
    "api_people.students": Scope("students", elsewhere=200),
    "api_people.student": Scope("students"),
    "api_people.courses": Scope("students", elsewhere=200),
    "api_people.course": Scope("students"),
    "api_people.add_course": Scope("students:edit", 415, UNNAMED),
    "api_people.add_student": Scope("students:edit", 415),
    "api_reports.session": Scope("reports"),
    "api_reports.term": Scope("reports"),
    "api_observations.span": Scope("observations"),
    "api_observations.take": Scope("observations", 415),
}
"""Changes are sent without a body, which is looked at last: 415 is for whoever was let in."""

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
    token = token_of(database, INSTRUCTOR, ["observations"], COURSE) if caller == "agent" else None
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    app.config["WTF_CSRF_ENABLED"] = False
    found = {}
    for endpoint, row in TABLE.items():
        method, path = row.path.split() if " " in row.path else ("GET", row.path)
        answer = browser.client.open(path, method=method, buffered=True, headers=headers)
        found[endpoint] = answer.status_code
        if email is None and answer.status_code == 302:
            assert answer.location.startswith("/login")
    assert found == {endpoint: getattr(row, caller) for endpoint, row in TABLE.items()}


def token_of(database: Database, email: str, scopes: Collection[str], course: str | None) -> str:
    token = new_token()
    with database.writing() as writing:
        user = find_user(writing, email)
        assert user is not None
        tied = None if course is None else find_course(writing, course)
        add_token(writing, "a program", hash_token(token), scopes, user, tied)
    return token


def test_the_table_of_scopes_names_every_route_for_programs(app: Flask) -> None:
    assert {endpoint for endpoint, view in app.view_functions.items() if scope_of(view)} == SCOPE_TABLE.keys()
    # Those of links and webhooks open no address to a token in a header.
    assert SCOPES.keys() - {scope.name for scope in SCOPE_TABLE.values()} == {"calendar"}


@pytest.mark.parametrize(
    ("email", "course", "reaches"),
    [
        (STAFF, None, True),
        (STAFF, COURSE, True),
        (INSTRUCTOR, None, True),
        (INSTRUCTOR, COURSE, True),
        (STAFF, OTHER_COURSE, False),
        (OTHER_INSTRUCTOR, None, False),
        (INSTRUCTOR, OTHER_COURSE, False),  # tied to what its user does not teach
    ],
)
def test_each_route_for_programs_opens_to_its_scope_and_to_whoever_reaches_the_course(
    app: Flask, database: Database, meeting: int, email: str, course: str | None, reaches: bool
) -> None:
    fit = {name: token_of(database, email, [name], course) for name in SCOPES}
    unfit = {name: token_of(database, email, SCOPES.keys() - {name, "calendar"}, course) for name in SCOPES}
    client, found = app.test_client(), {}

    def status(path: str, token: str) -> int:
        method, path = path.split() if " " in path else ("GET", path)
        headers = {"Authorization": f"Bearer {token}"}
        return client.open(path, method=method, buffered=True, headers=headers).status_code

    for endpoint, scope in SCOPE_TABLE.items():
        path = TABLE[endpoint].path
        found[endpoint] = status(path, fit[scope.name]), status(path, unfit[scope.name])
    assert found == {
        endpoint: (scope.reaching if reaches else scope.elsewhere, 403)
        for endpoint, scope in SCOPE_TABLE.items()
    }


def test_only_the_login_page_static_files_and_secret_links_are_public(app: Flask) -> None:
    public = {endpoint for endpoint, view in app.view_functions.items() if roles_of(view) is PUBLIC}
    doors = {"form", "enter", "code_form", "try_code"}
    keys = {"recovery.forgot_form", "recovery.forgot", "recovery.reset_form", "recovery.reset"}
    setup = {"setup.form", "setup.make", "calendar.feed"}
    assert public == {"static", *(f"login.{door}" for door in doors), *keys, *setup}


def test_every_view_says_whom_it_is_for(app: Flask) -> None:
    silent = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if (roles_of(view) is None) == (scope_of(view) is None)
    }
    assert not silent


@pytest.mark.parametrize("email", [None, STUDENT_A, ADMIN])
def test_a_view_that_declares_nothing_is_open_to_nobody(
    own_app: Flask, meeting: int, email: str | None
) -> None:
    own_app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    browser = Browser(own_app.test_client())
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
    assert {browser.get(path).status_code for path in paths} == {404}
    assert len({browser.plain(path) for path in paths}) == 1


@pytest.mark.parametrize("number", ["0", "999", str(2**63 - 1), str(2**63), "9" * 40, "x", "1.5"])
def test_a_session_that_does_not_exist_is_a_page_that_says_so(
    browser: Browser, meeting: int, number: str
) -> None:
    browser.sign_in(ADMIN)
    answer = browser.get(f"/sessions/{number}")
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
