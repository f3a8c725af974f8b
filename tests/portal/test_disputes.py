"""A student's word against their entry, and the answer of staff."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from html import unescape

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.disputes import disputes_of, make_dispute
from db.ledger import catch_up
from db.proof.chain import walk
from db.proof.records import check_told
from db.proof.reviews import check_ledgers, check_reviews
from db.replay import Terms, adopt, replay
from db.report import ReviewLine, session_report
from db.schema import AuditRow, Student
from db.sessions import find_session, start_session
from db.settings import Settings
from portal.review_words import choices, takes_a_face
from recognizer.errors import RecognizerError
from recognizer.judging import Judging, Settlement
from recognizer.review_commands import reviews
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, START, STUDENT_A, STUDENT_B
from tests.portal.conftest import Browser

BEN_SAYS = "I was there until the end.\nMy camera froze."


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def say(browser: Browser, meeting: int, text: str) -> int:
    path = f"/me/sessions/{meeting}"
    token = browser.token("/me")
    return browser.client.post(path, data={"csrf_token": token, "text": text}).status_code


def disputes(database: Database, meeting: int) -> list[ReviewLine]:
    catch_up(database)
    with database.reading() as reading:
        found = session_report(reading, meeting).reviews
    return [review for review in found if review.kind == "dispute"]


def statuses(database: Database, meeting: int) -> dict[str, tuple[str, str]]:
    with database.reading() as reading:
        return {one.student_no: (one.status, one.source) for one in session_report(reading, meeting).students}


@pytest.fixture
def judging(database: Database, settings: Settings) -> Judging:
    return Judging(database, None, settings)


@pytest.fixture
def ben(database: Database, meeting: int) -> int:
    """Ben's id."""
    with database.reading() as reading:
        return reading.scalars(select(Student.id).where(Student.student_no == "S-2")).one()


@pytest.fixture
def disputed(browser: Browser, meeting: int) -> int:
    """The session, with a word of Ben's against his entry; Ben is signed in."""
    browser.sign_in(STUDENT_B)
    assert say(browser, meeting, BEN_SAYS) == 302
    return meeting


def test_a_dispute_opens_a_review_about_the_student_and_changes_no_status(
    browser: Browser, database: Database, meeting: int
) -> None:
    before = statuses(database, meeting)
    browser.sign_in(STUDENT_B)
    assert say(browser, meeting, BEN_SAYS) == 302
    (review,) = disputes(database, meeting)
    assert (review.student_no, review.text, review.state) == ("S-2", BEN_SAYS, "open")
    assert statuses(database, meeting) == before
    page = text_of(browser.get(f"/me/sessions/{meeting}").text)
    assert "Waiting for an answer" in page
    assert "My camera froze." in page
    assert "Send to staff" not in page


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "Say what is wrong; staff read it."),
        (" \r\n\t ", "Say what is wrong; staff read it."),
        ("x" * 2001, "The text has 2001 characters; at most 2000 fit, shorten it."),
    ],
)
def test_a_dispute_without_words_or_with_too_many_is_refused_and_kept_in_the_form(
    browser: Browser, database: Database, meeting: int, text: str, line: str
) -> None:
    browser.sign_in(STUDENT_B)
    path = f"/me/sessions/{meeting}"
    answer = browser.client.post(path, data={"csrf_token": browser.token("/me"), "text": text})
    assert answer.status_code == 400
    assert line in text_of(answer.text)
    assert text.strip() in answer.text
    assert disputes(database, meeting) == []


def test_a_second_dispute_waits_for_the_answer_to_the_first_and_the_same_one_counts_once(
    browser: Browser, database: Database, disputed: int
) -> None:
    assert say(browser, disputed, BEN_SAYS.replace("\n", "\r\n")) == 302
    assert say(browser, disputed, "And another thing.") == 400
    assert len(disputes(database, disputed)) == 1


def test_the_text_is_text_whatever_it_contains(browser: Browser, meeting: int) -> None:
    browser.sign_in(STUDENT_B)
    assert say(browser, meeting, "<script>alert(1)</script>") == 302
    assert "<script>alert" not in browser.get(f"/me/sessions/{meeting}").text
    browser.sign_out("/me")
    browser.sign_in(ADMIN)
    assert "<script>alert" not in browser.get(f"/sessions/{meeting}").text


def answer(browser: Browser, database: Database, meeting: int, verdict: str, text: str) -> int:
    (review,) = disputes(database, meeting)
    path = f"/sessions/{meeting}/reviews/{review.id}"
    form = {"csrf_token": browser.token(path), "mark": review.mark, "answer": verdict, "reason": text}
    return browser.client.post(path, data=form).status_code


