"""What programs change: planned sessions, entries, reviews, students; each once, however often it is sent."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from db.database import Database
from db.disputes import make_dispute
from db.ledger import catch_up
from db.replies import Claim, claim_reply, give_back
from db.report import session_report
from db.schema import AuditRow, Course, EditRow, ReplyRow, ReviewRow, SessionRow, Student
from portal.api.repeats import LONGEST_KEY
from tests.portal.api.conftest import Makes, Program
from tests.portal.cast import COURSE, INSTRUCTOR, OTHER_COURSE, STAFF, START, STUDENT_B

PLAN = {"course": COURSE, "title": "Week 4", "starts_at": "2026-03-09T09:00:00+01:00", "minutes": 45}
EDIT = {"status": "excused", "reason": "the doctor’s note", "version": 1}


def count(database: Database, model: type[Any]) -> int:
    with database.reading() as reading:
        return reading.scalar(select(func.count()).select_from(model)) or 0


def actors(database: Database, action: str) -> list[str]:
    with database.reading() as reading:
        return list(reading.scalars(select(AuditRow.actor).where(AuditRow.action == action)))


def test_a_session_is_planned_and_read_back(program: Program, database: Database) -> None:
    answer = program.post("/sessions", PLAN)
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["starts_at"] == "2026-03-09T08:00:00.000000Z"
    assert program.get(f"/sessions/{answer.json['id']}").json == answer.json
    assert actors(database, "session.started")[-1] == STAFF


def test_a_token_plans_sessions_of_its_courses_only(
    meeting: int, program_of: Makes, database: Database
) -> None:
    ines = program_of(INSTRUCTOR)
    assert ines.post("/sessions", PLAN).status_code == 201
    there, absent = (ines.post("/sessions", PLAN | {"course": code}) for code in (OTHER_COURSE, "NONE-1"))
    assert (there.status_code, absent.status_code) == (422, 422)
    assert there.text.replace(OTHER_COURSE, "NONE-1") == absent.text
    assert count(database, SessionRow) == 2


def test_the_same_key_and_body_do_it_once_and_are_answered_alike(
    program: Program, database: Database
) -> None:
    first, second = (program.post("/sessions", PLAN, Idempotency_Key="k-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(database, SessionRow) == 2
    assert program.post("/sessions", PLAN, Idempotency_Key="k-2").status_code == 201
    assert count(database, SessionRow) == 3


def test_a_key_is_one_requests_and_one_tokens(
    program: Program, program_of: Makes, database: Database
) -> None:
    program.post("/sessions", PLAN, Idempotency_Key="k")
    other = program.post("/sessions", PLAN | {"minutes": 90}, Idempotency_Key="k")
    assert other.status_code == 422
    assert program_of().post("/sessions", PLAN, Idempotency_Key="k").status_code == 201
    assert count(database, SessionRow) == 3


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1)])
def test_a_key_that_is_none_is_refused(program: Program, key: str, database: Database) -> None:
    assert program.post("/sessions", PLAN, Idempotency_Key=key).status_code == 422
    assert count(database, SessionRow) == 1


def test_what_was_refused_may_be_sent_again_corrected_under_the_same_key(program: Program) -> None:
    assert program.post("/sessions", PLAN | {"minutes": -1}, Idempotency_Key="k").status_code == 422
    assert program.post("/sessions", PLAN | {"course": "NONE-1"}, Idempotency_Key="k").status_code == 422
    assert program.post("/sessions", PLAN, Idempotency_Key="k").status_code == 201


def test_who_asks_while_it_is_being_answered_is_told_so(program: Program, database: Database) -> None:
    program.post("/sessions", PLAN, Idempotency_Key="k")
    with database.writing() as writing:
        row = writing.scalars(select(ReplyRow)).one()
        row.status, row.body = None, "somebody else's turn"
    answer = program.post("/sessions", PLAN, Idempotency_Key="k")
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) > 0
    assert count(database, SessionRow) == 2


def test_of_two_at_once_one_does_it(program: Program, database: Database) -> None:
    answers: list[int] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait(20)
        answers.append(program.post("/sessions", PLAN, Idempotency_Key="k").status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert count(database, SessionRow) == 2


def test_a_turn_is_held_until_it_is_given_back_or_too_old(database: Database) -> None:
    mine, other = Claim("k" * 64, "mine"), Claim("k" * 64, "other")
    with database.writing() as writing:
        assert claim_reply(writing, mine, "r", START) is None
        held = claim_reply(writing, other, "r", START)
        assert held is not None
        assert held.status is None
        give_back(writing, other)  # not theirs to give
        assert claim_reply(writing, other, "r", START + timedelta(seconds=119)) is not None
        assert claim_reply(writing, other, "r", START + timedelta(seconds=121)) is None


def test_answers_are_forgotten_after_a_day(program: Program, database: Database) -> None:
    program.post("/sessions", PLAN, Idempotency_Key="k")
    with database.writing() as writing:
        row = writing.scalars(select(ReplyRow)).one()
        row.made_at -= timedelta(hours=24)
    assert program.post("/sessions", PLAN | {"minutes": 90}, Idempotency_Key="k").status_code == 201
    assert count(database, ReplyRow) == 1


def test_an_entry_is_written_over_and_its_etag_is_its_version(program: Program, database: Database) -> None:
    before = program.get("/sessions/1/attendance/S-1")
    assert before.headers["ETag"] == '"1"'
    answer = program.put("/sessions/1/attendance/S-1", EDIT)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert (answer.json["status"], answer.json["source"], answer.json["version"]) == ("excused", "staff", 2)
    assert program.get("/sessions/1/attendance/S-1").json == answer.json
    assert answer.headers["ETag"] == '"2"'
    assert actors(database, "entry.edited") == [STAFF]
    with database.reading() as reading:
        assert session_report(reading, 1).students[0].status == "excused"


def test_who_edits_an_older_version_is_told_and_nothing_is_lost(program: Program) -> None:
    program.put("/sessions/1/attendance/S-1", EDIT)
    late = program.put("/sessions/1/attendance/S-1", EDIT | {"status": "late"})
    assert late.status_code == 409
    assert late.json is not None
    assert late.json["version"] == 2
    assert "doctor" in late.json["detail"]
    by_tag = {name: value for name, value in EDIT.items() if name != "version"}
    assert program.put("/sessions/1/attendance/S-1", by_tag, If_Match='"1"').status_code == 412
    assert (
        program.put("/sessions/1/attendance/S-1", by_tag | {"status": "late"}, If_Match='"2"').status_code
        == 200
    )
    assert program.put("/sessions/1/attendance/S-1", by_tag).status_code == 422


def test_an_edit_sent_twice_under_its_key_counts_once(program: Program, database: Database) -> None:
    answers = [program.put("/sessions/1/attendance/S-1", EDIT, Idempotency_Key="k") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert count(database, EditRow) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reason": ""},
        {"reason": "   "},
        {"status": "there"},
        {"minutes": -1},
        {"minutes": 46},  # of a session of 45
        {"joined_at": "2026-03-02T08:00:00"},  # in which zone?
        {"joined_at": "2026-03-02T08:30:00Z", "last_seen_at": "2026-03-02T08:20:00Z"},
        {"joined_at": "2026-03-01T22:59:00Z"},  # the evening before
        {"last_seen_at": "2026-03-03T08:40:00Z"},
        {"version": 0},
        {"nickname": "x"},
    ],
)
def test_an_edit_that_cannot_be_is_refused(
    program: Program, database: Database, change: dict[str, Any]
) -> None:
    assert program.put("/sessions/1/attendance/S-1", EDIT | change).status_code == 422
    assert count(database, EditRow) == 0


def test_nobody_elses_entry_is_written(program: Program, program_of: Makes) -> None:
    assert program.put("/sessions/1/attendance/S-9", EDIT).status_code == 404
    assert program.put("/sessions/9/attendance/S-1", EDIT).status_code == 404
    assert program_of("otto@example.edu").put("/sessions/1/attendance/S-1", EDIT).status_code == 404


def test_a_review_is_settled_and_the_slower_is_told(program: Program, database: Database) -> None:
    listed = program.get("/reviews").json
    assert listed is not None
    review = listed["items"][0]
    path = f"/sessions/{review['session_id']}/reviews/{review['id']}"
    answer = program.post(
        f"{path}/settlement", {"answer": "guest", "guest": "Dr. Cid", "mark": review["mark"]}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert (answer.json["state"], answer.json["guest"], answer.json["settled_by"]) == (
        "guest",
        "Dr. Cid",
        STAFF,
    )
    slower = program.post(f"{path}/settlement", {"answer": "dismiss", "mark": review["mark"]})
    assert slower.status_code == 409
    assert program.get("/reviews").json == {"items": [], "next": None}
    assert program.get("/reviews?state=settled").json == {"items": [answer.json], "next": None}


@pytest.mark.parametrize(
    "answer",
    [
        {"answer": "reassign"},
        {"answer": "reassign", "student_no": "S-9"},
        {"answer": "guest"},
        {"answer": "confirm"},  # whom? nobody is suspected
        {"answer": "agree"},
        {},
    ],
)
def test_an_answer_that_is_none_of_a_review_is_refused(program: Program, answer: dict[str, str]) -> None:
    assert program.post("/sessions/1/reviews/1/settlement", answer).status_code == 422
    assert program.post("/sessions/1/reviews/99/settlement", {"answer": "dismiss"}).status_code == 404


SAYS = "I was there.\nMy camera froze."


@pytest.fixture
def dispute(program: Program, database: Database) -> dict[str, Any]:
    """Ben's word against his entry, as the list has it."""
    with database.writing() as writing:
        ben = writing.scalars(select(Student).where(Student.student_no == "S-2")).one()
        make_dispute(writing, 1, ben.id, SAYS, STUDENT_B)
    catch_up(database)
    return next(one for one in items(program, "?session_id=1") if one["kind"] == "dispute")


