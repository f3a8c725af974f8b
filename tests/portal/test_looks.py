"""The page of a look, the crops that were kept, and what an entry rests on."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from db.database import Database
from db.evidence import Archive
from db.evidence.claims import attach
from db.look_sheet import look_sheet
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import find_student
from db.schema import EvidenceRow, JudgementRow, LookRow, PhotoRow
from portal.desk import desk_of
from portal.grid_drawing import draw_grid
from tests.portal.cast import ADMIN, INSTRUCTOR, OTHER_INSTRUCTOR, START, STUDENT_A, class_of_sixteen
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting

JPEG = b"\xff\xd8\xff a face"


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


@pytest.fixture
def archive(app: Flask) -> Archive:
    return desk_of(app).backroom.archive


def keep(database: Database, archive: Archive, meeting: int, track: str) -> int:
    """Give the first look that asked about a track a crop of it; returns the crop's id."""
    kept = archive.keep({track: JPEG})
    with database.writing() as writing:
        looks = select(LookRow.id).where(LookRow.session_id == meeting, LookRow.searches > 0)
        numbers = list(writing.scalars(looks.order_by(LookRow.taken_at)))
        look = numbers[0] if track == "t1" else numbers[1] if track == "t2" else numbers[-1]
        attach(writing, meeting, look, kept)
        writing.flush()
        return writing.scalars(select(EvidenceRow.id).where(EvidenceRow.track == track)).one()


def look_ids(database: Database, meeting: int) -> list[int]:
    with database.reading() as reading:
        query = select(LookRow.id).where(LookRow.session_id == meeting).order_by(LookRow.taken_at)
        return list(reading.scalars(query))


