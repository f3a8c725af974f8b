"""The admins' pages: settings, costs, the audit log and its check, health."""

import csv
import io
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from db.budget import month_of, spend
from db.costs import NewCall, record_call, record_refusals
from db.database import Database
from db.file_lock import file_lock
from db.health import Check, State, Trial
from db.proof.anchor import read_anchor
from db.proof.trail import changes_of
from db.settings import Settings
from portal.admin.bills import month_after, month_before, month_words
from portal.admin.checkup import Checkup
from portal.admin.inspection import Inspection, Inspector
from portal.app import close_app, create_app
from tests.portal.cast import ADMIN, START
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass in 20 s"
        time.sleep(0.01)


def ended(inspector: Inspector) -> Inspection:
    until(lambda: (last := inspector.last()) and last.state != "running")
    last = inspector.last()
    assert last is not None
    return last


def admin(browser: Browser) -> Browser:
    browser.sign_in(ADMIN)
    return browser


# ------------------------------------------------------------------------------------------------ pages


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/settings", "/admin/costs", "/admin/costs.csv", "/admin/audit", "/admin/health"],
)
def test_no_page_asks_the_ledger_much(browser: Browser, database: Database, meeting: int, path: str) -> None:
    admin(browser)
    with counting(database) as said:
        assert browser.get(path).status_code == 200
    assert len(said) <= MOST


def test_settings_are_shown_with_meaning_and_origin_and_without_secrets(
    tmp_path: Path, database: Database, meeting: int
) -> None:
    settings = Settings(home=tmp_path, smtp_url="smtp://ann:hush@mail.example")
    app = create_app(settings, database)
    browser = admin(Browser(app.test_client()))
    page = browser.get("/admin/settings").text
    close_app(app)
    assert "smtp://mail.example" in page
    assert "hush" not in page
    assert "Largest photograph that is decoded, in pixels." in page
    assert "GRIDROLL_MAX_PHOTO_PIXELS" in page
    assert "`" not in page


# ------------------------------------------------------------------------------------------------ costs


@pytest.fixture
def paid(database: Database, meeting: int) -> int:
    with database.writing() as session:
        for session_id, operation in [(meeting, "SearchFacesByImage")] * 3 + [(None, "IndexFaces")]:
            record_call(
                session, NewCall(START, "rekognition", operation, 1, 1, 1000, "ok", session_id), "USD"
            )
            spend(session, "USD", month_of(START), session_id, 1000, held=False)
        record_refusals(session, START, "rekognition", meeting, "USD", 2)
    return meeting


def test_a_months_costs_are_told_by_course_and_by_session(browser: Browser, paid: int) -> None:
    page = admin(browser).get("/admin/costs?month=2026-03").text
    assert "March 2026" in page
    assert "0.004 USD" in page
    assert 'href="/reports/MATH-101"' in page
    assert f'href="/sessions/{paid}"' in page
    assert "No session, as enrolling" in page
    assert "2 searches were not made" in page
    assert 'href="/admin/costs?month=2026-02"' in page


