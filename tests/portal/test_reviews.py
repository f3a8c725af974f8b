"""Settling reviews in the portal: every answer, what is refused, and what the second of two is told."""

import re
from dataclasses import replace
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from db.database import Database
from db.face_cache import FaceCache
from db.looks import NewLook, NewSighting, record_looks
from db.report import ReviewLine, session_report
from db.schema import AuditRow, ReviewRow, Student
from db.settings import Settings
from portal.app import create_app
from portal.review_words import choices, outcome
from tests.conftest import free_port
from tests.portal.cast import ADMIN, INSTRUCTOR, START
from tests.portal.conftest import Browser


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def reviews(database: Database, session_id: int) -> tuple[ReviewLine, ...]:
    with database.reading() as reading:
        return session_report(reading, session_id).reviews


class Desk:
    """Somebody with the session's page before them: what they send is what was on it."""

    def __init__(self, browser: Browser, session_id: int, email: str) -> None:
        self.browser, self.session_id = browser, session_id
        browser.sign_in(email)
        self.page = browser.get(f"/sessions/{session_id}").text

    def answer(self, review_id: int, answer: str, page: str | None = None, **values: str) -> TestResponse:
        path = f"/sessions/{self.session_id}/reviews/{review_id}"
        shown = self.page if page is None else page
        form = shown[shown.index(f'action="{path}"') :]
        hidden = {
            name: unescape(form.split(f'name="{name}" value="', 1)[1].split('"', 1)[0])
            for name in ("csrf_token", "mark")
        }
        return self.browser.client.post(path, data=hidden | {"answer": answer} | values, buffered=True)


@pytest.fixture
def app_browser(app: Flask) -> Browser:
    """Somebody else's browser."""
    return Browser(app.test_client())


@pytest.fixture
def instructor(browser: Browser, meeting: int) -> Desk:
    return Desk(browser, meeting, INSTRUCTOR)