def test_a_look_shows_its_balance_its_heads_and_what_each_name_rests_on(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    crop = keep(database, archive, meeting, "t1")
    browser.sign_in(INSTRUCTOR)
    ids = look_ids(database, meeting)
    answer = browser.get(f"/sessions/{meeting}/looks/{ids[-1]}")
    page = text_of(answer)
    for expected in (
        "Look at 09:44:00 Does not balance",
        "look 23 of 23",
        "Heads counted 2 Identified 1 Unknown 1 Of these settled by staff 0",
        "What explains the unknown: 1 face that matches nobody on the roster.",
        "1 Ada Adams Named",
        "Similarity 97.0 % Needed 90.0 % Runner-up none",
        "At 09:00:00 , named Ada Adams local, test; 1 look taken together",
        "2 Nobody named Matches nobody on the roster",
        "At this look, nobody on the roster",
        "No crop kept",
    ):
        assert expected in page
    assert f'src="/sessions/{meeting}/evidence/{crop}.jpg"' in answer.text
    assert f'rel="prev" href="/sessions/{meeting}/looks/{ids[-2]}"' in answer.text
    assert 'rel="next"' not in answer.text
    assert answer.text.count("<rect") >= 2


def test_each_look_leads_to_the_one_before_and_after(
    browser: Browser, database: Database, meeting: int
) -> None:
    ids = look_ids(database, meeting)
    with database.reading() as reading:
        sheets = [look_sheet(reading, meeting, one) for one in ids]
    assert [sheet.number for sheet in sheets] == list(range(1, 24))
    assert [sheet.previous_id for sheet in sheets] == [None, *ids[:-1]]
    assert [sheet.next_id for sheet in sheets] == [*ids[1:], None]


def test_a_crop_is_a_picture_that_no_browser_keeps(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    path = f"/sessions/{meeting}/evidence/{keep(database, archive, meeting, 't1')}.jpg"
    browser.sign_in(INSTRUCTOR)
    answer = browser.get(path)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, JPEG, "image/jpeg")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_crop_opens_under_its_own_session_only(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    crop = keep(database, archive, meeting, "t1")
    other = class_of_sixteen(database)
    for email, status in ((OTHER_INSTRUCTOR, 404), (STUDENT_A, 404)):
        browser.sign_in(email)
        assert browser.get(f"/sessions/{meeting}/evidence/{crop}.jpg").status_code == status
        browser.sign_out("/me" if email == STUDENT_A else "/sessions")
    browser.sign_in(ADMIN)
    answer = browser.get(f"/sessions/{other}/evidence/{crop}.jpg")
    assert (answer.status_code, answer.mimetype) == (404, "image/svg+xml")
    assert JPEG not in answer.data
    assert browser.get(f"/sessions/{other}/looks/{look_ids(database, meeting)[0]}").status_code == 404


def test_a_crop_whose_time_is_over_is_a_picture_that_says_so(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    crop = keep(database, archive, meeting, "t1")
    with database.writing() as writing:
        writing.execute(update(EvidenceRow).values(keep_until=datetime.now(UTC) - timedelta(hours=1)))
    browser.sign_in(INSTRUCTOR)
    answer = browser.get(f"/sessions/{meeting}/evidence/{crop}.jpg")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert "No longer kept" in answer.text
    page = browser.get(f"/sessions/{meeting}/looks/{look_ids(database, meeting)[0]}").text
    assert "No longer kept" in page
    assert f"evidence/{crop}.jpg" not in page


def test_a_crop_that_is_not_in_the_store_or_was_changed_breaks_no_page(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    crop = keep(database, archive, meeting, "t1")
    path = f"/sessions/{meeting}/evidence/{crop}.jpg"
    browser.sign_in(INSTRUCTOR)
    with database.reading() as reading:
        digest = reading.scalars(select(EvidenceRow.digest)).one()
    archive.blobs.put(digest, b"not what was kept")
    answer = browser.get(path)
    assert (answer.status_code, answer.mimetype) == (503, "image/svg+xml")
    assert "Cannot be read now" in answer.text
    archive.blobs.delete(digest)
    assert "No longer kept" in browser.get(path).text


def test_what_staff_said_of_a_head_stands_beside_it(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    with database.writing() as writing:
        writing.add(
            JudgementRow(
                session_id=meeting, subject="t3", kind="unknown_face", verdict="guest", name="Dr. Cid",
                made_by=ADMIN, made_at=START, reason="",
            )
        )  # fmt: skip
    browser.sign_in(INSTRUCTOR)
    page = text_of(browser.get(f"/sessions/{meeting}/looks/{look_ids(database, meeting)[-1]}"))
    assert "2 Guest: Dr. Cid Settled by staff" in page


def test_an_entry_shows_each_answer_it_rests_on_with_its_crop(
    browser: Browser, database: Database, meeting: int, archive: Archive
) -> None:
    with database.writing() as writing:
        ada, ben = (find_student(writing, number).id for number in ("S-1", "S-2"))
        taken_at = START + timedelta(minutes=45)
        doubt = NewNaming("t9", "doubtful", ben, None, 86.5, ada, 71.25, 90.0, 4, "tiered", "v2", 5.0)
        sighting = NewSighting("t9", (0, 0, 50, 50))
        look = NewLook(
            session_id=meeting, uid="u", began_at=taken_at, taken_at=taken_at, trigger="tile", headcount=1,
            searches=1, paid=1, sightings=(sighting,), namings=(doubt,),
        )  # fmt: skip
        record_looks(writing, [look])
    crop = keep(database, archive, meeting, "t2")
    browser.sign_in(INSTRUCTOR)
    answer = browser.get(f"/sessions/{meeting}/entries/S-2")
    page = text_of(answer)
    assert f'src="/sessions/{meeting}/evidence/{crop}.jpg"' in answer.text
    assert "Seen 09:06:00 Look at 09:06:00 : named Ben Brown." in page
    assert "Look at 09:45:00 : not sure enough that it is Ben Brown." in page
    assert "Similarity 86.5 % Needed 90.0 % Runner-up 71.2 % Ada Adams Lead needed 5.0 %" in page
    assert "tiered, v2; 4 looks taken together" in page
    assert "No crop kept" in page


def test_an_entry_shows_the_enrolment_photograph_where_the_portal_has_a_page_for_it(
    browser: Browser, app: Flask, database: Database, meeting: int, archive: Archive
) -> None:
    crop = keep(database, archive, meeting, "t1")
    with database.writing() as writing:
        digest = writing.scalars(select(EvidenceRow.digest).where(EvidenceRow.id == crop)).one()
        ada = find_student(writing, "S-1").id
        photo = PhotoRow(student_id=ada, digest=digest, bytes=9, added_at=START, added_by=ADMIN)
        writing.add(photo)
        writing.flush()
        number = photo.id
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{meeting}/entries/S-1").text
    assert f'src="/students/S-1/photos/{number}.jpg"' in page
    assert "Enrolled Mon 2 Mar 2026" in page


def test_these_pages_ask_the_database_no_more_than_twelve_times(
    browser: Browser, database: Database, meeting: int
) -> None:
    big = class_of_sixteen(database)
    browser.sign_in(INSTRUCTOR)
    asked = []
    for session_id in (meeting, big):
        path = f"/sessions/{session_id}/looks/{look_ids(database, session_id)[1]}"
        browser.get(path)
        with counting(database) as sent:
            assert browser.get(path).status_code == 200
        asked.append(len(sent))
    assert asked[0] == asked[1] <= MOST


def test_names_in_the_drawing_are_text_whatever_they_contain(database: Database, meeting: int) -> None:
    with database.writing() as writing:
        find_student(writing, "S-1").name = "<script>alert('Ada')</script>"
    with database.reading() as reading:
        sheet = look_sheet(reading, meeting, look_ids(database, meeting)[0])
    drawn = draw_grid(sheet.heads)
    assert "&lt;script&gt;" in drawn
    assert "<script" not in drawn
    assert draw_grid(()) == ""