@pytest.mark.parametrize(
    ("verdict", "state", "shown"),
    [("accept", "accepted", "You are right"), ("decline", "not_accepted", "The entry stands")],
)
def test_staff_answer_in_words_that_the_student_reads(
    browser: Browser, database: Database, disputed: int, verdict: str, state: str, shown: str
) -> None:
    browser.sign_out("/me")
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{disputed}").text
    assert "My camera froze." in page
    assert f"/sessions/{disputed}/entries/S-2" in page
    before = statuses(database, disputed)
    assert answer(browser, database, disputed, verdict, "") == 400
    assert answer(browser, database, disputed, verdict, "I saw the recording.") == 302
    (review,) = disputes(database, disputed)
    assert (review.state, review.settled_by, review.reason) == (state, INSTRUCTOR, "I saw the recording.")
    assert statuses(database, disputed) == before
    browser.sign_out("/sessions")
    browser.sign_in(STUDENT_B)
    page = text_of(browser.get(f"/me/sessions/{disputed}").text)
    assert shown in page
    assert "I saw the recording." in page
    assert INSTRUCTOR not in page
    assert "What is wrong still?" in page
    assert say(browser, disputed, "Look again.") == 302
    assert [one.state for one in disputes(database, disputed)] == [state, "open"]


def test_other_words_are_another_answer_and_the_same_ones_are_none(
    database: Database, judging: Judging, disputed: int, ben: int
) -> None:
    (review,) = disputes(database, disputed)
    for text in ("No.", "No.", "No, sorry."):
        judging.answer(review.id, False, Settlement(INSTRUCTOR, text))
    with database.reading() as reading:
        (told,) = disputes_of(reading, disputed, ben)
        noted = reading.scalars(select(AuditRow.action).where(AuditRow.action == "judgement.made")).all()
    assert (told.answer, len(noted)) == ("No, sorry.", 2)


def test_a_dispute_takes_no_other_verdict_and_other_reviews_take_no_answer(
    database: Database, judging: Judging, disputed: int
) -> None:
    (review,) = disputes(database, disputed)
    said = Settlement(INSTRUCTOR, "x")
    refused: list[Callable[[], int]] = [
        partial(judging.confirm, review.id, None, said),
        partial(judging.reject, review.id, None, said),
        partial(judging.dismiss, review.id, said),
        partial(judging.guest, review.id, "Guest", said),
        partial(judging.answer, review.id, True, Settlement(INSTRUCTOR, "  ")),
    ]
    for settle in refused:
        with pytest.raises(RecognizerError):
            settle()
    with database.reading() as reading:
        other = next(one for one in session_report(reading, disputed).reviews if one.kind != "dispute")
    with pytest.raises(RecognizerError, match="is no dispute"):
        judging.answer(other.id, True, said)
    assert [choice.answer for choice in choices(review)] == ["accept", "decline"]
    assert not takes_a_face(review)


@pytest.mark.parametrize("answered", [False, True])
def test_replaying_the_session_gives_the_same_reviews_and_statuses(
    database: Database, judging: Judging, disputed: int, answered: bool
) -> None:
    (review,) = disputes(database, disputed)
    if answered:
        judging.answer(review.id, True, Settlement(INSTRUCTOR, "yes"))
    with database.writing() as writing:
        row = find_session(writing, disputed)
        assert replay(writing, row, Terms()).changes_nothing
        adopt(writing, row, Terms(late_after_s=1), ADMIN, "try")
        adopt(writing, row, Terms(late_after_s=600), ADMIN, "back")
    (again,) = disputes(database, disputed)
    assert (again.id, again.state) == (review.id, "accepted" if answered else "open")
    with database.reading() as reading:
        for links in walk(reading):
            check_told(reading, links)
        check_reviews(reading)
        check_ledgers(reading)


def test_the_chain_holds_neither_the_words_nor_the_address_of_the_student(
    database: Database, disputed: int, ben: int
) -> None:
    with database.reading() as reading:
        (noted,) = reading.scalars(select(AuditRow).where(AuditRow.action == "dispute.made")).all()
    assert noted.actor == f"student:{ben}"
    assert "camera" not in noted.detail


def test_whoever_has_no_entry_has_nothing_to_dispute(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        planned = start_session(writing, COURSE, "Next week", START + timedelta(weeks=40), 45).id
    browser.sign_in(STUDENT_B)
    assert say(browser, planned, "x") == 404


def test_a_dispute_is_its_student_s_alone(browser: Browser, disputed: int) -> None:
    browser.sign_out("/me")
    browser.sign_in(STUDENT_A)
    assert "camera" not in browser.get(f"/me/sessions/{disputed}").text


def test_the_commands_list_a_dispute_with_its_words_and_answer_it(
    app: Flask,
    database: Database,
    settings: Settings,
    meeting: int,
    ben: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.writing() as writing:
        make_dispute(writing, meeting, ben, "My camera froze.", f"student:{ben}")
    monkeypatch.setenv("GRIDROLL_HOME", str(settings.home))

    def run(*words: str) -> str:
        ran = CliRunner().invoke(reviews, words)
        assert ran.exit_code == 0, ran.output
        return ran.output

    listed = run("list", str(meeting))
    assert re.search(r"dispute +S-2 +open", listed)
    assert "My camera froze." in listed
    (told,) = [
        one for one in json.loads(run("list", str(meeting), "--format", "json")) if one["kind"] == "dispute"
    ]
    assert (told["student_no"], told["text"]) == ("S-2", "My camera froze.")
    run("answer", str(told["id"]), "--accept", "--text", "It did.", "--by", INSTRUCTOR)
    assert re.search(r"dispute +S-2 +accepted", run("list", str(meeting)))