def items(program: Program, query: str) -> list[dict[str, Any]]:
    listed = program.get(f"/reviews{query}").json
    assert listed is not None
    return list(listed["items"])


@pytest.mark.parametrize(("answer", "state"), [("accept", "accepted"), ("decline", "not_accepted")])
def test_a_dispute_is_listed_with_its_text_and_answered_in_words(
    program: Program, dispute: dict[str, Any], answer: str, state: str
) -> None:
    assert (dispute["text"], dispute["student_no"], dispute["state"]) == (SAYS, "S-2", "open")
    assert {one["text"] for one in items(program, "") if one["kind"] != "dispute"} == {""}
    path = f"/sessions/1/reviews/{dispute['id']}"
    assert program.get(path).json == dispute
    for reason in ({}, {"reason": " \n"}):
        refused = program.post(f"{path}/settlement", {"answer": answer, **reason})
        assert refused.status_code == 422
        assert refused.json is not None
        assert refused.json["detail"].startswith("reason: ")
    told = {"answer": answer, "reason": "I saw the recording.", "mark": dispute["mark"]}
    settled = program.post(f"{path}/settlement", told)
    assert settled.status_code == 200, settled.text
    assert settled.json is not None
    assert [settled.json[name] for name in ("state", "reason", "settled_by", "text")] == [
        state, "I saw the recording.", STAFF, SAYS
    ]  # fmt: skip
    assert program.post(f"{path}/settlement", told).status_code == 200
    other = "decline" if answer == "accept" else "accept"
    assert program.post(f"{path}/settlement", told | {"answer": other}).status_code == 409


