"""Editing an entry in the portal: what is shown, kept, refused, and told to the second of two editors."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from db.database import Database
from db.edits import NewEdit
from db.entries import entry_sheet, save_entry
from db.looks import NewLook, NewSighting, record_looks
from db.people import enrol, make_course
from db.report import session_report
from db.schema import AuditRow, EditRow
from db.sessions import find_session, start_session
from portal.moments import at_clock
from tests.portal.cast import (
    ADMIN,
    INSTRUCTOR,
    START,
    STUDENT_A,
    STUDENT_B,
    Seen,
    add_accounts,
    index_faces,
    naming,
    record,
    roster_line,
)
from tests.portal.conftest import Browser


@dataclass
class Form:
    """The form of an entry's page as it was loaded, to be filled in and sent."""

    browser: Browser
    path: str
    fields: dict[str, str]

    def send(self, action: str = "save", **values: str) -> TestResponse:
        return self.browser.client.post(
            self.path, data=self.fields | values | {"action": action}, buffered=True
        )


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send of an entry's form if nothing were touched."""
    form = page[page.index('<form class="edit"') :]
    inputs = re.findall(r'<input[^>]* name="(\w+)"[^>]*value="([^"]*)"', form)
    chosen = re.search(r'<option value="(\w+)" selected>', form)
    reason = re.search(r"<textarea[^>]*>([^<]*)</textarea>", form)
    assert reason is not None
    texts = {"status": chosen[1] if chosen else "", "reason": reason[1]}
    return {name: unescape(value) for name, value in (dict(inputs) | texts).items()}


def open_form(browser: Browser, session_id: int, student_no: str) -> Form:
    path = f"/sessions/{session_id}/entries/{student_no}"
    return Form(browser, path, fields_of(browser.get(path).text))


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def edits(database: Database) -> list[EditRow]:
    with database.reading() as reading:
        return list(reading.scalars(select(EditRow).order_by(EditRow.id)))


def line_of(database: Database, session_id: int, student_no: str) -> tuple[str, str, float, str, str]:
    with database.reading() as reading:
        found = {line.student_no: line for line in session_report(reading, session_id).students}
    line = found[student_no]
    return line.status, line.source, round(line.minutes), line.remark, line.machine_status


