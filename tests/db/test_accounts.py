"""Accounts: the first one, links that set a password, roles, second factors."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from db.accounts import (
    add_first_user,
    add_user,
    begin_sign_in,
    find_sign_in,
    find_user,
    set_active,
    set_password,
)
from db.database import Database
from db.errors import GridrollError
from db.instructors import course_ids_of
from db.password_links import add_link, find_link, use_link
from db.people import RosterLine, enrol, make_course
from db.proof.trail import changes_of
from db.roles import keep_an_admin, set_courses, set_role
from db.schema import SignIn, TokenRow, User
from db.second_factors import add_second_factor, remove_second_factor, take_step
from db.tokens import add_token, find_token
from db.user_lists import PAGE, list_users, user_sheet

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
SUE, ANN, IDA = "sue@x.example", "ann@x.example", "ida@x.example"


def actions(database: Database, user_id: int) -> list[str]:
    with database.reading() as reading:
        return [noted.action for noted in changes_of(reading, f"user:{user_id}")]


def test_of_two_who_make_the_first_account_at_once_one_does(database: Database) -> None:
    def make(number: int) -> bool:
        return database.transact(
            lambda writing: add_first_user(writing, f"a{number}@x.example", "hash") is not None,
            idempotent=False,
        )

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(4))) == 1
    with database.reading() as reading:
        assert reading.scalar(select(func.count()).select_from(User)) == 1


def test_a_link_sets_a_password_once_and_ends_all_else_that_opens_the_account(database: Database) -> None:
    with database.writing() as writing:
        sue = add_user(writing, SUE, "admin", "old")
        begin_sign_in(writing, sue.id, "visit")
        for name in ("first", "second"):
            add_link(writing, sue, name, NOW, HOUR)
    with database.writing() as writing:
        used = use_link(writing, "first", "new", NOW + HOUR / 2)
        assert used is not None
        assert used.password_hash == "new"
    with database.writing() as writing:
        assert use_link(writing, "first", "newer", NOW + HOUR / 2) is None
        assert use_link(writing, "second", "newer", NOW + HOUR / 2) is None
        assert find_sign_in(writing, "visit", HOUR, HOUR) is None
    assert actions(database, sue.id) == ["user.added", "user.password_changed"]


def test_two_who_use_one_link_at_once_set_one_password(database: Database) -> None:
    with database.writing() as writing:
        add_link(writing, add_user(writing, SUE, "admin", "old"), "link", NOW, HOUR)

    def use(number: int) -> bool:
        return database.transact(
            lambda writing: use_link(writing, "link", f"new {number}", NOW) is not None, idempotent=False
        )

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(4))) == 1


@pytest.mark.parametrize("what", ["expired", "deactivated", "password changed", "activated again"])
def test_a_link_is_no_longer_good_when(database: Database, what: str) -> None:
    with database.writing() as writing:
        sue = add_user(writing, SUE, "admin", "old")
        add_link(writing, sue, "link", NOW, HOUR)
        assert find_link(writing, "link", NOW) is not None
        match what:
            case "deactivated":
                set_active(writing, sue, False)
            case "activated again":
                set_active(writing, sue, False)
                set_active(writing, sue, True)
            case "password changed":
                set_password(writing, sue, "new")
        writing.flush()
        writing.expire_all()
        assert find_link(writing, "link", NOW + HOUR if what == "expired" else NOW) is None


def test_a_password_change_can_keep_one_visit(database: Database) -> None:
    with database.writing() as writing:
        sue = add_user(writing, SUE, "admin", "old")
        for visit in ("here", "there"):
            begin_sign_in(writing, sue.id, visit)
        set_password(writing, sue, "new", SUE, keep="here")
    with database.reading() as reading:
        held = {row.token_hash: row.ended_at is None for row in reading.scalars(select(SignIn))}
    assert held == {"here": True, "there": False}


def test_a_new_role_ends_visits_and_what_only_the_old_one_had(database: Database) -> None:
    with database.writing() as writing:
        course = make_course(writing, "BIO", "UTC")
        enrol(writing, course, [RosterLine("S1", "Ida", IDA, "", "")])
        ida = add_user(writing, IDA, "instructor", "hash")
        assert set_courses(writing, ida, {course.id}) == 1
        add_token(writing, "Agent", "t" * 64, ["observations"], ida)
        begin_sign_in(writing, ida.id, "visit")
        assert set_role(writing, ida, "student", SUE, "graduated to studying")
        assert not set_role(writing, ida, "student", SUE)
        assert (ida.role, ida.student_id) == ("student", 1)
    with database.reading() as reading:
        assert course_ids_of(reading, ida.id) == frozenset()
        assert find_token(reading, "t" * 64, NOW) is None
        assert find_sign_in(reading, "visit", HOUR, HOUR) is None
        assert reading.scalars(select(TokenRow.revoked_at)).one() is not None
    assert "user.role_changed" in actions(database, ida.id)
    with database.writing() as writing:
        again = find_user(writing, IDA)
        assert again is not None
        set_role(writing, again, "staff", SUE)
        assert again.student_id is None


@pytest.mark.parametrize(("role", "words"), [("king", "not known"), ("student", "no student has")])
def test_a_role_that_cannot_be_changes_nothing(database: Database, role: str, words: str) -> None:
    with database.writing() as writing:
        sue = add_user(writing, SUE, "staff", "hash")
        with pytest.raises(GridrollError, match=words):
            set_role(writing, sue, role)
        assert sue.role == "staff"


def test_there_is_always_an_admin_who_can_sign_in(database: Database) -> None:
    with database.writing() as writing:
        sue, ann = (add_user(writing, email, "admin", "hash") for email in (SUE, ANN))
        keep_an_admin(writing, sue)
        set_active(writing, ann, False)
        writing.flush()
        with pytest.raises(GridrollError, match="last admin"):
            keep_an_admin(writing, sue)
        keep_an_admin(writing, ann)


def test_two_admins_who_demote_each_other_at_once_leave_one(database: Database) -> None:
    with database.writing() as writing:
        ids = [add_user(writing, email, "admin", "hash").id for email in (SUE, ANN)]

    def demote(user_id: int) -> bool:
        def work(writing):  # type: ignore[no-untyped-def]
            user = writing.get(User, user_id)
            keep_an_admin(writing, user)
            return set_role(writing, user, "staff")

        try:
            return bool(database.transact(work, idempotent=False))
        except GridrollError:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(demote, ids)) == 1


def test_a_code_is_taken_once_and_none_before_it(database: Database) -> None:
    with database.writing() as writing:
        sue = add_user(writing, SUE, "admin", "hash")
        assert add_second_factor(writing, sue, "sealed", 100)
        assert not add_second_factor(writing, sue, "other", 100)
    taken = []
    for step in (100, 102, 102, 101, 103):
        with database.writing() as writing:
            taken.append(take_step(writing, sue.id, step))
    assert taken == [False, True, False, False, True]
    with database.writing() as writing:
        found = find_user(writing, SUE)
        assert found is not None
        assert remove_second_factor(writing, found, ANN, "lost")
        assert not remove_second_factor(writing, found, ANN)
    assert actions(database, sue.id)[1:] == ["user.second_factor_added", "user.second_factor_removed"]


def test_lists_of_accounts_are_paged_searched_and_filtered(sqlite_database: Database) -> None:
    with sqlite_database.writing() as writing:
        course = make_course(writing, "BIO", "UTC")
        enrol(writing, course, [RosterLine("S1", "Óscar O%dd", IDA, "", "")])
        add_user(writing, IDA, "student", "hash")
        sue = add_user(writing, SUE, "admin", "hash", name="Sue Stone")
        begin_sign_in(writing, sue.id, "visit")
        for number in range(PAGE):
            add_user(writing, f"z{number:02}@x.example", "staff", "hash")
        last = add_user(writing, "last@x.example", "instructor", "hash")
        add_link(writing, last, "link", NOW, HOUR)
        set_active(writing, last, True)
    with sqlite_database.reading() as reading:
        whole = list_users(reading, NOW)
        assert (whole.found, whole.pages, len(whole.lines)) == (PAGE + 3, 2, PAGE)
        assert [line.email for line in list_users(reading, NOW, number=99).lines][
            -1
        ] == f"z{PAGE - 1}@x.example"
        for search, found in (("stone", [SUE]), ("Óscar", [IDA]), ("ÓSCAR", [IDA]), ("o%", [IDA]), ("_", [])):
            assert [line.email for line in list_users(reading, NOW, search).lines] == found, search
        assert [line.email for line in list_users(reading, NOW, role="admin").lines] == [SUE]
        assert list_users(reading, NOW, active=False).found == 0
        by_email = {line.email: line for line in whole.lines}
        assert by_email[SUE].last_seen_at is not None
        assert (by_email[IDA].name, by_email[IDA].last_seen_at) == ("Óscar O%dd", None)
        assert by_email["last@x.example"].invited
        assert not user_sheet(reading, last.id, NOW + HOUR).line.invited
