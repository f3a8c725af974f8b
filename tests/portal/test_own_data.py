"""A student's data: consent given and withdrawn, the download, and the wish to be erased, with what staff make of it."""

import io
import json
import re
import zipfile
from html import unescape
from typing import Any

import cv2
import pytest
from flask import Flask
from sqlalchemy import select

from db.consents import consents_of
from db.database import Database
from db.errors import EvidenceError, NotFoundError, StoreError
from db.evidence import Archive
from db.ledger import catch_up
from db.people import record_consent
from db.schema import AuditRow, FaceRow, JudgementRow, Student, User
from db.settings import Settings
from demo.cast import CAST, portrait
from portal.app import create_app
from portal.desk import desk_of
from portal.own import bundle
from recognizer.removal import remove_student
from tests.portal.cast import ADMIN, COURSE, STAFF, START, STUDENT_A, STUDENT_B
from tests.portal.conftest import Browser
from tests.portal.crops import keep_crop
from tests.portal.statements import MOST, counting

JPEG = cv2.imencode(".jpg", cv2.resize(portrait(CAST[0]), (80, 100)))[1].tobytes()


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def archive(app: Flask) -> Archive:
    return desk_of(app).backroom.archive


def student(database: Database, number: str) -> int:
    with database.reading() as reading:
        return reading.scalars(select(Student.id).where(Student.student_no == number)).one()


def send(browser: Browser, path: str, page: str = "/me/data", **values: str) -> tuple[int, str]:
    form = {"csrf_token": browser.token(page)} | values
    answer = browser.client.post(path, data=form, follow_redirects=True, buffered=True)
    return answer.status_code, text_of(answer.text)


def digest(browser: Browser) -> str:
    found = re.search(r'name="text" value="([0-9a-f]+)"', browser.get("/me/data").text)
    assert found is not None
    return found[1]


@pytest.fixture
def ada(browser: Browser, database: Database, archive: Archive, meeting: int) -> int:
    """Ada's id; she has agreed, there is a crop of her and one of Ben, and she is signed in."""
    number = student(database, "S-1")
    with database.writing() as writing:
        for one in ("S-1", "S-2"):
            owner = writing.scalars(select(Student).where(Student.student_no == one)).one()
            record_consent(writing, owner, "form 7")
    keep_crop(database, archive, meeting, "t1", JPEG)
    keep_crop(database, archive, meeting, "t2", JPEG[:-2] + b"\x00\xff\xd9", 5)
    browser.sign_in(STUDENT_A)
    return number


def test_consent_is_given_to_the_text_that_was_read(
    browser: Browser, database: Database, meeting: int, settings: Settings
) -> None:
    browser.sign_in(STUDENT_A)
    ada = student(database, "S-1")
    page = text_of(browser.get("/me/data").text)
    assert "Not given" in page
    assert text_of(settings.consent_text) in page
    shown = digest(browser)
    code, page = send(browser, "/me/data/consent", text=shown)
    assert (code, "Tick that you agree" in page) == (400, True)
    code, page = send(browser, "/me/data/consent", text="0" * 16, agreed="yes")
    assert (code, "The text has changed" in page) == (409, True)
    for _ in range(2):
        code, page = send(browser, "/me/data/consent", text=shown, agreed="yes")
        assert code == 200
    assert "Given on" in page
    with database.reading() as reading:
        (consent,) = consents_of(reading, ada)
        noted = reading.scalars(select(AuditRow).where(AuditRow.action == "consent.given")).all()
    assert consent.note == settings.consent_text
    assert [row.actor for row in noted] == [f"student:{ada}"]


def test_the_text_is_the_institutes(database: Database, settings: Settings, meeting: int) -> None:
    app = create_app(settings.model_copy(update={"consent_text": "We keep <everything>."}), database)
    browser = Browser(app.test_client())
    browser.sign_in(STUDENT_A)
    assert "We keep &lt;everything&gt;." in browser.get("/me/data").text


