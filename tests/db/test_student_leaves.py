"""What students say and what they leave behind, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from db.accounts import add_user, find_user
from db.consents import consents_of, withdraw_consents
from db.database import Database
from db.disputes import DisputeError, disputes_in, disputes_of, every_dispute_of, make_dispute
from db.doubts import Dispute
from db.erasures import ask_for_erasure, erasures_of, open_erasures, refuse_erasure, settled_erasures
from db.errors import NotFoundError
from db.evidence.claims import Kept, attach, claim
from db.excuses import add_excuse
from db.judgements import NewJudgement, find_review, record_judgement, settle_review
from db.ledger import catch_up
from db.own_crops import own_crops
from db.own_data import own_data
from db.own_holdings import Holdings, holdings_of
from db.own_record import courses_of, own_edits, own_marks
from db.people import find_student, record_consent, roster_ids
from db.proof.chain import TamperedError, walk
from db.proof.records import check_entries, check_told
from db.proof.reviews import check_ledgers, check_reviews
from db.removal import anonymise, proofs_of_removal
from db.rules import Look, Rules, Span, fold
from db.schema import AuditRow, ExcuseRow, JudgementRow, LookRow, ReviewRow, Student
from db.sessions import find_session, start_session
from tests.conftest import START
from tests.db.classroom import Classroom

STAFF = "al@x.example"
GONE = {"faces": 1, "photographs": 0, "crops": 2, "judged_faces": 0, "consents": 1}


@pytest.fixture
def room(database: Database) -> Classroom:
    room = Classroom(database)
    room.enrol_faces()
    for minute in (1, 20, 44):
        room.look(minute, "a", "b", namings=(*room.named("a", room.ann), *room.named("b", room.ben)))
    return room


def verify(room: Classroom) -> None:
    with room.database.reading() as session:
        for links in walk(session):
            check_told(session, links)
        check_entries(session)
        check_reviews(session)
        check_ledgers(session)


def dispute(room: Classroom, text: str = "I was there") -> int:
    with room.database.writing() as session:
        return make_dispute(session, room.id, room.ann, text, f"student:{room.ann}")


def review_of(room: Classroom) -> ReviewRow | None:
    catch_up(room.database)
    with room.database.reading() as session:
        return session.scalars(select(ReviewRow).where(ReviewRow.kind == "dispute")).one_or_none()


def test_a_dispute_is_a_record_that_opens_its_review_once(room: Classroom) -> None:
    before = room.statuses()
    number = dispute(room)
    for _ in range(2):
        review = review_of(room)
        assert review is not None
        assert (review.subject, review.student_id, review.state) == (f"dispute:{number}", room.ann, "open")
        room.look(30 + _, "a", "b")
    assert room.statuses() == before
    with pytest.raises(DisputeError):
        dispute(room, "something else")
    assert dispute(room) == number
    verify(room)


def answer(room: Classroom, text: str) -> None:
    review = review_of(room)
    assert review is not None
    now = datetime.now(UTC)
    with room.database.writing() as session:
        new = NewJudgement(
            room.id, review.subject, "dispute", "accepted", room.ann, "", None, STAFF, now, text, None, now
        )
        record_judgement(session, new)
        settle_review(session, find_review(session, review.id), "accepted", None, STAFF, now, text)


def test_an_answer_closes_the_dispute_for_good(room: Classroom) -> None:
    dispute(room)
    answer(room, "Yes.")
    room.look(31, "a", "b")
    with room.database.reading() as session:
        (line,) = disputes_of(session, room.id, room.ann)
        assert (line.state, line.answer) == ("accepted", "Yes.")
        assert every_dispute_of(session, room.ann) == [(room.id, line)]
        assert disputes_of(session, room.id, room.ben) == []
    verify(room)


def test_no_status_waits_for_a_dispute() -> None:
    looks = [Look("u1", START, START, 0, frozenset()), Look("u2", START, START, 1, frozenset({"t"}))]
    span, rules = Span(START, START + timedelta(minutes=45)), Rules()
    said = [Dispute(7, 1, START + timedelta(days=2))]
    without = fold(looks, [], {1, 2}, span, rules)
    ledger = fold(looks, [], {1, 2}, span, rules, disputes=said)
    assert (ledger.entries, ledger.balances) == (without.entries, without.balances)
    (doubt,) = set(ledger.doubts) - set(without.doubts)
    assert (doubt.kind, doubt.subject, doubt.student_id) == ("dispute", "dispute:7", 1)


def remove(room: Classroom) -> dict[str, int]:
    with room.database.writing() as session:
        return anonymise(session, room.ann, GONE, STAFF, "asked")


def test_what_a_student_was_answered_goes_with_them(room: Classroom) -> None:
    dispute(room)
    answer(room, "Dear Ann Arbour, yes.")
    verify(room)
    assert remove(room)["texts"] == 2
    with room.database.reading() as session:
        assert {row.reason for row in session.scalars(select(ReviewRow)) if row.kind == "dispute"} <= {
            "",
            None,
        }
        assert {row.reason for row in session.scalars(select(JudgementRow))} == {""}
        assert not [row.seq for row in session.scalars(select(AuditRow)) if "Arbour" in row.detail]
    verify(room)


def test_an_answer_that_was_altered_behind_the_chains_back_is_found(room: Classroom) -> None:
    dispute(room)
    answer(room, "Yes.")
    with room.database.writing() as session:
        session.execute(update(ReviewRow).where(ReviewRow.kind == "dispute").values(reason="No."))
    with pytest.raises(TamperedError, match="for another reason"):
        verify(room)


def test_a_removed_student_keeps_their_entries_and_loses_all_that_names_them(room: Classroom) -> None:
    with room.database.writing() as session:
        student = find_student(session, "A")
        add_user(session, student.email, "student", "hash")
        at = START - timedelta(hours=1), START + timedelta(hours=1)
        add_excuse(session, "A", None, *at, "a cold", STAFF)
        ask_for_erasure(session, room.ann, "please", f"student:{room.ann}")
    dispute(room)
    catch_up(room.database)
    before = room.statuses()
    counts = remove(room)
    assert counts == GONE | {"texts": 3, "accounts": 1, "courses": 1, "messages": 0}
    catch_up(room.database)
    assert review_of(room) is None
    assert room.statuses() == {"Removed student": before["Ann"], "Ben": before["Ben"]}
    with room.database.reading() as session:
        row = find_session(session, room.id)
        assert roster_ids(session, row) == {room.ann, room.ben}
        assert proofs_of_removal(session, [room.ann, room.ben]) == {room.ann: counts}
        assert session.get_one(Student, room.ann).student_no == f"removed-{room.ann}"
        assert find_user(session, "a@x.example") is None
        assert session.scalars(select(ExcuseRow.reason)).all() == [""]
        assert disputes_in(session, room.id) == []
        assert open_erasures(session) == []
        settled, count = settled_erasures(session, 10)
        assert (count, settled[0][0].outcome, settled[0][0].text) == (1, "carried_out", "")
        assert courses_of(session, room.ann) == []
    verify(room)
    with pytest.raises(NotFoundError):
        remove(room)


def test_who_is_removed_from_one_class_is_expected_in_no_later_one(room: Classroom) -> None:
    remove(room)
    catch_up(room.database)
    second = Classroom.__new__(Classroom)
    second.database, second.ann, second.ben = room.database, room.ann, room.ben
    with room.database.writing() as session:
        second.id = start_session(session, "BIO", "Cells", START + timedelta(days=7), 45).id
    second.look(1, "b", namings=second.named("b", second.ben), uid="later")
    with room.database.reading() as session:
        assert roster_ids(session, find_session(session, second.id)) == {room.ben}
        assert {mark.session_id for mark in own_marks(session, room.ann)} == {room.id}


def keep(room: Classroom, *tracks: str) -> None:
    with room.database.writing() as session:
        now = datetime.now(UTC)
        look_id = session.scalars(select(LookRow.id).where(LookRow.uid == "look-1")).one()
        names = {track: track * 64 for track in tracks}
        claim(session, names.values(), "k", now)
        attach(session, room.id, look_id, [Kept(track, name, 9, now) for track, name in names.items()])


def judge(room: Classroom, track: str, verdict: str, student_id: int) -> None:
    now = datetime.now(UTC)
    with room.database.writing() as session:
        new = NewJudgement(
            room.id, track, "low_similarity", verdict, student_id, "", None, STAFF, now, "", None, now
        )
        record_judgement(session, new)


@pytest.mark.parametrize(
    ("rule", "crops"),
    [
        (lambda _: None, {"ann": {"a"}, "ben": {"b"}}),
        (lambda room: judge(room, "a", "is_student", room.ben), {"ann": set(), "ben": {"a", "b"}}),
        (lambda room: judge(room, "a", "not_student", room.ann), {"ann": set(), "ben": {"b"}}),
    ],
    ids=["as the machine says", "as staff say", "as staff deny"],
)
def test_each_crop_is_one_student_s_at_most(
    room: Classroom, rule: Callable[[Classroom], None], crops: dict[str, set[str]]
) -> None:
    keep(room, "a", "b")
    rule(room)
    with room.database.reading() as session:
        for where in (room.id, None):
            found = {
                name: len(own_crops(session, student_id, where))
                for name, student_id in (("ann", room.ann), ("ben", room.ben))
            }
            assert found == {name: len(own) for name, own in crops.items()}
        held = holdings_of(session, room.ann)
    assert held == Holdings(1, 1, 0, len(crops["ann"]))


def test_a_student_s_data_are_theirs_alone(room: Classroom) -> None:
    keep(room, "a", "b")
    room.edit("A", status="late", remark="secret", reason="hidden")
    room.edit("A", status="late", remark="other", reason="hidden")
    with room.database.writing() as session:
        record_consent(session, find_student(session, "A"), "form 7")
        assert withdraw_consents(session, room.ann) == 1
        assert withdraw_consents(session, room.ann) == 0
    with room.database.reading() as session:
        data = own_data(session, room.ann)
        assert [one.withdrawn_at is not None for one in consents_of(session, room.ann)] == [True]
        assert [one.said.status for one in own_edits(session, room.ann, room.id)] == ["late"]
    shown = str(data)
    for foreign in ("Ben", "secret", "hidden", STAFF):
        assert foreign not in shown
    assert {name: len(rows) for name, rows in data.tables.items() if rows} == {
        "courses": 1,
        "consents": 1,
        "sessions": 1,
        "stays": 1,
        "recognitions": 3,
        "edits": 2,
        "faces": 1,
        "changes": 3,
    }


def test_a_wish_is_refused_once_and_with_words(room: Classroom) -> None:
    with room.database.writing() as session:
        wish = ask_for_erasure(session, room.ann, "", f"student:{room.ann}")
        assert ask_for_erasure(session, room.ann, "again", f"student:{room.ann}") == wish
    for _ in range(2):
        with room.database.writing() as session:
            refuse_erasure(session, wish, "The law.", STAFF)
    with room.database.reading() as session:
        (row,) = erasures_of(session, room.ann)
        assert (row.outcome, row.answer, row.settled_by) == ("refused", "The law.", STAFF)
    verify(room)
