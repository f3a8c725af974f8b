"""Every refusal under /api is a problem that a program can read."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from db.database import Database
from db.failures import BusyError
from portal.api.rate import Allowances
from tests.portal.api.conftest import Makes, Program
from tests.portal.cast import ADMIN, INSTRUCTOR, OTHER_INSTRUCTOR
from tests.portal.conftest import Browser

MEDIA_TYPE = "application/problem+json"


def problem(answer: TestResponse) -> dict[str, Any]:
    told = answer.json
    assert answer.content_type == MEDIA_TYPE
    assert told is not None
    assert {"type", "title", "status", "detail"} <= told.keys()
    assert told["status"] == answer.status_code
    assert told["detail"]
    return dict(told)


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "Bearer nothing", "Bearer grl_nobody"])
def test_without_a_token_that_holds_it_is_401_and_says_how(
    app: Flask, meeting: int, header: str | None
) -> None:
    answer = app.test_client().get("/api/v1/sessions", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    problem(answer)


def test_a_cookie_opens_nothing(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    assert browser.client.get("/api/v1/sessions").status_code == 401
    planned = {"course": "MATH-101", "starts_at": "2026-03-09T08:00:00Z", "minutes": 45}
    assert browser.client.post("/api/v1/sessions", json=planned).status_code == 401


def test_a_scope_that_lacks_is_403(meeting: int, program_of: Makes) -> None:
    answer = program_of(scopes=("observations",)).get("/sessions")
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
    problem(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/sessions/1", "/sessions/1/attendance", "/sessions/1/attendance/S-1", "/sessions/1/reviews/1",
        "/sessions/1/report", "/students/S-1", "/courses/MATH-101", "/courses/MATH-101/term",
        "/sessions/1/observations",
    ],
)  # fmt: skip
def test_what_is_not_the_tokens_and_what_is_not_there_are_the_same(
    meeting: int, program_of: Makes, path: str
) -> None:
    assert program_of(INSTRUCTOR).get(path).status_code == 200
    other = program_of(OTHER_INSTRUCTOR)
    there, absent = other.get(path), other.get(path.replace("1", "9"))
    assert (there.status_code, absent.status_code) == (404, 404)
    assert problem(there) == problem(absent)


def test_an_address_that_is_none_and_a_method_that_is_none(program: Program) -> None:
    problem(program.get("/nothing"))
    answer = program.send("DELETE", "/sessions/1", {})
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    problem(answer)


def test_a_body_that_is_not_json_or_no_json_or_too_large(program: Program) -> None:
    told = {"Authorization": f"Bearer {program.token}"}
    form = program.client.post("/api/v1/sessions", data={"course": "MATH-101"}, headers=told)
    assert form.status_code == 415
    problem(form)
    torn = program.client.post("/api/v1/sessions", data="{", content_type="application/json", headers=told)
    assert torn.status_code == 400
    problem(torn)
    large = program.post("/sessions", {"course": "x" * 300_000})
    assert large.status_code == 413
    problem(large)


def test_what_is_wrong_is_told_field_by_field(program: Program) -> None:
    answer = program.post("/sessions", {"starts_at": "2026-03-09T08:00:00", "minutes": 0, "room": 7})
    assert answer.status_code == 422
    errors = problem(answer)["errors"]
    assert {error["field"] for error in errors} == {"course", "starts_at", "minutes", "room"}


def test_a_ledger_that_is_away_is_503_and_says_when_to_come_back(
    program: Program, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object) -> None:
        raise BusyError("the database is away")

    monkeypatch.setattr("portal.api.sessions.sessions_after", away)
    answer = program.get("/sessions")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    problem(answer)


def test_an_error_nobody_expected_is_500_and_tells_nothing_of_the_inside(
    program: Program, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr("portal.api.sessions.sessions_after", broken)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = program.get("/sessions")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    problem(answer)


def test_who_asks_too_often_waits(app: Flask, program: Program) -> None:
    now = [0.0]
    app.extensions["gridroll-api-rate"] = Allowances(3, 1.0, lambda: now[0])
    assert [program.get("/sessions").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = program.get("/sessions")
    assert answer.headers["Retry-After"] == "1"
    problem(answer)
    now[0] = 1.0
    assert program.get("/sessions").status_code == 200


def test_an_allowance_is_each_tokens_own_and_never_more_than_full() -> None:
    now = [0.0]
    allowances = Allowances(2, 10.0, lambda: now[0])
    assert [allowances.wait_s(1) for _ in range(3)] == [0, 0, pytest.approx(0.1)]
    assert allowances.wait_s(2) == 0
    now[0] = 100.0
    assert [allowances.wait_s(1) > 0 for _ in range(3)] == [False, False, True]


def test_pages_keep_their_own_errors(app: Flask) -> None:
    assert app.test_client().get("/nothing").content_type.startswith("text/html")