def test_withdrawing_says_what_it_does_and_removes_the_face_but_no_entry(
    browser: Browser, database: Database, archive: Archive, meeting: int, ada: int
) -> None:
    code, page = send(browser, "/me/data/withdrawal")
    assert (code, "Tick that you have read what it does" in page) == (400, True)
    assert "unverified, never absent" in page
    code, page = send(browser, "/me/data/withdrawal", understood="yes")
    assert code == 200
    assert "Your consent is withdrawn. Removed: 1 face, 0 photographs and 1 picture from classes." in page
    assert "Withdrawn on" in page
    assert "attended: 1 of 1 session" in text_of(browser.get("/me").text)
    assert "97.0 %" not in browser.get(f"/me/sessions/{meeting}").text
    with database.reading() as reading:
        assert reading.scalars(select(FaceRow.student_id)).all() == [student(database, "S-2")]
        actors = set(reading.scalars(select(AuditRow.actor).where(AuditRow.action.like("%erased"))))
        assert [one.withdrawn_at is not None for one in consents_of(reading, ada)] == [True]
    assert actors == {f"student:{ada}"}


def test_a_withdrawal_that_is_cut_short_is_on_record_and_can_be_completed(
    browser: Browser, database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise EvidenceError("the store is away", True)

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "erase_student", away)
        code, page = send(browser, "/me/data/withdrawal", understood="yes")
    assert (code, "not everything could be removed just now" in page) == (503, True)
    assert "Remove what is left" in page
    with database.reading() as reading:
        assert [one.withdrawn_at is not None for one in consents_of(reading, ada)] == [True]
    code, page = send(browser, "/me/data/withdrawal", understood="yes")
    assert code == 200
    assert "Remove what is left" not in page