def test_the_roll_leads_to_each_entry_which_shows_what_gridroll_says(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    assert f'href="/sessions/{meeting}/entries/S-2"' in browser.get(f"/sessions/{meeting}").text
    page = text_of(browser.get(f"/sessions/{meeting}/entries/S-2"))
    for expected in (
        "Ben Brown",
        "S-2 · MATH-101 · Mon 2 Mar 2026, 09:00–09:45 CET",
        "Joined 09:06:00 between 09:03:59 and 09:06:00 –",
        "09:06:00 to 09:24:00 Joined: between 09:03:59 and 09:06:00. Left: between 09:24:00 and 09:26:00.",
        "As Gridroll says (left early)",
        "Nobody has edited this entry.",
    ):
        assert expected in page
    assert "Hand back" not in page


def test_an_edit_outranks_the_machine_and_says_who_made_it_and_why(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    answer = form.send(
        status="present",
        joined="09:01",
        last_seen="09:44:30",
        minutes="42.5",
        remark="by  phone",
        reason="I heard him",
    )
    assert (answer.status_code, answer.location) == (302, form.path)
    page = text_of(browser.get(form.path))
    assert "The entry is saved." in page
    assert (
        "Present, joined 09:01:00, last seen 09:44:30, 42 minutes, remark “by phone” ines@example.edu" in page
    )
    assert "I heard him" in page
    assert "The entry is saved." not in text_of(browser.get(form.path))
    (edit,) = edits(database)
    assert (edit.joined_at, edit.last_seen_at) == (
        START + timedelta(minutes=1),
        START + timedelta(minutes=44, seconds=30),
    )
    assert line_of(database, meeting, "S-2") == ("present", "staff", 42, "by phone", "left_early")
    with database.reading() as reading:
        noted = reading.scalars(select(AuditRow).where(AuditRow.action == "entry.edited")).one()
    assert noted.actor == INSTRUCTOR
    roll = text_of(browser.get(f"/sessions/{meeting}"))
    assert "Staff Gridroll says left early" in roll
    assert "by phone" in roll
    assert "as staff said" in roll  # not: there at the first look


def test_the_form_shows_what_is_in_force_and_what_is_left_empty_is_the_machines_again(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    open_form(browser, meeting, "S-2").send(status="late", joined="09:05:30", minutes="20", reason="saw him")
    form = open_form(browser, meeting, "S-2")
    held = {
        name: form.fields[name] for name in ("status", "joined", "last_seen", "minutes", "reason", "version")
    }
    assert held == {
        "status": "late",
        "joined": "09:05:30",
        "last_seen": "",
        "minutes": "20",
        "reason": "",
        "version": "2",
    }
    assert form.send(joined="", minutes="", reason="the looks know better").status_code == 302
    last = edits(database)[-1]
    assert (last.status, last.joined_at, last.minutes) == ("late", None, None)


def test_handing_back_leaves_all_of_it_to_the_machine(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    open_form(browser, meeting, "S-2").send(status="present", remark="x", reason="wrong row")
    assert open_form(browser, meeting, "S-2").send("hand_back", reason="").status_code == 400
    assert open_form(browser, meeting, "S-2").send("hand_back", reason="my mistake").status_code == 302
    assert line_of(database, meeting, "S-2") == ("left_early", "system", 20, "", "left_early")
    page = text_of(browser.get(f"/sessions/{meeting}/entries/S-2"))
    assert "The entry is Gridroll’s again." in page
    assert "Handed back to Gridroll ines@example.edu" in page


def test_a_form_sent_twice_counts_once(browser: Browser, database: Database, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    for _ in range(3):
        assert form.send(status="present", reason="I heard him").status_code == 302
    assert len(edits(database)) == 1
    with database.reading() as reading:
        assert (
            reading.scalar(
                select(func.count()).select_from(AuditRow).where(AuditRow.action == "entry.edited")
            )
            == 1
        )


def test_a_form_sent_again_after_somebody_elses_edit_does_not_undo_it(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    form.send(status="present", reason="I heard him")
    assert "The entry is saved." in browser.get(form.path).text
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-2", "the note came", ADMIN, status="excused"))
    assert (
        form.send(status="present", reason="I heard him").status_code == 302
    )  # the answer was lost on the way
    assert line_of(database, meeting, "S-2")[0] == "excused"
    assert len(edits(database)) == 2
    answer = browser.get(form.path)
    assert "This was saved before, and the entry has been changed since." in text_of(answer)
    assert "The entry is saved." not in answer.text
    assert ">Undo<" not in answer.text


def test_a_saved_form_changed_and_sent_again_is_another_edit_of_an_old_version(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    form.send(status="present", reason="I heard him")
    answer = form.send(status="late", reason="or did I")  # after the browser's Back
    assert answer.status_code == 409
    assert "You , " in text_of(answer)
    assert len(edits(database)) == 1


def test_the_second_of_two_editors_is_told_what_changed_and_loses_nothing(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    with database.writing() as writing:
        new = NewEdit(meeting, "S-2", "the note came", ADMIN, status="excused", joined_at=START)
        save_entry(writing, new)
    mine = {"status": "present", "minutes": "12.5", "remark": "“quoted”", "reason": "I heard <b>him</b>"}
    answer = form.send(**mine)
    assert answer.status_code == 409
    page = text_of(answer)
    assert "This entry was edited while you had it open" in page
    assert "admin@example.edu , " in page
    assert "Status: Excused, before as Gridroll says; Joined: 09:00:00, before as Gridroll says." in page
    assert "Reason: the note came" in page
    assert "<b>him" not in answer.text
    assert len(edits(database)) == 1
    again = Form(browser, form.path, fields_of(answer.text))
    assert {name: again.fields[name] for name in mine} == mine
    assert again.fields["version"] == "2"
    assert again.send(reason="I heard him").status_code == 302
    assert line_of(database, meeting, "S-2")[:2] == ("present", "staff")


IMPOSSIBLE = (
    ({"status": "asleep", "reason": "x"}, "Status 'asleep' is not known; take one of present, late"),
    ({"status": "late", "reason": " "}, "An edit needs a reason; say why"),
    ({"joined": "25:00", "reason": "x"}, "'25:00' is no time of that day in Europe/Berlin; write e.g. 09:05."),
    ({"joined": "nine", "reason": "x"}, "'nine' is no time"),
    ({"joined": "23:59", "reason": "x"}, "23:59 is not within the class; give a time from 09:00 to 09:45 CET."),
    ({"last_seen": "11:00", "reason": "x"}, "11:00 is not within the class"),
    ({"minutes": "ten", "reason": "x"}, "'ten' is no number of minutes; give 0 to 45."),
    ({"minutes": "1000", "reason": "x"}, "1000 minutes are more than the session's 45; correct them."),
    (
        {"joined": "09:05", "last_seen": "09:10", "minutes": "45", "reason": "x"},
        "45 minutes do not fit between 09:05:00 and 09:10:00; correct them or the times.",
    ),
    ({"minutes": "nan", "reason": "x"}, "A length of nan minutes cannot be"),
    ({"minutes": "-1", "reason": "x"}, "A length of -1 minutes cannot be"),
    ({"remark": "x" * 501, "reason": "x"}, "The remark has 501 characters; at most 500 fit"),
    ({"status": "late", "reason": "x" * 2001}, "The reason has 2001 characters; at most 2000 fit"),
    ({"joined": "09:40", "last_seen": "09:10", "reason": "x"}, "Joined at 09:40:00 and last seen at 09:10:00"),
    ({"joined": "09:30", "reason": "x"}, "Joined at 09:30:00 and last seen at 09:24:00"),  # against the looks
    ({"reason": "x"}, "The entry of Ben Brown says just that already; change something, or leave it."),
    ({"status": "late", "reason": "x", "version": ""}, "The form did not arrive whole"),
    ({"status": "late", "reason": "x", "version": "9" * 30}, "The form did not arrive whole"),
)  # fmt: skip


def test_what_cannot_be_comes_back_with_one_line_and_all_that_was_typed(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    for values, line in IMPOSSIBLE:
        answer = open_form(browser, meeting, "S-2").send(**values)
        assert answer.status_code == 400, values
        assert line in text_of(answer)
        typed = fields_of(answer.text)
        kept = {name: value.strip() for name, value in values.items() if value != "asleep"}
        assert {name: typed[name] for name in kept} == kept
    assert edits(database) == []


def test_a_version_from_the_future_is_a_conflict_with_nobody(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    answer = open_form(browser, meeting, "S-2").send(status="late", reason="x", version="7")
    assert answer.status_code == 409
    assert "It is no longer what your form was made of." in text_of(answer)
    assert fields_of(answer.text)["version"] == "1"


def test_an_untouched_time_keeps_its_microseconds(browser: Browser, database: Database, meeting: int) -> None:
    exact = START + timedelta(minutes=3, microseconds=123_456)
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-2", "x", ADMIN, joined_at=exact, minutes=12.3456789))
    browser.sign_in(INSTRUCTOR)
    assert open_form(browser, meeting, "S-2").send(status="late", reason="y").status_code == 302
    last = edits(database)[-1]
    assert (last.status, last.joined_at, last.minutes) == ("late", exact, 12.3456789)


def test_who_is_not_in_the_course_has_no_entry(browser: Browser, database: Database, meeting: int) -> None:
    with database.writing() as writing:
        enrol(writing, make_course(writing, "OTHER"), [roster_line("S-3", "Cid", "cid@example.edu")])
    browser.sign_in(ADMIN)
    for student_no in ("S-9", "S-3", "%20", "x" * 300):
        assert browser.get(f"/sessions/{meeting}/entries/{student_no}").status_code == 404
    assert browser.get("/sessions/99/entries/S-1").status_code == 404


def test_an_entry_is_not_written_without_the_token_of_its_page(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = open_form(browser, meeting, "S-2")
    assert form.send(status="late", reason="x", csrf_token="").status_code == 400
    assert edits(database) == []


def test_students_see_that_staff_edited_but_not_why(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        new = NewEdit(
            meeting, "S-2", "secret reason", ADMIN, status="excused", joined_at=START, remark="secret remark"
        )
        save_entry(writing, new)
    browser.sign_in(STUDENT_B)
    page = browser.get("/me")
    assert "Edited by staff" in page.text
    assert "Excused" in page.text
    assert "as staff said" in page.text
    for hidden in ("secret", ADMIN):
        assert hidden not in page.text
    browser.sign_out("/me")
    browser.sign_in(STUDENT_A)
    assert "Edited by staff" not in browser.get("/me").text


def test_pages_show_the_ledger_as_it_follows_from_what_is_stored(
    browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        students = enrol(
            writing, make_course(writing, "BIO"), [roster_line("B-1", "Bea Bell", "bea@example.edu")]
        )
        index_faces(writing, students)
        add_accounts(writing, "bea@example.edu")
        rows = [start_session(writing, "BIO", f"Cells {number}", START, 45) for number in range(5)]
        looks = [
            NewLook(
                row.id, "u1", START, START, "headcount", 1, 1, 0,
                (NewSighting("t", (0, 0, 9, 9)),), (naming("t", students[0].id, 97.0),),
            )
            for row in rows
        ]  # fmt: skip
        record_looks(writing, looks)
        ids = [row.id for row in rows]
    browser.sign_in(ADMIN)
    present = 'class="badge-status status-present"'
    assert present in browser.get(f"/sessions/{ids[0]}").text
    assert present in browser.get(f"/sessions/{ids[1]}/entries/B-1").text
    assert ",present," in browser.get(f"/sessions/{ids[2]}/report.csv").text
    browser.sign_out(f"/sessions/{ids[0]}")
    browser.sign_in("bea@example.edu")
    assert browser.get("/me").text.count("fill-present") >= 5


def test_a_late_enrolment_without_an_entry_can_be_given_one(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        course = make_course(writing, "BIO", "Europe/Berlin")
        students = enrol(writing, course, [roster_line("B-1", "Bea Bell", "bea@example.edu")])
        index_faces(writing, students)
        session_id = start_session(writing, "BIO", "Cells", START, 45).id
        late = enrol(writing, course, [roster_line("B-2", "Bob Bond", "bob@example.edu")])
        index_faces(writing, late)
        record(writing, find_session(writing, session_id), [Seen(1, {"t": students[0].id})])
    browser.sign_in(ADMIN)
    form = open_form(browser, session_id, "B-2")
    assert form.send(status="present", minutes="45", reason="sat in as a guest").status_code == 302
    assert line_of(database, session_id, "B-2")[:3] == ("present", "staff", 45)
    assert open_form(browser, session_id, "B-2").send("hand_back", reason="no").status_code == 302
    with database.reading() as reading:
        assert entry_sheet(reading, session_id, "B-2").machine is None


NIGHT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
"""In Berlin the clocks are set back from three to two half an hour later."""


@pytest.mark.parametrize(
    ("text", "near", "zone", "found"),
    [
        ("09:05", START, "Europe/Berlin", START + timedelta(minutes=5)),
        ("09:05:30", START, "Europe/Berlin", START + timedelta(minutes=5, seconds=30)),
        # Over midnight, both ways.
        ("00:10", datetime(2026, 3, 2, 22, 45, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 2, 23, 10, tzinfo=UTC)),
        ("23:50", datetime(2026, 3, 2, 23, 15, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 2, 22, 50, tzinfo=UTC)),
        # Half past two comes twice that night; the nearer one is meant.
        ("02:30", NIGHT, "Europe/Berlin", NIGHT),
        ("02:30", NIGHT + timedelta(hours=1.5), "Europe/Berlin", NIGHT + timedelta(hours=1)),
    ],
)  # fmt: skip
def test_a_time_of_day_is_the_moment_nearest_to_the_session(
    text: str, near: datetime, zone: str, found: datetime
) -> None:
    assert at_clock(text, near, zone) == found


@pytest.mark.parametrize("text", ["02:30", "9", "24:01", "09:05+01:00", ""])
def test_a_time_that_the_clocks_skip_or_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        at_clock(text, datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "Europe/Berlin")
