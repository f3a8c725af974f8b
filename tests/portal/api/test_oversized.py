"""Values that no ledger can hold are refused, and break nothing."""

import base64
import json

import pytest

from db.database import Database
from tests.portal.accounts.conftest import user_of
from tests.portal.api.conftest import Program
from tests.portal.cast import ADMIN, INSTRUCTOR, STAFF
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
