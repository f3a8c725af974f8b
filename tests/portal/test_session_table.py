"""The attendance table: filtered, edited in place, edited together, and taken back."""

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from werkzeug.test import TestResponse

from db.database import Database
from db.disputes import make_dispute
from db.edits import NewEdit
from db.entries import save_entry
from db.people import find_student
from db.report import session_report
from db.schema import AuditRow, EditRow, EngineCallRow, Enrolment, ReviewRow
from tests.portal.cast import INSTRUCTOR, STAFF, START, STUDENT_A, class_of_sixteen
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def json_of(answer: TestResponse) -> Any:
    return answer.get_json()


def shown(answer: TestResponse) -> list[str]:
    rows = re.findall(r'<tr data-entry="[^"]*"[^>]*?( hidden)?>(.*?)</tr>', answer.text, re.S)
    return [re.findall(r'data-value="([^"]*)"', row)[0] for hidden, row in rows if not hidden]


def statuses(database: Database, session_id: int) -> dict[str, tuple[str, str, int]]:
    with database.reading() as reading:
        lines = session_report(reading, session_id).students
    return {line.student_no: (line.status, line.remark, line.version) for line in lines}


def send(browser: Browser, meeting: int, *rows: str, **values: str) -> TestResponse:
    form = {"csrf_token": browser.token(f"/sessions/{meeting}"), "row": list(rows), "uid": "u1"} | values
    return browser.client.post(f"/sessions/{meeting}/entries", data=form, buffered=True)


def undo(browser: Browser, page: TestResponse) -> TestResponse:
    path = re.search(r'action="(/sessions/\d+/undo)', page.text)
    assert path is not None, "nothing can be undone"
    form = page.text[path.start() :]
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[: form.index("</form>")])
    )
    return browser.client.post(path[1], data=fields, buffered=True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Ada Adams", "Ben Brown"]),
        ("?status=left_early", ["Ben Brown"]),
        ("?q=ádA+adams", ["Ada Adams"]),
        ("?q=s-2", ["Ben Brown"]),
        ("?status=present&q=ben", []),
        ("?status=nonsense", []),
    ],
)
def test_the_table_is_filtered_by_the_address_alone(
    browser: Browser, meeting: int, query: str, names: list[str]
) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{meeting}{query}")
    assert shown(page) == names
    assert f"{len(names)} of 2 students" in text_of(page)
    assert ('id="none-shown" hidden' in page.text) == bool(names)