def test_without_the_face_cache_no_removal_is_claimed(
    browser: Browser, database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the cache cannot be started")

    send(browser, "/me/data/erasure", sure="yes")
    with monkeypatch.context() as patch:
        patch.setattr("portal.backroom.open_cache", fail)
        code, page = send(browser, "/me/data/withdrawal", understood="yes")
        assert (code, "not everything could be removed just now" in page) == (503, True)
        assert "Withdrawn on" in page
        browser.sign_out("/me")
        browser.sign_in(ADMIN)
        here = "/students/erasures"
        code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-1")
        assert (code, "Not everything is removed yet" in page) == (503, True)
        assert "the cache cannot be started" in page
        assert "Carried out" not in page
    code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-1")
    assert (code, "The student is removed" in page) == (200, True)


@pytest.fixture
def packed(browser: Browser, ada: int) -> zipfile.ZipFile:
    """Ada's download."""
    answer = browser.get("/me/data/download")
    assert answer.mimetype == "application/zip"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.content_length == len(answer.data)
    return zipfile.ZipFile(io.BytesIO(answer.data))


def test_the_download_holds_the_record_and_the_pictures(packed: zipfile.ZipFile, meeting: int) -> None:
    assert packed.testzip() is None
    data = json.loads(packed.read("data.json"))
    assert data["person"] == {"student_no": "S-1", "name": "Ada Adams", "email": STUDENT_A}
    assert [one["status"] for one in data["sessions"]] == ["present"]
    assert [one["verdict"] for one in data["recognitions"]] == ["named"]
    assert [one["note"] for one in data["consents"]] == ["form 7"]
    assert {"by": "Gridroll", "action": "consent.given"}.items() <= data["changes"][-1].items()
    (picture,) = [name for name in packed.namelist() if name.startswith("pictures/")]
    assert picture.startswith(f"pictures/session-{meeting}/2026-03-02T080000-")
    assert packed.read(picture) == JPEG
    assert packed.read("sessions.csv").decode("utf-8-sig").startswith("session,course,")
    assert "Ada Adams" in packed.read("README.txt").decode()


def test_the_download_says_nothing_of_anybody_else(packed: zipfile.ZipFile) -> None:
    for name in packed.namelist():
        content = packed.read(name)
        for foreign in ("Ben", "Brown", "S-2", STUDENT_B, ADMIN):
            assert foreign.encode() not in content, (name, foreign)


def test_pictures_beyond_the_limit_are_named_and_left_out(
    browser: Browser, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MOST_PICTURE_BYTES", 10)
    packed = zipfile.ZipFile(io.BytesIO(browser.get("/me/data/download").data))
    assert not [name for name in packed.namelist() if name.startswith("pictures/")]
    assert "Left out" in packed.read("README.txt").decode()


def test_the_download_does_not_tell_where_files_lie_on_the_server(
    browser: Browser, database: Database, ada: int
) -> None:
    with database.writing() as writing:
        for face, path in zip(
            writing.scalars(select(FaceRow).where(FaceRow.student_id == ada)),
            ("/root/.gridroll/photos/S-1.jpg", "C:\\photos\\S-1.jpg"),
            strict=False,
        ):
            face.photo = path
    packed = zipfile.ZipFile(io.BytesIO(browser.get("/me/data/download").data))
    assert {one["photo"] for one in json.loads(packed.read("data.json"))["faces"]} == {"S-1.jpg"}
    assert "/" not in packed.read("faces.csv").decode()


def test_the_address_on_record_is_told_beside_that_of_the_account(
    browser: Browser, database: Database, ada: int
) -> None:
    assert f"student number S-1, {STUDENT_A}" in text_of(browser.get("/me/data").text)
    for on_record, words in (
        ("old@example.edu", "On record for your courses: old@example.edu."),
        ("", "No address is on record for your courses."),
    ):
        with database.writing() as writing:
            writing.get_one(Student, ada).email = on_record
        assert f"{words} You sign in and get mail as {STUDENT_A}." in text_of(browser.get("/me/data").text)


def test_cells_are_no_formulas(browser: Browser, database: Database, ada: int, meeting: int) -> None:
    token = browser.token("/me")
    browser.client.post(f"/me/sessions/{meeting}", data={"csrf_token": token, "text": "=cmd()"})
    packed = zipfile.ZipFile(io.BytesIO(browser.get("/me/data/download").data))
    assert "'=cmd()" in packed.read("disputes.csv").decode()


def test_the_download_asks_as_often_for_much_as_for_little(
    browser: Browser, database: Database, archive: Archive, ada: int, meeting: int
) -> None:
    with counting(database) as few:
        browser.get("/me/data/download")
    with database.writing() as writing:
        for _ in range(20):
            writing.add(
                JudgementRow(
                    session_id=meeting,
                    subject="t1",
                    kind="loop",
                    verdict="is_student",
                    student_id=ada,
                    name="",
                    made_by="x",
                    made_at=START,
                    reason="",
                )
            )
    with counting(database) as many:
        browser.get("/me/data/download")
    assert len(many) - len(few) <= 1


def test_who_asks_for_erasure_is_seen_by_the_office_and_answered(
    browser: Browser, database: Database, ada: int
) -> None:
    code, page = send(browser, "/me/data/erasure", text="I leave.")
    assert (code, "Tick that you want" in page, "I leave." in page) == (400, True, True)
    code, page = send(browser, "/me/data/erasure", text="x" * 2001, sure="yes")
    assert (code, "at most 2000 fit" in page) == (400, True)
    for _ in range(2):
        code, page = send(browser, "/me/data/erasure", text="I leave.", sure="yes")
        assert code == 200
    assert "Waiting for an answer" in page
    browser.sign_out("/me")
    browser.sign_in(STAFF)
    page = text_of(browser.get("/students/erasures").text)
    assert page.count("I leave.") == 1
    here = "/students/erasures"
    code, page = send(browser, f"{here}/1", here, action="refuse", answer="")
    assert (code, "A refusal needs an answer" in page) == (400, True)
    code, page = send(browser, f"{here}/1", here, action="refuse", answer="The law asks us to keep it.")
    assert code == 200
    code, page = send(browser, f"{here}/1", here, action="refuse", answer="Another answer.")
    assert (code, "has answered this request already" in page) == (400, True)
    code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-1")
    assert code == 400
    browser.sign_out(here)
    browser.sign_in(STUDENT_A)
    page = text_of(browser.get("/me/data").text)
    assert "The law asks us to keep it." in page
    assert STAFF not in page


def test_a_request_that_is_carried_out_removes_the_student_and_shows_what_went(
    browser: Browser, database: Database, ada: int, meeting: int
) -> None:
    send(browser, "/me/data/erasure", text="I leave.", sure="yes")
    browser.sign_out("/me")
    browser.sign_in(ADMIN)
    here = "/students/erasures"
    code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-2")
    assert (code, "Type the student number S-1 to confirm" in page) == (400, True)
    code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-1")
    assert code == 200
    assert "The student is removed" in page
    assert f"Removed student removed-{ada} Carried out" in page
    assert "Faces 1 Photographs 0 Pictures from classes 1" in page
    for gone in ("Ada", "S-1", STUDENT_A, "I leave."):
        assert gone not in page
    code, page = send(browser, f"{here}/1", here, action="carry_out", typed="S-1")
    assert (code, "It was carried out already." in page) == (200, True)
    catch_up(database)
    session = text_of(browser.get(f"/sessions/{meeting}").text)
    assert "Removed student" in session
    assert "Ada" not in session
    for path in (f"/reports/{COURSE}", "/history"):
        told = browser.get(path).text
        assert "Removed student" in told
        links = set(re.findall(rf'href="(/[^"#?]*removed-{ada}[^"]*)"', told))
        assert links <= {f"/sessions/{meeting}/entries/removed-{ada}"}, path
        assert all(browser.get(link).status_code == 200 for link in links)
    with database.reading() as reading:
        user = reading.scalars(select(User).where(User.student_id == ada)).one()
        assert (user.active, user.email) == (False, f"removed-{user.id}@invalid")
    browser.sign_out(here)
    assert browser.sign_in(STUDENT_A).status_code == 401


def test_of_two_who_carry_out_a_request_at_once_the_later_is_told_that_it_is_done(
    app: Flask, browser: Browser, database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(browser, "/me/data/erasure", text="I leave.", sure="yes")
    browser.sign_out("/me")
    browser.sign_in(ADMIN)
    other, here = Browser(app.test_client()), "/students/erasures"
    other.sign_in(STAFF)
    asked = {"action": "carry_out", "typed": "S-1"}
    told = list[tuple[int, str]]()

    def remove_later(*given: Any) -> Any:
        # The other one is faster, after this one read that the request waits.
        monkeypatch.setattr("portal.erasures.remove_student", remove_student)
        told.append(send(other, f"{here}/1", here, **asked))
        return remove_student(*given)

    monkeypatch.setattr("portal.erasures.remove_student", remove_later)
    told.append(send(browser, f"{here}/1", here, **asked))
    assert [code for code, _ in told] == [200, 200]
    assert "The student is removed." in told[0][1]
    assert "It was carried out already." in told[1][1]


def test_a_student_who_is_gone_with_the_request_still_open_is_not_called_removed(
    browser: Browser, database: Database, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(browser, "/me/data/erasure", sure="yes")
    browser.sign_out("/me")
    browser.sign_in(ADMIN)

    def fail(*_: object) -> None:
        raise NotFoundError("there is no such student")

    monkeypatch.setattr("portal.erasures.remove_student", fail)
    here = "/students/erasures"
    form = {"csrf_token": browser.token(here), "action": "carry_out", "typed": "S-1"}
    assert browser.client.post(f"{here}/1", data=form).status_code == 404


def test_the_list_of_requests_asks_the_ledger_no_more_with_many(
    browser: Browser, database: Database, ada: int
) -> None:
    send(browser, "/me/data/erasure", sure="yes")
    browser.sign_out("/me")
    browser.sign_in(STUDENT_B)
    send(browser, "/me/data/erasure", sure="yes")
    browser.sign_out("/me")
    browser.sign_in(ADMIN)
    send(browser, "/students/erasures/1", "/students/erasures", action="carry_out", typed="S-1")
    with counting(database) as statements:
        assert browser.get("/students/erasures").status_code == 200
    assert len(statements) <= MOST


def test_a_request_that_is_none_is_not_found(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    assert browser.get("/students/erasures").status_code == 200
    for action in ("refuse", "carry_out"):
        form = {"csrf_token": browser.token("/sessions"), "action": action, "answer": "x", "typed": "x"}
        assert browser.client.post("/students/erasures/999", data=form).status_code == 404


def test_the_download_says_that_reasons_of_excuses_are_in_it(packed: zipfile.ZipFile) -> None:
    assert 'Why you were excused is in "excuses"' in packed.read("README.txt").decode()
