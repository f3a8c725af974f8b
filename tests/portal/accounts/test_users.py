"""Admins look after accounts."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from db.accounts import add_user, find_user
from db.database import Database
from db.instructors import course_ids_of
from db.proof.trail import changes_of
from db.schema import Course, User
from tests.portal.accounts.conftest import asked_of, carried, give_factor, user_of
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, OTHER_COURSE, PASSWORD_HASH, STAFF, STUDENT_A
from tests.portal.conftest import Browser
from tests.portal.statements import MOST

pytestmark = pytest.mark.usefixtures("meeting")

NEW, CARLA = "another horse battery", "carla@example.edu"


@pytest.fixture
def admin(browser: Browser) -> Browser:
    browser.sign_in(ADMIN)
    return browser


def path_of(database: Database, email: str) -> str:
    return f"/admin/users/{user_of(database, email).id}"


def send(admin: Browser, path: str, **form: str | list[str]) -> tuple[int, str]:
    answer = admin.client.post(path, data={"csrf_token": admin.token("/admin/users/new"), **form})
    return answer.status_code, answer.text


def last(database: Database) -> tuple[str, str, str]:
    with database.reading() as reading:
        noted = changes_of(reading, "user:", limit=1)[0]
    return noted.action, noted.actor, noted.reason


def test_somebody_is_added_by_a_link_with_which_they_set_their_password(
    app: Flask, admin: Browser, other: Browser, database: Database
) -> None:
    with database.reading() as reading:
        ids = {course.code: course.id for course in reading.scalars(select(Course))}
    status, _ = send(
        admin,
        "/admin/users",
        email=f" {CARLA.upper()}",
        name="Carla",
        role="instructor",
        course=[str(ids[OTHER_COURSE])],
    )
    assert status == 302
    assert "/reset/" not in carried(app, admin)
    path = path_of(database, CARLA)
    assert "/reset/" not in admin.get(path_of(database, INSTRUCTOR)).text
    page = admin.get(path).text
    link = re.search(r"/reset/[\w-]+", page)
    assert link is not None
    assert "Invited" in page
    assert "/reset/" not in admin.get(path).text, "it is shown once"
    with database.reading() as reading:
        assert course_ids_of(reading, user_of(database, CARLA).id) == {ids[OTHER_COURSE]}
    form = {"csrf_token": other.token(link[0]), "password": NEW, "again": NEW}
    assert other.client.post(link[0], data=form).location == "/login"
    assert other.sign_in(CARLA, NEW).location == "/"
    page = admin.get(path).text
    assert "Invited" not in page
    assert "last seen" in page


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"email": ADMIN}, "already"),
        ({"email": "carla"}, "no e-mail address"),
        ({"role": "king"}, "not known"),
        ({"role": "student"}, "no student has"),
        ({"name": "x" * 201}, "at most 200"),
    ],
)
def test_an_account_that_cannot_be_keeps_what_was_typed(
    admin: Browser, database: Database, changed: dict[str, str], words: str
) -> None:
    form = {"email": CARLA, "name": "Carla", "role": "staff"} | changed
    status, page = send(admin, "/admin/users", **form)
    assert status == 400
    assert words in page.lower()
    assert f'value="{form["email"]}"' in page
    with database.reading() as reading:
        assert find_user(reading, CARLA) is None


def test_a_role_is_changed_with_a_note_of_who_and_why(admin: Browser, database: Database) -> None:
    path = path_of(database, INSTRUCTOR)
    assert send(admin, f"{path}/role", role="staff", reason="new job")[0] == 302
    assert user_of(database, INSTRUCTOR).role == "staff"
    assert last(database) == ("user.role_changed", ADMIN, "new job")
    assert f"{INSTRUCTOR} is staff now." in admin.get(path).text
    assert send(admin, f"{path}/role", role="student")[0] == 400
    assert user_of(database, INSTRUCTOR).role == "staff"


def test_a_link_to_pass_on_cannot_be_read_in_the_cookie(
    app: Flask, admin: Browser, database: Database
) -> None:
    path = path_of(database, INSTRUCTOR)
    assert send(admin, f"{path}/link")[0] == 302
    assert "/reset/" not in carried(app, admin)
    assert "/reset/" in admin.get(path).text
    assert "/reset/" not in admin.get(path).text


def test_the_courses_of_an_instructor_are_given_and_taken(admin: Browser, database: Database) -> None:
    path, user_id = path_of(database, INSTRUCTOR), user_of(database, INSTRUCTOR).id
    with database.reading() as reading:
        ids = {course.code: course.id for course in reading.scalars(select(Course))}
    for course, held in (
        (list(map(str, ids.values())), set(ids.values())),
        ([], set()),
        (["x", "999"], set()),
    ):
        assert send(admin, f"{path}/courses", course=course)[0] == 302
        with database.reading() as reading:
            assert course_ids_of(reading, user_id) == held
    assert send(admin, f"{path_of(database, STAFF)}/courses", course=[str(ids[COURSE])])[0] == 400


def test_somebody_is_let_in_no_more_and_again(admin: Browser, other: Browser, database: Database) -> None:
    path = f"{path_of(database, STUDENT_A)}/state"
    status, page = send(admin, path, active="no")
    assert (status, "A reason is missing" in page) == (400, True)
    assert send(admin, path, active="no", reason="left")[0] == 302
    assert last(database) == ("user.deactivated", ADMIN, "left")
    assert other.sign_in(STUDENT_A).status_code == 401
    assert send(admin, path.replace("/state", "/link"))[0] == 400
    assert send(admin, path, active="yes")[0] == 302
    assert other.sign_in(STUDENT_A).status_code == 302


def test_the_last_admin_cannot_shut_everybody_out(admin: Browser, database: Database) -> None:
    path = path_of(database, ADMIN)
    for action, form in (("role", {"role": "staff"}), ("state", {"active": "no", "reason": "holidays"})):
        status, page = send(admin, f"{path}/{action}", **form)
        assert status == 400
        assert f">{ADMIN} is the last admin who can sign in; make somebody else an admin first.<" in page
        assert (user_of(database, ADMIN).role, user_of(database, ADMIN).active) == ("admin", True)
    assert send(admin, f"{path_of(database, STAFF)}/role", role="admin")[0] == 302
    assert send(admin, f"{path}/role", role="staff")[0] == 302
    assert admin.get("/admin/users").status_code == 401


def test_a_lost_second_factor_is_removed_with_a_reason(
    app: Flask, admin: Browser, database: Database
) -> None:
    give_factor(app, database, STUDENT_A)
    path = path_of(database, STUDENT_A)
    assert "Remove it" in admin.get(path).text
    assert send(admin, f"{path}/second-factor/remove")[0] == 400
    assert send(admin, f"{path}/second-factor/remove", reason="she was here, with her card")[0] == 302
    assert user_of(database, STUDENT_A).totp_secret is None
    assert last(database) == ("user.second_factor_removed", ADMIN, "she was here, with her card")


def test_the_list_is_searched_filtered_and_turned_over(admin: Browser, database: Database) -> None:
    assert "Show all" in admin.get("/admin/users?q=nobody+there").text
    page = admin.get("/admin/users?q=adams&role=student&state=active").text
    assert STUDENT_A in page
    assert INSTRUCTOR not in page
    assert admin.get("/admin/users?role=king&state=x&page=many").status_code == 200
    assert admin.get("/admin/users?page=-3").status_code == 200
    with database.writing() as writing:
        for number in range(60):
            add_user(writing, f"z{number}@example.edu", "staff", PASSWORD_HASH)
    assert "page=2" in admin.get("/admin/users").text
    assert 'rel="prev" href="/admin/users"' in admin.get("/admin/users?page=2").text


def test_pages_ask_the_ledger_no_more_often_for_more_users(
    app: Flask, admin: Browser, database: Database
) -> None:
    paths = ("/admin/users", "/admin/users?q=a&role=staff", path_of(database, INSTRUCTOR), "/admin/users/new")
    few = [asked_of(database, admin, path) for path in paths]
    with database.writing() as writing:
        for number in range(100):
            add_user(writing, f"a{number}@example.edu", "staff", PASSWORD_HASH)
            writing.add(Course(code=f"C-{number}"))
    many = [asked_of(database, admin, path) for path in paths]
    assert many == few
    assert max(many) <= MOST


def test_an_account_that_is_not_there_is_not_found(admin: Browser, database: Database) -> None:
    for method, path in (("GET", "/admin/users/999"), ("POST", "/admin/users/999/role")):
        form = {"csrf_token": admin.token("/admin/users/new"), "role": "staff"}
        assert admin.client.open(path, method=method, data=form).status_code == 404
    with database.reading() as reading:
        assert len(reading.scalars(select(User)).all()) == 6
