"""A program that asks the portal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from db.accounts import find_user
from db.database import Database
from db.people import find_course
from db.tokens import SCOPES, add_token
from portal.bearer import hash_token, new_token
from tests.portal.cast import STAFF

EVERY_SCOPE = tuple(scope for scope in SCOPES if scope != "calendar")
"""Of the API; the calendar's stands alone."""


class Program:
    """Sends its token with each request, and JSON."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.token = client, token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        told = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        data = None if body is None else json.dumps(body)
        kind = None if body is None else "application/json"
        return self.client.open(
            address, method=method, data=data, content_type=kind, headers=told, buffered=True
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("PUT", path, body, **headers)


Makes = Callable[..., Program]


@pytest.fixture
def program_of(app: Flask, database: Database) -> Makes:
    """Makes a program with a token of a user (the staff's, if left out) with these scopes (all), for one course (all)."""

    def make(email: str = STAFF, scopes: tuple[str, ...] = EVERY_SCOPE, course: str | None = None) -> Program:
        token = new_token()
        with database.writing() as writing:
            user = find_user(writing, email)
            assert user is not None
            tied = None if course is None else find_course(writing, course)
            add_token(writing, "a program", hash_token(token), scopes, user, tied)
        return Program(app.test_client(), token)

    return make


@pytest.fixture
def program(meeting: int, program_of: Makes) -> Program:
    """With all scopes and all courses, on the ledger of Ada and Ben."""
    assert meeting == 1
    return program_of()
