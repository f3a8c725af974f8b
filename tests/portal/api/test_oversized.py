"""Values that no ledger can hold are refused, and break nothing."""

import base64
import json

import pytest

from db.database import Database
from tests.portal.accounts.conftest import user_of
from tests.portal.api.conftest import Program
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, STAFF
from tests.portal.conftest import Browser

HUGE = str(10**30)
HALF = "\ud800"


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize("number", [HUGE, str(2**63), "-1", "0", "x"])
def test_edits_of_no_number_are_not_taken_back(browser: Browser, meeting: int, number: str) -> None:
    browser.sign_in(STAFF)
    form = {"csrf_token": browser.token(f"/sessions/{meeting}"), "first": number, "last": number}
    assert browser.client.post(f"/sessions/{meeting}/undo", data=form).status_code == 400


@pytest.mark.parametrize("number", [HUGE, str(2**63), f"-{HUGE}"])
def test_a_course_of_no_number_is_given_to_nobody(
    browser: Browser, meeting: int, database: Database, number: str
) -> None:
    browser.sign_in(ADMIN)
    form = {"csrf_token": browser.token("/admin/users/new"), "course": number}
    path = f"/admin/users/{user_of(database, INSTRUCTOR).id}/courses"
    assert browser.client.post(path, data=form).status_code in {302, 400}


@pytest.mark.parametrize("number", [HUGE, str(2**63), "0"])
def test_reviews_of_no_session_are_refused(program: Program, number: str) -> None:
    assert program.get(f"/reviews?session_id={number}").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        f"/students?cursor={cursor(HALF)}",
        f"/courses?cursor={cursor(HALF)}",
        f"/sessions?cursor={cursor(HALF, 1)}",
        f"/sessions?cursor={cursor('0001-01-01T00:00:00+14:00', 1)}",
    ],
)
def test_a_cursor_with_what_cannot_be_kept_is_refused(program: Program, path: str) -> None:
    assert program.get(path).status_code == 422


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "utf-16"])
@pytest.mark.parametrize("field", ["reason", "remark", HALF])
def test_half_a_character_is_refused(program: Program, encoding: str, field: str) -> None:
    body = {"status": "late", "reason": "ill", "version": 1, field: f"a{HALF}"}
    text = json.dumps(body, ensure_ascii=encoding == "ascii")
    answer = program.client.put(
        "/api/v1/sessions/1/attendance/S-1",
        data=text.encode(encoding, "surrogatepass"),
        content_type="application/json",
        headers={"Authorization": f"Bearer {program.token}"},
    )
    assert answer.status_code == 422


def test_a_character_of_two_halves_is_one(program: Program) -> None:
    body = {"status": "late", "reason": "\U0001f637", "version": 1}  # escaped, as two surrogates
    assert program.put("/sessions/1/attendance/S-1", body).status_code == 200


@pytest.mark.parametrize("body", ['{"code":' + "[" * 100_000, '{"code": 1' + "0" * 5000 + "}"])
def test_what_nests_too_deep_or_counts_too_far_is_refused(program: Program, body: str) -> None:
    answer = program.client.post(
        "/api/v1/courses",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {program.token}"},
    )
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_moments_outside_all_years_are_refused(program: Program, moment: str) -> None:
    asked = moment.replace("+", "%2B")
    assert program.get(f"/sessions?starts_from={asked}").status_code == 422
    entry = {"status": "excused", "reason": "r", "version": 1, "joined_at": moment}
    assert program.put("/sessions/1/attendance/S-1", entry).status_code == 422
    new = {"course": COURSE, "title": "x", "starts_at": moment, "minutes": 45}
    assert program.post("/sessions", new).status_code == 422


def test_a_session_at_the_end_of_all_years_is_refused(program: Program) -> None:
    new = {"course": COURSE, "title": "x", "starts_at": "9999-12-31T23:59:00Z", "minutes": 45}
    assert program.post("/sessions", new).status_code == 422


@pytest.mark.parametrize("character", ["\0", "\x07", "\b", "\x1b", "\x7f", "\x85", "\x9f"])
@pytest.mark.parametrize("is_escaped", [True, False])
def test_control_characters_are_refused(program: Program, character: str, is_escaped: bool) -> None:
    new = {"course": COURSE, "title": f"a{character}b", "starts_at": "2026-12-01T09:00:00Z", "minutes": 45}
    text = json.dumps(new, ensure_ascii=is_escaped)
    answer = program.client.post(
        "/api/v1/sessions",
        data=text.encode(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {program.token}"},
    )
    assert answer.status_code == 422, answer.text


def test_tabs_line_ends_and_accents_are_taken(program: Program) -> None:
    body = {"status": "late", "reason": "a\tb\r\nc é ü", "version": 1}
    assert program.put("/sessions/1/attendance/S-1", body).status_code == 200