REFUSED_ANSWERS = {
    "dispute": ("confirm", "reassign", "not_this_person", "guest", "dismiss"),
    "headcount": ("reassign", "not_this_person", "guest", "accept", "decline"),
    "unknown_face": ("confirm", "accept", "decline"),
}


@pytest.mark.parametrize(
    ("kind", "answer"), [(kind, answer) for kind, them in REFUSED_ANSWERS.items() for answer in them]
)
def test_an_answer_that_does_not_fit_the_review_is_refused_in_words_for_programs(
    program: Program, dispute: dict[str, Any], database: Database, kind: str, answer: str
) -> None:
    with database.writing() as writing:
        writing.add(ReviewRow(session_id=1, kind="headcount", subject="look-0001", at=START, state="open"))
    review = next(one for one in items(program, "") if one["kind"] == kind)
    told = {"answer": answer, "student_no": "S-1", "guest": "Dr. Cid", "reason": "x"}
    refused = program.post(f"/sessions/1/reviews/{review['id']}/settlement", told)
    assert refused.status_code == 422, refused.text
    assert refused.json is not None
    detail = refused.json["detail"]
    assert detail.startswith("answer: ")
    assert not re.search(r"gridroll|--|\bNO\b", detail)


def test_a_student_that_is_none_is_refused_without_a_command(program: Program) -> None:
    told = {"answer": "reassign", "student_no": "S-9"}
    refused = program.post("/sessions/1/reviews/1/settlement", told)
    assert refused.status_code == 422
    assert refused.json is not None
    assert refused.json["detail"].startswith("student_no: ")
    assert "gridroll" not in refused.json["detail"]


