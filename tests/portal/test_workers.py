"""Pages that take long are made by other processes, and nothing is lost with one of those."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from db.database import Database
from db.settings import Settings
from portal import workers
from portal.access import public
from portal.app import furnish
from portal.workers import Workers, takes_long
from tests.portal.cast import ADMIN, STUDENT_A
from tests.portal.conftest import Browser

HERE = "made in the portal's own process"


@contextmanager
def at_work(app: Flask, processes: int = 1) -> Iterator[list[BaseProcess]]:
    """The processes, once they are ready."""
    before = set(multiprocessing.active_children())
    with Workers(app, processes) as made:
        for one in made.ready:
            one.result(timeout=60)
        yield [child for child in multiprocessing.active_children() if child not in before]


def comes_true(condition: Callable[[], bool], patience_s: float = 30.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def told_apart(own_app: Flask) -> Flask:
    """A portal whose own pages of sessions say where they were made; a worker's are the real ones."""
    here = public(takes_long(lambda **_: HERE))
    own_app.view_functions |= {"sessions.page": here, "sessions.listing": here}
    return own_app


@pytest.fixture
def client(told_apart: Flask, meeting: int) -> FlaskClient:
    browser = Browser(told_apart.test_client())
    assert browser.sign_in(ADMIN).status_code == 302
    return browser.client


def test_a_long_page_comes_from_another_process(told_apart: Flask, client: FlaskClient, meeting: int) -> None:
    assert client.get(f"/sessions/{meeting}").text == HERE
    with at_work(told_apart) as processes:
        assert len(processes) == 1
        answer = client.get(f"/sessions/{meeting}?q=ada", buffered=True)
        assert answer.status_code == 200
        assert "Ada Adams" in answer.text
        assert '<tr data-entry="/sessions/' in answer.text
        assert answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"/sessions/{meeting}").text == HERE


def test_a_form_sent_to_it_and_short_pages_stay_here(told_apart: Flask, client: FlaskClient) -> None:
    told_apart.view_functions["courses.page"] = public(lambda **_: HERE)
    with at_work(told_apart):
        assert client.get("/courses/X").text == HERE
        # No process of its own for who asks for the headers alone.
        assert client.head("/sessions").headers["Content-Length"] == str(len(HERE))
        assert client.get("/nothing-there").status_code == 404


def test_a_worker_lets_in_whom_the_portal_does(told_apart: Flask, client: FlaskClient, meeting: int) -> None:
    nobody = told_apart.test_client()
    student = Browser(told_apart.test_client())
    student.sign_in(STUDENT_A)
    with at_work(told_apart):
        turned_away = nobody.get(f"/sessions/{meeting}")
        assert turned_away.status_code == 302
        assert turned_away.headers["Location"].startswith("/login")
        assert student.get(f"/sessions/{meeting}").status_code == 404
        assert student.get("/me").status_code == 200
        token = Browser(client).token("/courses")
        assert client.post("/logout", data={"csrf_token": token}).status_code == 302
        client.set_cookie("gridroll", "replayed")
        assert client.get(f"/sessions/{meeting}").status_code == 302


def test_what_a_page_has_told_once_is_not_told_again(own_app: Flask, meeting: int) -> None:
    browser = Browser(own_app.test_client())
    browser.sign_in(ADMIN)
    page = f"/sessions/{meeting}"
    with at_work(own_app):
        text = browser.get(page).text
        row, uid = (re.findall(rf'name="{name}" value="([^"]+)"', text)[0] for name in ("row", "uid"))
        form = {
            "csrf_token": browser.token(page),
            "uid": uid,
            "row": row,
            "status": "excused",
            "reason": "ill",
        }
        assert browser.client.post(f"{page}/entries", data=form).status_code == 302
        assert "told-undo" in browser.get(page).text
        assert "told-undo" not in browser.get(page).text


def test_pages_are_made_here_where_all_workers_are_busy(told_apart: Flask, client: FlaskClient) -> None:
    with at_work(told_apart), ThreadPoolExecutor(8) as visitors:
        cookie = client.get_cookie("gridroll")
        assert cookie is not None

        def ask(_: int) -> str:
            own = told_apart.test_client()
            own.set_cookie("gridroll", cookie.value)
            return own.get("/sessions").text

        told = list(visitors.map(ask, range(40)))
        assert 0 < told.count(HERE) < 40


def test_a_page_whose_worker_is_killed_is_made_here_and_later_by_another(
    told_apart: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with at_work(told_apart) as (worker,):
        assert client.get("/sessions").text != HERE
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as visitor:
            asked = visitor.submit(lambda: client.get("/sessions").text)
            time.sleep(0.3)
            assert not asked.done()
            os.kill(worker.pid, signal.SIGKILL)
            assert asked.result(timeout=30) == HERE
        # What breaks soon after its start is left alone for a while.
        assert client.get("/sessions").text == HERE
        assert not caplog.records
        monkeypatch.setattr(workers, "REST_S", 0.0)
        assert client.get("/sessions").text == HERE
        assert "started again" in caplog.text
        assert comes_true(lambda: client.get("/sessions").text != HERE)


def test_a_worker_begins_also_while_the_ledger_is_away(
    own_app: Flask, settings: Settings, database: Database, meeting: int
) -> None:
    browser = Browser(own_app.test_client())
    browser.sign_in(ADMIN)
    away = settings.model_copy(update={"database_url": "mysql+pymysql://root@127.0.0.1:1/gridroll"})
    furnish(own_app, away, database)
    with at_work(own_app):
        assert browser.get("/sessions").status_code == 503
    assert browser.get("/sessions").status_code == 200


def test_workers_end_with_the_portal(told_apart: Flask, client: FlaskClient) -> None:
    with at_work(told_apart, 2) as processes:
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert comes_true(lambda: not any(process.is_alive() for process in processes))


def test_a_portal_that_is_killed_leaves_no_worker_behind(
    tmp_path: Path, meeting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = os.environ | {"GRIDROLL_HOME": str(tmp_path), "GRIDROLL_PORTAL_WORKERS": "2"}
    command = [sys.executable, "-c", "from gridroll import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as portal:
        assert portal.stdout is not None
        assert "http://" in portal.stdout.readline()
        assert comes_true(lambda: len(children_of(portal.pid)) >= 2)
        children = children_of(portal.pid)
        portal.kill()
    assert comes_true(lambda: not any(map(runs, children)))


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