def test_ticked_rows_are_edited_together_and_the_edit_is_undone(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    answer = send(browser, meeting, "S-1:1", "S-2:1", status="excused", remark="trip", reason="school trip")
    assert (answer.status_code, answer.location) == (302, f"/sessions/{meeting}#attendance")
    assert statuses(database, meeting) == dict.fromkeys(("S-1", "S-2"), ("excused", "trip", 2))
    page = browser.get(answer.location)
    assert "Saved for 2 students." in text_of(page)
    answer = undo(browser, page)
    assert answer.status_code == 302
    page = browser.get(answer.location)
    assert "The edits of 2 students are undone." in text_of(page)
    assert ">Undo<" not in page.text
    assert statuses(database, meeting) == {"S-1": ("present", "", 3), "S-2": ("left_early", "", 3)}
    with database.reading() as reading:
        noted = reading.scalars(select(AuditRow.actor).where(AuditRow.action == "entry.edited")).all()
    assert noted == [INSTRUCTOR] * 4


def test_a_conflict_in_one_row_is_named_and_nothing_typed_is_lost(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(STAFF)
    send(browser, meeting, "S-2:1", status="late", reason="the tram")
    browser.sign_out(f"/sessions/{meeting}")
    browser.sign_in(INSTRUCTOR)
    answer = send(browser, meeting, "S-1:1", "S-2:1", status="excused", reason="school trip", uid="u2")
    assert answer.status_code == 409
    page = text_of(answer)
    assert "Saved for Ada Adams." in page
    assert re.search(
        r"Ben Brown was edited meanwhile: stella@example.edu, .* CET: Late\. Reason: the tram", page
    )
    assert 'name="reason" maxlength="2000" autocomplete="off" required value="school trip"' in answer.text
    assert re.findall(r'value="([^"]+)" checked', answer.text) == ["S-2:2"]
    assert '<option value="excused" selected>' in answer.text
    assert statuses(database, meeting)["S-2"][0] == "late"
    assert undo(browser, answer).status_code == 302
    assert statuses(database, meeting)["S-1"] == ("present", "", 3)


@pytest.mark.parametrize(
    ("rows", "values", "told"),
    [
        (["S-1:1"], {"status": "excused", "reason": " "}, "An edit needs a reason"),
        (["S-1:1"], {"reason": "why not"}, "Choose a status or write a remark"),
        ([], {"status": "excused", "reason": "trip"}, "No row is ticked"),
        (["S-1"], {"status": "excused", "reason": "trip"}, "The form did not arrive whole"),
        (["S-1:1"], {"status": "asleep", "reason": "trip"}, "Status 'asleep' is not known"),
    ],
)
def test_what_cannot_be_saved_is_refused_in_one_line(
    browser: Browser, database: Database, meeting: int, rows: list[str], values: dict[str, str], told: str
) -> None:
    browser.sign_in(INSTRUCTOR)
    answer = send(browser, meeting, *rows, **values)
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert 'class="refused" role="alert"' in answer.text
    assert f'required value="{values["reason"].strip()}"' in answer.text
    assert statuses(database, meeting)["S-1"][2] == 1


def test_an_edit_that_somebody_edited_since_is_not_undone(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    send(browser, meeting, "S-2:1", status="excused", reason="trip")
    page = browser.get(f"/sessions/{meeting}")
    send(browser, meeting, "S-2:2", status="late", reason="no, he came", uid="u2")
    answer = undo(browser, page)
    assert answer.status_code == 409
    assert "Ben Brown was edited meanwhile: you," in text_of(answer)
    assert "no, he came" in text_of(answer)
    assert statuses(database, meeting)["S-2"][0] == "late"


def test_nobody_undoes_what_another_wrote(browser: Browser, database: Database, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    send(browser, meeting, "S-2:1", status="excused", reason="trip")
    browser.sign_out(f"/sessions/{meeting}")
    browser.sign_in(STAFF)
    form = {"csrf_token": browser.token(f"/sessions/{meeting}"), "first": "1", "last": "9"}
    answer = browser.client.post(f"/sessions/{meeting}/undo", data=form)
    assert answer.status_code == 400
    assert "There is nothing of yours to take back here" in text_of(answer)
    assert statuses(database, meeting)["S-2"][0] == "excused"


def in_place(browser: Browser, meeting: int, **values: str) -> TestResponse:
    path = f"/sessions/{meeting}/entries/S-2"
    form = {"csrf_token": browser.token(path), "version": "1", "uid": "x1", "reason": "he told me"} | values
    return browser.client.post(path, data=form, headers={"Accept": "application/json"}, buffered=True)


def test_a_row_is_edited_in_its_place_and_keeps_what_the_form_does_not_have(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    in_place(browser, meeting, joined="09:05", remark="by phone")
    answer = in_place(browser, meeting, status="late", version="2", uid="x2")
    assert answer.status_code == 200
    assert 'data-version="3"' in json_of(answer)["row"]
    assert "status-late" in json_of(answer)["row"]
    assert "Saved for Ben Brown." in json_of(answer)["told"]
    assert "<dd>1</dd>" in json_of(answer)["parts"]["figures"]
    with database.reading() as reading:
        edit = reading.scalars(select(EditRow).order_by(EditRow.id.desc())).first()
    assert edit is not None
    assert (edit.status, f"{edit.joined_at:%H:%M}", edit.remark) == ("late", "08:05", "by phone")


def test_a_conflict_and_a_refusal_are_told_in_the_row(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    in_place(browser, meeting, status="late")
    answer = in_place(browser, meeting, status="absent", uid="x2")
    assert answer.status_code == 409
    assert json_of(answer)["version"] == 2
    assert "Status: Late, before as Gridroll says" in " ".join(json_of(answer)["told"].split())
    answer = in_place(browser, meeting, status="late", version="2", uid="x3")
    assert answer.status_code == 400
    assert "says just that already" in json_of(answer)["refused"]


def test_what_was_saved_before_and_changed_since_is_told_so_and_not_undone(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"/sessions/{meeting}"
    row, rows = {"status": "late"}, {"status": "excused", "reason": "trip", "uid": "u2"}
    in_place(browser, meeting, **row)
    send(browser, meeting, "S-1:1", "S-2:2", **rows)
    saved = browser.get(page)
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-2", "he came", STAFF, status="present"))
    told = json_of(in_place(browser, meeting, **row))["told"]
    assert "Saved for Ben Brown before, and changed since." in told
    assert ">Undo<" not in told

    assert send(browser, meeting, "S-1:1", "S-2:2", **rows).status_code == 302
    again = browser.get(page)
    assert "Saved for 1 student. 1 was saved before and has been changed since." in text_of(again)
    assert send(browser, meeting, "S-2:2", **rows).status_code == 302
    answer = browser.get(page)
    assert "Nothing was changed. 1 was saved before and has been changed since." in text_of(answer)
    assert ">Undo<" not in answer.text
    assert undo(browser, saved).status_code == 409
    assert undo(browser, again).status_code == 302
    assert statuses(database, meeting) == {"S-1": ("present", "", 3), "S-2": ("present", "", 4)}


def test_beside_a_conflict_too_a_row_changed_since_is_not_called_saved(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    sent = {"status": "excused", "reason": "trip"}
    assert send(browser, meeting, "S-1:5", "S-2:1", **sent).status_code == 409
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-2", "he came", STAFF, status="present"))
    answer = send(browser, meeting, "S-1:5", "S-2:1", **sent)
    assert answer.status_code == 409
    assert "Saved before, and changed since: Ben Brown." in text_of(answer)
    assert "Saved for" not in text_of(answer)
    assert ">Undo<" not in answer.text


def test_an_edit_undone_before_and_changed_since_is_told_so(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    send(browser, meeting, "S-2:1", status="excused", reason="trip")
    page = browser.get(f"/sessions/{meeting}")
    undo(browser, page)
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-2", "he came", STAFF, status="present"))
    assert undo(browser, page).status_code == 302
    told = text_of(browser.get(f"/sessions/{meeting}"))
    assert "Nothing was changed. 1 was undone before and has been changed since." in told


def test_one_saved_edit_can_be_undone_from_its_page(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    path = f"/sessions/{meeting}/entries/S-2"
    form = {
        "csrf_token": browser.token(path),
        "version": "1",
        "uid": "x1",
        "status": "late",
        "reason": "tram",
    }
    browser.client.post(path, data=form)
    answer = undo(browser, browser.get(path))
    assert (answer.status_code, answer.location) == (302, path)
    assert "The edit is undone." in browser.get(path).text
    assert statuses(database, meeting)["S-2"] == ("left_early", "", 3)


def test_a_row_tells_what_staff_said_also_where_gridroll_says_the_same(
    browser: Browser, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)

    def said(page: str) -> list[str]:
        return re.findall(r'data-said="([^"]*)"', page)

    assert said(browser.get(f"/sessions/{meeting}").text) == ["", ""]
    send(browser, meeting, "S-1:1", "S-2:1", status="present", reason="I saw both")
    assert said(browser.get(f"/sessions/{meeting}").text) == ["present", "present"]
    answer = in_place(browser, meeting, version="2", status="", uid="u3")
    assert said(json_of(answer)["row"]) == [""]
    send(browser, meeting, "S-1:2", remark="a remark only", reason="to note it", uid="u4")
    assert said(browser.get(f"/sessions/{meeting}").text) == ["present", ""]


def test_neither_page_asks_the_database_more_than_twelve_times(
    browser: Browser, database: Database, meeting: int
) -> None:
    big = class_of_sixteen(database)
    browser.sign_in(INSTRUCTOR)
    in_place(browser, meeting, minutes="20")  # of an entry that staff wrote over more is read
    asked = {}
    for path in (
        f"/sessions/{meeting}",
        f"/sessions/{big}",
        f"/sessions/{meeting}/entries/S-2",
        f"/sessions/{big}/entries/2026-1003",
        f"/sessions/{big}/live.json",
        f"/sessions/{big}/looks.json",
    ):
        browser.get(path)  # the ledger follows now, where it is due
        with counting(database) as sent:
            assert browser.get(path).status_code == 200
        asked[path] = len(sent)
    assert max(asked.values()) <= MOST, asked
    assert asked[f"/sessions/{meeting}"] == asked[f"/sessions/{big}"]


def test_a_session_with_all_that_can_be_asks_no_more_either(
    browser: Browser, database: Database, meeting: int
) -> None:
    """A guest, a dispute, calls that were paid, and a student who left."""
    with database.writing() as writing:
        ada = find_student(writing, "S-1")
        make_dispute(writing, meeting, ada.id, "I was there", STUDENT_A)
        writing.add(
            EngineCallRow(
                at=START, engine="rekognition", operation="SearchFacesByImage", attempts=1, billed=1,
                price_micros=1000, currency="USD", outcome="ok", session_id=meeting,
            )
        )  # fmt: skip
        writing.execute(delete(Enrolment).where(Enrolment.student_id == find_student(writing, "S-2").id))
    browser.sign_in(INSTRUCTOR)
    browser.get(f"/sessions/{meeting}")  # the ledger follows
    with database.writing() as writing:
        settled = {"state": "guest", "settled_by": STAFF, "settled_at": START}
        writing.execute(update(ReviewRow).where(ReviewRow.kind == "unknown_face").values(**settled))
    page = browser.get(f"/sessions/{meeting}").text
    assert "Ben Brown" in page
    assert "paid." in page
    assert "I was there" in page
    with counting(database) as sent:
        browser.get(f"/sessions/{meeting}")
    assert len(sent) <= MOST


def test_a_running_page_gets_its_figures_again_only_when_they_changed(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    path = f"/sessions/{meeting}/live.json"
    first = browser.get(path)
    assert "of 23 looks balance" in json_of(first)["parts"]["figures"]
    assert json_of(first)["looks"] == 23
    again = browser.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    in_place(browser, meeting, status="late")
    assert browser.client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_the_chart_gets_each_look_with_its_page(browser: Browser, database: Database, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    told = json_of(browser.get(f"/sessions/{meeting}/looks.json"))
    assert [told[name][-1] for name in ("headcount", "identified", "explained")] == [2, 1, 1]
    assert len(told["times"]) == 23
    assert browser.get(told["pages"][-1]).status_code == 200
    with database.reading() as reading:
        assert reading.scalar(select(func.count()).select_from(EditRow)) == 0