def test_students_and_courses_are_added(program: Program, database: Database) -> None:
    assert program.post("/courses", {"code": "PHYS-1", "time_zone": "Europe/Berlin"}).status_code == 201
    assert program.post("/courses", {"code": "PHYS-1"}).status_code == 409
    assert program.post("/courses", {"code": "PHYS-2", "time_zone": "Mars/Base"}).status_code == 422
    given = {"student_no": "S-7", "name": "Gus Gale", "email": "gus@example.edu"}
    answer = program.post("/courses/PHYS-1/students", given)
    assert answer.status_code == 201, answer.text
    assert answer.json == {**given, "courses": ["PHYS-1"]}
    assert program.get("/students/S-7").json == answer.json
    assert actors(database, "student.added")[-1] == STAFF


@pytest.mark.parametrize("code", ["..", "%2e", "Z?", "MATH/term", " ", ""])
def test_a_course_that_no_address_could_name_is_refused(
    program: Program, database: Database, code: str
) -> None:
    before = count(database, Course)
    answer = program.post("/courses", {"code": code})
    assert answer.status_code == 422, answer.text
    assert count(database, Course) == before


def test_a_code_may_have_parts(program: Program) -> None:
    assert program.post("/courses", {"code": "CS/101"}).status_code == 201
    given = {"student_no": "S-7", "name": "Gus Gale", "email": ""}
    assert program.post("/courses/CS/101/students", given).status_code == 201
    found: Any = program.get("/courses/CS/101").json
    assert found["code"] == "CS/101"


def test_an_address_that_is_left_out_stays(program: Program) -> None:
    before: Any = program.get("/students/S-1").json
    answer = program.post(f"/courses/{COURSE}/students", {"student_no": "S-1", "name": before["name"]})
    assert answer.status_code == 201
    assert program.get("/students/S-1").json == before
    assert before["email"]


@pytest.mark.parametrize(
    "change",
    [
        {"student_no": "S 7"},
        {"student_no": ""},
        {"name": "  "},
        {"name": "a\x00b"},
        {"email": "nobody"},
        {"enrolled_on": "soon"},
        {"enrolled_on": "0001-01-01"},
        {"enrolled_on": "9999-12-31"},
    ],
)
def test_a_student_that_cannot_be_is_refused(
    program: Program, database: Database, change: dict[str, str]
) -> None:
    given = {"student_no": "S-7", "name": "Gus Gale"} | change
    assert program.post(f"/courses/{COURSE}/students", given).status_code == 422
    assert count(database, Student) == 2


def test_an_instructors_token_makes_no_course_and_renames_nobody(meeting: int, program_of: Makes) -> None:
    ines = program_of(INSTRUCTOR)
    assert ines.post("/courses", {"code": "PHYS-1"}).status_code == 403
    renamed = {"student_no": "S-1", "name": "Eve Else", "email": ""}
    assert ines.post(f"/courses/{COURSE}/students", renamed).status_code == 409
    fresh = {"student_no": "S-8", "name": "Hal Holt"}
    assert ines.post(f"/courses/{COURSE}/students", fresh).status_code == 201


def test_reports_are_those_of_the_command_line(program: Program) -> None:
    report = program.get("/sessions/1/report").json
    assert report is not None
    assert list(report) == ["session", "students", "looks", "reviews"]
    assert [line["student_no"] for line in report["students"]] == ["S-1", "S-2"]
    term = program.get(f"/courses/{COURSE}/term?starts_before=2027-01-01T00:00:00Z").json
    assert term is not None
    assert term["students"][0]["statuses"] == ["present"]