def test_a_months_costs_are_a_file_too(browser: Browser, paid: int) -> None:
    file = admin(browser).get("/admin/costs.csv?month=2026-03")
    rows = list(csv.DictReader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert [(row["operation"], row["billed"]) for row in rows] == [
        ("SearchFacesByImage", "3"),
        ("search", "0"),
        ("IndexFaces", "1"),
    ]
    assert file.headers["Content-Disposition"] == 'attachment; filename="costs-2026-03.csv"'
    assert browser.get("/admin/costs.csv?month=2026-99").location == "/admin/costs?month=2026-99"


def test_a_month_without_calls_and_one_that_is_none_say_so(browser: Browser, paid: int) -> None:
    admin(browser)
    assert "No provider was asked for anything" in browser.get("/admin/costs?month=2025-01").text
    answer = browser.get("/admin/costs?month=March")
    assert answer.status_code == 400
    assert "&#39;March&#39; is no month; write e.g. 2026-11." in answer.text
    assert 'value="March"' in answer.text


def test_a_budget_is_shown_with_what_is_left(tmp_path: Path, database: Database, paid: int) -> None:
    app = create_app(Settings(home=tmp_path, budget_per_month=Decimal("0.01")), database)
    page = admin(Browser(app.test_client())).get("/admin/costs?month=2026-03").text
    close_app(app)
    assert "0.006 USD <span>left of 0.01 USD</span>" in page


def test_months_follow_each_other_over_the_turn_of_the_year() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert [month_before(month) for month in ("2026-01", "2026-03", "2026-12")] == [
        "2025-12",
        "2026-02",
        "2026-11",
    ]
    assert [month_after(month, now) for month in ("2025-12", "2026-02", "2026-03")] == [
        "2026-01",
        "2026-03",
        None,
    ]
    assert month_words("2026-03") == "March 2026"


# ------------------------------------------------------------------------------------------------ audit


def begin_check(app: Flask, browser: Browser) -> Inspector:
    form = {"csrf_token": browser.token("/admin/audit")}
    assert browser.client.post("/admin/audit", data=form).location == "/admin/audit"
    inspector: Inspector = app.extensions["gridroll_office"].inspector
    return inspector


@pytest.fixture
def sound(database: Database, meeting: int) -> None:
    """The cast's faces are rows that nobody put on record."""
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM faces"))


def test_the_chain_is_checked_beside_the_pages_and_the_check_is_on_record(
    app: Flask, browser: Browser, database: Database, sound: None
) -> None:
    admin(browser)
    assert "Nobody has checked the chain from this portal" in browser.get("/admin/audit").text
    found = ended(begin_check(app, browser))
    assert (found.state, found.by, found.rows) == ("sound", ADMIN, found.of)
    page = browser.get("/admin/audit").text
    assert f"{found.rows} rows and {found.records} records are as they were written." in page
    assert found.head in page
    assert f"by {ADMIN}" in page
    assert "Refresh" not in browser.get("/admin/audit").headers
    assert "rows and" in browser.get("/admin").text
    with database.reading() as reading:
        (row,) = changes_of(reading, action="chain.verified")
    assert (row.actor, row.after) == (ADMIN, {"state": "sound", "rows": found.rows, "records": found.records})


def test_what_was_altered_is_named(app: Flask, browser: Browser, database: Database, sound: None) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'mallory@x' WHERE seq = 7"))
    admin(browser)
    found = ended(begin_check(app, browser))
    assert (found.state, found.fault) == (
        "tampered",
        "row 7 was altered: its fields are not what its hash says",
    )
    assert "Row 7 was altered: its fields are not what its hash says." in browser.get("/admin/audit").text


def test_a_chain_without_its_head_is_still_shown(
    app: Flask, browser: Browser, database: Database, sound: None
) -> None:
    admin(browser)
    token = browser.token("/admin/audit")
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    assert "The chain has lost its head" in browser.get("/admin/audit").text
    assert browser.get("/admin").status_code == 200
    assert browser.get("/admin/audit/anchor.json").location == "/admin/audit"
    browser.client.post("/admin/audit", data={"csrf_token": token})
    assert (
        "The check cannot begin: the head of the audit chain is missing" in browser.get("/admin/audit").text
    )


def test_one_check_runs_at_a_time_whichever_program_began_it(
    app: Flask, browser: Browser, settings: Settings, sound: None
) -> None:
    admin(browser)
    with file_lock(settings.home / "audit-check.lock"):
        running = Inspection("running", "ann@x.y", "2026-03-02T08:00:00+00:00", 100, 40)
        fields = {name: getattr(running, name) for name in running.__slots__}
        (settings.home / "audit-check.json").write_text(json.dumps(fields))
        page = browser.get("/admin/audit")
        assert page.headers["Refresh"] == "2"
        assert "40 of 100 rows so far" in page.text
        begin_check(app, browser)
        assert "A check is under way already." in browser.get("/admin/audit").text
    # Whoever held the lock is gone without a word.
    assert "has ended before it was through" in browser.get("/admin/audit").text


def test_a_check_ends_with_its_program(
    settings: Settings, database: Database, sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def slow(session: object, progress: Callable[[int], None]) -> None:
        reached.set()
        assert go_on.wait(10)
        progress(1)

    monkeypatch.setattr("portal.admin.inspection.verify_all", slow)
    inspector = Inspector(database, settings.home)
    assert inspector.start(ADMIN)
    assert reached.wait(10)
    assert not inspector.start(ADMIN)
    closing = threading.Thread(target=inspector.close)
    closing.start()
    go_on.set()
    closing.join(10)
    last = inspector.last()
    assert last is not None
    assert (last.state, last.fault) == ("failed", "the portal was stopped meanwhile")


def test_the_log_is_paged_and_its_head_can_be_kept_elsewhere(
    browser: Browser, tmp_path: Path, meeting: int
) -> None:
    admin(browser)
    page = browser.get("/admin/audit").text
    assert "entry" not in page or "session:1" in page
    anchor = browser.get("/admin/audit/anchor.json")
    file = tmp_path / "anchor.json"
    file.write_bytes(anchor.data)
    assert read_anchor(file).seq > 0
    assert f"{read_anchor(file).hash[:12]}" in page
    assert browser.get("/admin/audit?before=3").text.count('scope="row"') == 2


# ------------------------------------------------------------------------------------------------ health


def test_health_is_checked_when_asked_for_and_shown_from_then_on(
    app: Flask, browser: Browser, meeting: int
) -> None:
    admin(browser)
    assert "Nothing was checked since the portal started" in browser.get("/admin/health").text
    form = {"csrf_token": browser.token("/admin/health")}
    assert browser.client.post("/admin/health", data=form).location == "/admin/health"
    checkup: Checkup = app.extensions["gridroll_office"].checkup
    until(lambda: not checkup.is_running)
    page = browser.get("/admin/health")
    assert "nothing was tried" in page.text
    assert "Refresh" not in page.headers
    assert "Everything works" in browser.get("/admin").text


def works(name: str) -> Trial:
    return name, lambda: [Check(name, State.WORKS, "fine")]


def test_a_check_that_does_not_answer_holds_nothing_up() -> None:
    stuck = threading.Event()

    def hang() -> list[Check]:
        stuck.wait(20)
        return [Check("net", State.WORKS, "at last")]

    def break_down() -> list[Check]:
        raise RuntimeError("a mistake")

    checkup = Checkup(lambda: [works("store"), ("net", hang), ("odd", break_down)], limit_s=0.2)
    for _ in range(2):  # the second finds the first one's trial still hanging, and begins no other
        assert checkup.start()
        assert not checkup.start()
        until(lambda: not checkup.is_running)
        found = checkup.findings
        assert found is not None
        states = {check.name: check.state for check in found.checks}
        assert states == {"store": State.WORKS, "net": State.BROKEN, "odd": State.BROKEN}
        assert "no answer within 0.2 s" in found.checks[1].detail
        assert not found.works
    stuck.set()
    checkup.close()