def test_an_open_review_offers_its_answers_and_a_settled_one_says_how_by_whom_and_why(
    instructor: Desk, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    for expected in ("Nobody of the roster", "Dismiss", "It is this student", "It is this guest"):
        assert expected in instructor.page
    assert re.findall(r'<option value="(S-\d)">', instructor.page) == ["S-1", "S-2"]
    answer = instructor.answer(review.id, "guest", guest=" Dr.  Cid ", reason="gave the talk")
    assert (answer.status_code, answer.location) == (302, f"/sessions/{meeting}#reviews")
    page = text_of(instructor.browser.get(f"/sessions/{meeting}"))
    assert "The review is settled." in page
    assert "A guest, Dr. Cid. ines@example.edu, " in page
    assert "Reason: gave the talk" in page
    assert "23 of 23 looks balance (100 %)." in page
    with database.reading() as reading:
        noted = reading.scalars(select(AuditRow).where(AuditRow.action == "review.settled")).one()
    assert noted.actor == INSTRUCTOR


@pytest.mark.parametrize(
    ("answer", "values", "state", "who"),
    [
        ("not:", {}, "not_this_person", None),
        ("other", {"student_no": "S-2"}, "reassigned", "Ben Brown"),
        ("is:S-2", {}, "reassigned", "Ben Brown"),
        ("dismiss", {"reason": "the cleaner"}, "dismissed", None),
    ],
)
def test_each_answer_settles_the_review(
    instructor: Desk,
    database: Database,
    meeting: int,
    answer: str,
    values: dict[str, str],
    state: str,
    who: str | None,
) -> None:
    (review,) = reviews(database, meeting)
    assert instructor.answer(review.id, answer, **values).status_code == 302
    (settled,) = reviews(database, meeting)
    assert (settled.state, settled.settled_name, settled.settled_by) == (state, who, INSTRUCTOR)
    assert settled.reason == values.get("reason", "")


def test_what_is_no_answer_comes_back_with_one_line_and_all_that_was_typed(
    instructor: Desk, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    typed = {"reason": "because", "guest": "", "student_no": ""}
    for answer, values, line in [
        ("guest", {}, "Give the guest a name, then send it again."),
        ("guest", {"guest": "x" * 201}, "A guest's name of 201 characters cannot be; give 1 to 200."),
        ("other", {}, "Choose who it is, then send it again."),
        ("other", {"student_no": "S-77"}, "Choose a student of this course."),
        ("is:", {}, "Choose one of the answers."),
        ("hire", {}, "Choose one of the answers."),
        ("", {}, "Choose one of the answers."),
        ("explained", {}, "suspects nobody; say who it is"),
        ("not:", {"reason": "x" * 2001}, "The reason has 2001 characters; at most 2000 fit."),
    ]:
        refused = instructor.answer(review.id, answer, **(typed | values))
        assert refused.status_code == 400, answer
        assert line in text_of(refused)
        for name in ("reason", "guest"):
            assert f'value="{(typed | values)[name]}"' in refused.text
    assert [one.state for one in reviews(database, meeting)] == ["open"]


def test_the_second_of_two_is_told_who_settled_it_how_and_may_outvote_them(
    instructor: Desk, app_browser: Browser, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    other = Desk(app_browser, meeting, ADMIN)
    assert other.answer(review.id, "guest", guest="Dr. Cid", reason="I know him").status_code == 302
    late = instructor.answer(review.id, "other", student_no="S-2", reason="looks like Ben")
    assert late.status_code == 409
    page = text_of(late)
    assert "Somebody else was faster A guest, Dr. Cid. admin@example.edu, " in page
    assert "Reason: I know him" in page
    assert 'value="looks like Ben"' in late.text
    assert '<option value="S-2" selected>' in late.text
    assert [one.state for one in reviews(database, meeting)] == ["guest"]
    again = instructor.answer(review.id, "other", late.text, student_no="S-2", reason="looks like Ben")
    assert again.status_code == 302
    (settled,) = reviews(database, meeting)
    assert (settled.state, settled.settled_name, settled.settled_by) == (
        "reassigned",
        "Ben Brown",
        INSTRUCTOR,
    )


def test_the_same_answer_twice_counts_once_and_stays_with_who_gave_it_first(
    instructor: Desk, app_browser: Browser, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    other = Desk(app_browser, meeting, ADMIN)
    for desk in (other, other, instructor):
        assert desk.answer(review.id, "guest", guest="Dr. Cid").status_code == 302
    (settled,) = reviews(database, meeting)
    assert (settled.settled_by, settled.guest) == (ADMIN, "Dr. Cid")
    assert instructor.answer(review.id, "guest", guest="Dr. Dee").status_code == 409
    with database.reading() as reading:
        assert len(reading.scalars(select(AuditRow).where(AuditRow.action == "review.settled")).all()) == 1


def test_a_doubt_that_cleared_up_meanwhile_leaves_nothing_to_settle(
    instructor: Desk, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    with database.writing() as writing:
        writing.delete(writing.get_one(ReviewRow, review.id))
    answer = instructor.answer(review.id, "not:")
    assert answer.status_code == 409
    assert "Nothing left to settle" in answer.text
    assert instructor.browser.get(f"/sessions/{meeting}/reviews/{review.id}").status_code == 404


def test_an_answer_about_one_student_is_not_taken_for_another(
    instructor: Desk, database: Database, meeting: int
) -> None:
    (review,) = reviews(database, meeting)
    with database.writing() as writing:
        row = writing.get_one(ReviewRow, review.id)
        row.student_id = writing.scalars(select(Student.id).where(Student.student_no == "S-1")).one()
    answer = instructor.answer(review.id, "not:")
    assert answer.status_code == 409
    assert "The doubt is another one by now" in answer.text
    assert [one.state for one in reviews(database, meeting)] == ["open"]


def test_unexplained_heads_are_explained_and_are_nobodys_face(
    instructor: Desk, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        looks = [
            NewLook(
                meeting, f"late-{n}", START, START.replace(minute=45 + n), "headcount", 2, 0, 0,
                (NewSighting("t1", (0, 0, 9, 9)),), (),
            )
            for n in range(3)
        ]  # fmt: skip
        record_looks(writing, looks)
    page = instructor.browser.get(f"/sessions/{meeting}").text
    review = next(one for one in reviews(database, meeting) if one.kind == "headcount")
    assert "09:45:00 to 09:47:00 3 2 1 1 head whose face was not found again" in re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", page)
    )
    for wrong in ("guest", "other", "not:"):
        refused = instructor.answer(review.id, wrong, page, guest="Dr. Cid", student_no="S-1")
        assert refused.status_code == 400
    assert instructor.answer(review.id, "explained", page).status_code == 302
    settled = next(one for one in reviews(database, meeting) if one.kind == "headcount")
    assert (settled.state, outcome(settled)) == ("confirmed", "The heads are explained.")


def test_verdicts_are_kept_while_the_face_cache_is_away(
    settings: Settings, database: Database, meeting: int
) -> None:
    cache = FaceCache(f"mongodb://127.0.0.1:{free_port()}")
    desk = Desk(Browser(create_app(settings, database, cache).test_client()), meeting, INSTRUCTOR)
    (review,) = reviews(database, meeting)
    assert desk.answer(review.id, "guest", guest="Dr. Cid").status_code == 302
    cache.close()
    assert [one.state for one in reviews(database, meeting)] == ["guest"]


def test_without_a_token_nothing_is_settled(instructor: Desk, database: Database, meeting: int) -> None:
    (review,) = reviews(database, meeting)
    assert instructor.answer(review.id, "not:", csrf_token="").status_code == 400
    assert [one.state for one in reviews(database, meeting)] == ["open"]


OPEN = ReviewLine("low_similarity", "S-1", "Ada", START, "open", rival_name="Ben", rival_no="S-2")


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("low_similarity", ["It is Ada", "Not Ada", "Dismiss"]),
        ("small_margin", ["It is Ada", "It is Ben", "Not Ada", "Dismiss"]),
        ("two_tiles", ["Both are Ada", "One is not Ada", "Dismiss"]),
        ("still_picture", ["Ada was there", "Ada was not there", "Dismiss"]),
        ("loop", ["Ada was there", "Ada was not there", "Dismiss"]),
        ("headcount", ["They are explained", "Dismiss"]),
    ],
)
def test_each_kind_of_review_has_answers_of_its_own(kind: str, labels: list[str]) -> None:
    assert [choice.label for choice in choices(replace(OPEN, kind=kind))] == labels


def test_a_review_that_suspects_nobody_asks_about_nobody() -> None:
    unknown = replace(OPEN, student_no=None, student_name=None, rival_no=None)
    for kind, first in [
        ("unknown_face", "Nobody of the roster"),
        ("still_picture", "Nobody was there"),
        ("loop", "Nobody was there"),
    ]:
        assert [choice.answer for choice in choices(replace(unknown, kind=kind))] == ["not:", "dismiss"]
        assert choices(replace(unknown, kind=kind))[0].label == first
