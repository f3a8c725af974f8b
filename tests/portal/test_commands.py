"""`gridroll report`, `gridroll serve` and `gridroll user`."""

import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from openpyxl import load_workbook

from db.accounts import find_user
from db.database import Database
from db.errors import GridrollError, NotFoundError
from portal import commands
from portal.access import public
from portal.errors import PortalError
from portal.passwords import check_password
from portal.server import THREADS, make_server
from tests.portal.cast import ADMIN, PASSWORD
from tests.portal.conftest import Browser


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> Path:
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path))
    return tmp_path


def run(command: object, *arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), input=typed, catch_exceptions=True)  # type: ignore[arg-type]


def test_a_report_in_json_is_json_and_nothing_else(home: Path, meeting: int) -> None:
    result = run(commands.report, meeting, "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["session"]["id"] == meeting


def test_a_report_in_a_table_names_everybody(home: Path, meeting: int) -> None:
    result = run(commands.report, meeting)
    assert "Ada Adams" in result.stdout
    assert "Left early" in result.stdout


@pytest.mark.parametrize("kind", ["table", "json", "csv", "xlsx"])
def test_a_report_goes_to_a_file_when_asked(home: Path, meeting: int, kind: str) -> None:
    target, picture = home / f"report.{kind}", home / "timeline.svg"
    result = run(commands.report, meeting, "--format", kind, "--output", target, "--timeline", picture)
    assert (result.exit_code, result.stdout) == (0, "")
    assert target.stat().st_size > 100
    assert picture.read_text().startswith("<svg")


def test_a_workbook_goes_to_a_pipe(home: Path, meeting: int) -> None:
    result = run(commands.report, meeting, "--format", "xlsx")
    assert load_workbook(io.BytesIO(result.stdout_bytes)).sheetnames[0] == "Attendance"


def test_a_file_that_cannot_be_written_is_one_clear_error(home: Path, meeting: int) -> None:
    result = run(commands.report, meeting, "--output", home / "missing" / "report.txt")
    assert isinstance(result.exception, PortalError)


def test_a_session_that_does_not_exist_is_one_clear_error(home: Path) -> None:
    assert isinstance(run(commands.report, 99).exception, NotFoundError)


def test_an_account_made_on_the_command_line_signs_in(home: Path, browser: Browser) -> None:
    result = run(commands.user, "add", "New@Example.edu", "--role", "admin", typed="a long enough one\n")
    assert result.exit_code == 0, result.output
    assert "a long enough one" not in result.output
    assert browser.sign_in("new@example.edu", "a long enough one").status_code == 302


@pytest.mark.parametrize(
    ("typed", "words"),
    [("", "empty"), ("\n", "empty"), ("short\n", "5 characters"), ("x" * 600, "at most 512")],
)
def test_a_bad_password_makes_no_account(home: Path, database: Database, typed: str, words: str) -> None:
    result = run(commands.user, "add", "new@example.edu", "--role", "admin", typed=typed)
    assert isinstance(result.exception, PortalError)
    assert words in str(result.exception)
    with database.reading() as reading:
        assert find_user(reading, "new@example.edu") is None


def test_a_generated_password_is_printed_once_and_works(home: Path, database: Database) -> None:
    result = run(commands.user, "add", "new@example.edu", "--role", "instructor", "--generate")
    password = result.stdout.splitlines()[-1]
    assert len(password) >= 16
    with database.reading() as reading:
        user = find_user(reading, "new@example.edu")
        assert user is not None
        assert check_password(user.password_hash, password).matches


def test_a_role_that_does_not_exist_is_wrong_usage(home: Path) -> None:
    assert run(commands.user, "add", "new@example.edu", "--role", "king").exit_code == 2


def test_a_new_password_ends_the_visits_that_used_the_old_one(
    home: Path, browser: Browser, meeting: int
) -> None:
    browser.sign_in(ADMIN)
    assert run(commands.user, "password", ADMIN, typed="another long one\n").exit_code == 0
    assert browser.get("/sessions").status_code == 401
    assert browser.sign_in(ADMIN, PASSWORD).status_code == 401
    assert browser.sign_in(ADMIN, "another long one").status_code == 302


def test_the_password_of_nobody_cannot_be_changed(home: Path) -> None:
    result = run(commands.user, "password", "nobody@example.edu", typed="another long one\n")
    assert isinstance(result.exception, NotFoundError)


def test_a_server_answers_until_it_is_stopped(app: Flask) -> None:
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    with urllib.request.urlopen(f"{server.url}/login", timeout=10) as answer:
        assert b"Sign in to Gridroll" in answer.read()
    server.stop()
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_more_visitors_than_threads_wait_their_turn_without_a_word_to_the_terminal(
    own_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    visitors = 2 * THREADS
    first_are_in = threading.Barrier(THREADS, timeout=20)
    served = itertools.count()

    def slow() -> str:
        if next(served) < THREADS:
            first_are_in.wait()  # every thread is busy here, so the other visitors have to queue
            time.sleep(0.2)
        return "done"

    server = make_server(own_app, "127.0.0.1", 0)
    own_app.add_url_rule("/slow", view_func=public(slow))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with ThreadPoolExecutor(visitors) as pool:
            asked = pool.map(
                lambda _: urllib.request.urlopen(f"{server.url}/slow", timeout=20), range(visitors)
            )
            assert [answer.read() for answer in asked] == [b"done"] * visitors
    finally:
        server.stop()
        thread.join(20)
    assert [record.getMessage() for record in caplog.records] == []


def test_a_server_stopped_before_it_serves_returns_at_once(app: Flask) -> None:
    server = make_server(app, "127.0.0.1", 0)
    server.stop()
    server.serve()


def test_a_server_that_wakes_up_for_another_reason_while_it_is_stopped_is_stopped(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    trigger = server._server.trigger
    pull = trigger._physical_pull

    def late_pull() -> None:
        pull()  # as a thread does that has finished an answer
        time.sleep(0.3)
        pull()

    monkeypatch.setattr(trigger, "_physical_pull", late_pull)
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("host", "words"), [("127.0.0.1", "in use"), ("no.such.host.invalid", "not known")])
def test_an_address_that_cannot_be_had_is_one_clear_error(app: Flask, host: str, words: str) -> None:
    first = make_server(app, "127.0.0.1", 0)
    try:
        with pytest.raises(GridrollError, match=words):
            make_server(app, host, int(first.url.rsplit(":", 1)[1]))
    finally:
        first.stop()
        first.serve()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_is_and_stops_cleanly(home: Path, meeting: int, number: signal.Signals) -> None:
    program = "from portal.commands import serve; serve(['--port', '0'])"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"GRIDROLL_HOME": str(home)},
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(f"{found[0]}/login", timeout=10) as answer:
                assert answer.status == 200
            process.send_signal(number)
            rest, errors = process.communicate(timeout=20)
        finally:
            process.kill()  # leaving the block waits for the program's end
    assert process.returncode == 0
    assert rest == "The portal has stopped.\n"
    assert errors == ""
