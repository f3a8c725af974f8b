"""Who is in no course of theirs, instructors and programs learn from no number they send."""

from typing import Any

import pytest
from sqlalchemy import select

from db.database import Database
from db.people import enrol, make_course
from db.schema import ReviewRow
from tests.portal.api.conftest import Makes, Program
from tests.portal.cast import COURSE, INSTRUCTOR, OTHER_COURSE, ZONE, roster_line
from tests.portal.conftest import Browser

THEIRS, NOBODYS = "C-77", "C-78"
NAME = "Grace Gold"


@pytest.fixture
def stranger(meeting: int, database: Database) -> int:
    """A student of another course; returns the session's number."""
    with database.writing() as writing:
        enrol(writing, make_course(writing, OTHER_COURSE, ZONE), [roster_line(THEIRS, NAME, "g@example.edu")])
    return meeting


@pytest.fixture
def instructors(program_of: Makes) -> Program:
    return program_of(INSTRUCTOR)


def alike(theirs: Any, nobodys: Any) -> None:
    """Both were refused, in the same words, and without a name."""
    assert theirs.status_code == nobodys.status_code >= 400
    assert NAME not in theirs.text
    assert "Grace" not in theirs.text
    assert theirs.text.replace(THEIRS, NOBODYS) == nobodys.text


def review_id(database: Database) -> int:
    with database.reading() as reading:
        found = reading.scalar(select(ReviewRow.id).where(ReviewRow.kind == "unknown_face"))
    assert found is not None
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_editing_several_entries_at_once_names_no_stranger(
    stranger: int, browser: Browser, version: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    token = browser.token(f"/sessions/{stranger}")

    def send(number: str) -> str:
        form = {"csrf_token": token, "row": f"{number}:{version}", "status": "excused", "reason": "ill"}
        answer = browser.client.post(f"/sessions/{stranger}/entries", data=form)
        assert answer.status_code == 409
        return answer.text

    said = send(THEIRS)
    assert f"o student &#39;{THEIRS}&#39; is on the roster" in said
    assert THEIRS in said
    assert NAME not in said
    assert NOBODYS in send(NOBODYS)


@pytest.mark.parametrize(
    "answer", [{"answer": "other", "student_no": "{}"}, {"answer": "is:{}"}, {"answer": "not:{}"}]
)
def test_answering_a_review_names_no_stranger(
    stranger: int, browser: Browser, database: Database, answer: dict[str, str]
) -> None:
    browser.sign_in(INSTRUCTOR)
    path = f"/sessions/{stranger}/reviews/{review_id(database)}"
    token = browser.token(path)
    for number in (THEIRS, NOBODYS):
        form = {key: value.format(number) for key, value in answer.items()}
        refused = browser.client.post(path, data={"csrf_token": token, "reason": "", **form})
        assert refused.status_code == 400
        assert "Choose a student of this course." in refused.text
        assert NAME not in refused.text


@pytest.mark.parametrize("answer", ["reassign", "not_this_person"])
def test_settling_a_review_names_no_stranger(
    stranger: int, instructors: Program, database: Database, answer: str
) -> None:
    path = f"/sessions/{stranger}/reviews/{review_id(database)}/settlement"
    alike(*(instructors.post(path, {"answer": answer, "student_no": no}) for no in (THEIRS, NOBODYS)))


@pytest.mark.parametrize(
    "body",
    [
        {"status": "excused", "reason": "ill", "version": 1},
        {"reason": "ill", "version": 1},  # an entry that nobody wrote over says just that already
        {"status": "excused", "reason": "ill", "version": 2},  # has no such version
        {"status": "excused", "reason": "x" * 1999, "version": 1},
    ],
)
def test_writing_over_an_entry_names_no_stranger(
    stranger: int, instructors: Program, body: dict[str, Any]
) -> None:
    path = f"/sessions/{stranger}/attendance"
    alike(*(instructors.put(f"{path}/{no}", body) for no in (THEIRS, NOBODYS)))
    alike(*(instructors.get(f"{path}/{no}") for no in (THEIRS, NOBODYS)))


@pytest.mark.parametrize(
    ("name", "email"), [(NAME, "other@example.edu"), ("Other", "g@example.edu"), ("Other", "o@example.edu")]
)
def test_adding_a_stranger_says_not_what_is_on_record(
    stranger: int, instructors: Program, name: str, email: str
) -> None:
    body = {"student_no": THEIRS, "name": name, "email": email}
    refused = instructors.post(f"/courses/{COURSE}/students", body)
    assert refused.status_code == 409
    assert refused.json is not None
    assert refused.json["detail"] == (
        f"student {THEIRS} cannot be added as this has them; the office knows what is on record, and adds them"
    )
