"""A record that was altered, removed or added behind the chain's back is found, on SQLite and on a real MariaDB."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.accounts import add_user
from db.audit import note
from db.database import Database, make_database
from db.edits import NewEdit, edit_entry
from db.excuses import add_excuse
from db.instructors import add_instructor
from db.judgements import NewJudgement, record_judgement
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import RosterLine, enrol, forget_faces, make_course, record_consent, record_faces
from db.proof.chain import TamperedError, walk
from db.proof.kinds import KINDS, note_record
from db.proof.records import check_entries, check_records, check_told
from db.schema import (
    AuditRow,
    Base,
    DisputeRow,
    ErasureRow,
    FaceRow,
    SlotRow,
    WebhookRow,
)
from db.sessions import start_session
from db.tokens import add_token
from tests.conftest import START
from tests.db.proof.test_chain import undone

EXEMPT = {
    "attendance": "folded; its status is held against what the chain tells",
    "intervals": "folded from looks and judgements",
    "reviews": "folded; what staff said of one is a judgement",
    "recognisable": "whom an engine knew when looks were stored: derived from faces, which are noted",
    "due_folds": "what is still to be folded",
    "sightings": "part of their look",
    "namings": "part of their look",
    "audit": "the chain itself",
    "audit_head": "the chain itself",
    "evidence_blobs": "ciphertexts, named by their digests; swept when no evidence needs them",
    "evidence": "kept for a time only, then swept; read with its digest",
    "engine_calls": "money, nobody's attendance",
    "spending": "money, nobody's attendance",
    "sign_ins": "signing in changes nothing",
    "password_links": "a link changes nothing; the password that it sets is noted",
    "photos": "named by their digests; whose face was indexed from one is noted",
    "planned": "that a slot's week was planned; the session that came of it is noted",
    "throttles": "how often somebody tried, for minutes",
    "replies": "answers kept to repeat them",
    "deliveries": "copies of what is in the ledger, on their way to other programs",
}


def verified(session: Session) -> int:
    session.expire_all()
    for links in walk(session):
        check_told(session, links)
    count = check_records(session)
    check_entries(session)
    return count


def fill(session: Session) -> None:
    """A record of every kind, through the product's own functions where it has them."""
    course = make_course(session, "BIO", "Europe/Berlin")
    lines = [
        RosterLine(f"S{number}", f"Student {number}", f"s{number}@x.example", "", "") for number in (1, 2)
    ]
    ann, ben = enrol(session, course, lines)
    record_consent(session, ann, "form 7")
    sue = add_user(session, "sue@x.example", "admin", "hash")
    add_instructor(session, course, add_user(session, "ida@x.example", "instructor", "hash"))
    add_user(session, "zoe@x.example", "staff", "hash")
    add_token(session, "Room 7", "0" * 64, ["observations"], sue, course)
    faces = [
        FaceRow(
            face_id=face_id,
            student_id=ann.id,
            engine="local",
            model="dlib",
            photo="a.jpg",
            photo_sha256="0" * 64,
            indexed_at=START,
        )
        for face_id in ("f1", "f2")
    ]
    record_faces(session, faces, "sue@x.example")
    row = start_session(session, "BIO", "Cells", START, 45)
    for number in range(2):
        naming = NewNaming("t1", "named", ann.id, "f1", 95.5, ben.id, 61.25, 91.0, 2, "local", "dlib", 5.0)
        at = START + timedelta(minutes=number)
        sightings = (NewSighting("t1", (1, 2, 3, 4)), NewSighting("t2", (5, 6, 7, 8), "loop"))
        new = NewLook(row.id, f"u{number}", at, at, "headcount", 2, 1, 0, sightings, (naming,))
        record_looks(session, [new])
    judgement = (
        row.id,
        "t2",
        "unknown_face",
        "guest",
        None,
        "Gina",
        None,
        "sue@x.example",
        START,
        "seen her",
    )
    record_judgement(session, NewJudgement(*judgement, b"template", START + timedelta(days=1)))
    edit_entry(session, NewEdit(row.id, "S1", "a tram", "sue@x.example", status="late", minutes=45, uid="e1"))
    add_excuse(session, "S2", None, START, START + timedelta(days=1), "ill", "sue@x.example")
    span = {"from_on": "2026-09-01", "until_on": "2027-02-01"}
    hook = {"url": "https://lms.example/", "secret": "s", "events": "session.ended", "user_id": sue.id}
    for action, record in (
        ("slot.made", SlotRow(course_id=course.id, weekday=0, begins="09:15", minutes=45, **span)),
        ("dispute.made", DisputeRow(session_id=row.id, student_id=ann.id, text="I was there", made_at=START)),
        ("erasure.asked", ErasureRow(student_id=ben.id, text="", asked_at=START)),
        ("webhook.made", WebhookRow(**hook, made_at=START)),
    ):
        session.add(record)
        session.flush()
        note_record(session, "sue@x.example", action, record)
    refold(session, row)


@pytest.fixture
def filled(database: Database) -> Database:
    with database.writing() as session:
        fill(session)
    return database


DONE = (
    ("UPDATE students SET student_no = 'S9' WHERE id = 1", "student 1 is not as it was recorded in row 2"),
    ("UPDATE users SET password_hash = 'mine' WHERE id = 1", "user 1 is not as it was recorded"),
    ("UPDATE users SET role = 'student' WHERE id = 1", "user 1 is not as"),
    ("UPDATE courses SET late_after_s = 0 WHERE id = 1", "course 1 is not as it was recorded in row 1"),
    ("UPDATE consents SET note = 'form 8'", "consent 1 is not as"),
    ("UPDATE sessions SET min_presence = 0.5", "session 1 is not as"),
    ("UPDATE looks SET headcount = 3 WHERE uid = 'u1'", "look u1 of session 1 is not as it was recorded"),
    ("UPDATE sightings SET x1 = 0 WHERE look_id = 2 AND track = 't1'", "look u1 of session 1 is not as"),
    ("DELETE FROM sightings WHERE look_id = 1 AND track = 't2'", "look u0 of session 1 is not as"),
    ("UPDATE namings SET student_id = 2 WHERE look_id = 1", "look u0 of session 1 is not as"),
    ("UPDATE namings SET similarity_pct = 95.50000000000001 WHERE look_id = 1", "look u0 of session 1"),
    ("UPDATE judgements SET verdict = 'is_student', student_id = 1", "judgement 1 is not as"),
    ("UPDATE edits SET status = 'present'", "edit e1 is not as"),
    ("UPDATE excuses SET until_at = '2027-01-01 00:00:00.000000'", "excuse 1 is not as"),
    ("UPDATE faces SET student_id = 2 WHERE face_id = 'f2'", "face f2 is (there|not|missing)"),
    (
        "UPDATE attendance SET status = 'present' WHERE student_id = 1",
        "the entry of student 1 in session 1 says 'present', and row",
    ),
    ("DELETE FROM attendance WHERE student_id = 2", "the entry of student 2 in session 1 is missing; row"),
    (
        "INSERT INTO attendance (session_id, student_id, status, minutes, source, version) "
        "VALUES (1, 3, 'present', 45, 'staff', 2)",
        "the entry of student 3 in session 1 is there, and no row of the chain knows of it",
    ),
    ("DELETE FROM edits", "edit e1 is missing; row"),
    ("DELETE FROM excuses", "excuse 1 is missing; row"),
    ("DELETE FROM judgements", "judgement 1 is missing; row"),
    ("DELETE FROM consents", "consent 1 is missing; row"),
    ("DELETE FROM course_staff", "the place of user 2 as instructor of course 1 is missing; row"),
    ("UPDATE tokens SET revoked_at = NULL, scopes = 'attendance'", "token 1 is not as"),
    ("UPDATE timetable SET weekday = 1", "slot 1 of a timetable is not as"),
    ("UPDATE disputes SET said = 'never mind'", "dispute 1 is not as"),
    ("DELETE FROM erasures", "erasure request 1 is missing; row"),
    ("UPDATE webhooks SET url = 'https://me.example/'", "webhook 1 is not as"),
    ("DELETE FROM users WHERE id = 3", "user 3 is missing; row"),
    ("DELETE FROM faces WHERE face_id = 'f1'", "face f1 is missing; row"),
    ("DELETE FROM enrolments WHERE student_id = 2", "enrolment of student 2 in course 1 is missing; row"),
    (
        "INSERT INTO enrolments (course_id, student_id) SELECT 1, id FROM students WHERE student_no = 'S3'",
        "enrolment of student 3 in course 1 is there, and no row of the chain knows of it",
    ),
    (
        "INSERT INTO looks (session_id, uid, began_at, taken_at, look_trigger, headcount, identified, unknown_heads, "
        "searches, paid) SELECT session_id, 'u7', began_at, taken_at, 'spot', 0, 0, 0, 0, 0 FROM looks WHERE id = 1",
        "look u7 of session 1 is there, and no row of the chain knows of it: it was inserted",
    ),
    ("UPDATE looks SET uid = 'u8' WHERE uid = 'u0'", "look u0 of session 1 is missing; row"),
)


def test_what_was_done_to_a_record_is_found_and_named(filled: Database) -> None:
    with filled.writing() as session:
        lines = [RosterLine("S3", "Student 3", "", "", "")]
        enrol(session, make_course(session, "CHEM"), lines)
    for statement, message in DONE:
        with undone(filled) as session:
            assert verified(session) == 26
            assert session.execute(text(statement)).rowcount == 1, statement  # type: ignore[attr-defined]
            with pytest.raises(TamperedError, match=message):
                verified(session)


def test_no_record_of_any_kind_goes_unseen_and_no_kind_is_forgotten(filled: Database) -> None:
    kinds = {kind.model.__tablename__ for kind in KINDS}
    assert kinds | EXEMPT.keys() == Base.metadata.tables.keys(), "a new table: of a kind, or exempt and why?"
    assert not kinds & EXEMPT.keys()
    with filled.reading() as session:
        for table in kinds:
            assert session.scalar(text(f"SELECT COUNT(*) FROM {table}")), f"{table} is not tried here"


def test_a_face_that_is_removed_may_be_gone_and_may_not_come_back(filled: Database) -> None:
    with filled.writing() as session:
        forget_faces(session, ["f1"], "sue@x.example")
    with undone(filled) as session:
        verified(session)
        session.execute(text("UPDATE faces SET face_id = 'f1' WHERE face_id = 'f2'"))
        with pytest.raises(
            TamperedError, match=r"face f2 is missing|face f1 is there, and row \d+ says that it was"
        ):
            verified(session)


def test_what_may_be_erased_or_is_folded_is_no_forgery(filled: Database) -> None:
    with undone(filled) as session:
        session.execute(text("UPDATE judgements SET name = '', template = NULL"))
        session.execute(
            text("UPDATE looks SET identified = 2, unknown_heads = 0, reviewed = 1, causes = '{}'")
        )
        verified(session)


def test_a_value_that_no_column_holds_is_one_clear_line(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        fill(session)
    with undone(sqlite_database) as session:
        session.execute(text("UPDATE sessions SET starts_at = 'yesterday'"))
        with pytest.raises(TamperedError, match="the table sessions holds a value"):
            verified(session)


def test_a_database_without_a_chain_is_vouched_for_as_it_was_found(database_url: str) -> None:
    _made_by_an_older_version(database_url)
    database = make_database(database_url)
    try:
        with database.reading() as session:
            assert verified(session) == 5
            rows = session.scalars(select(AuditRow).order_by(AuditRow.seq)).all()
            assert [row.action for row in rows] == [
                *("course.found", "student.found", "enrolment.found", "session.found", "look.found"),
                *("ledger.found", "chain.began"),
            ]
        for statement in (
            "UPDATE sightings SET x1 = 9",
            "UPDATE looks SET uid = 'u2'",
            "DELETE FROM enrolments",
        ):
            with undone(database) as session, pytest.raises(TamperedError):  # noqa: PT012
                session.execute(text(statement))
                verified(session)
        # Made once more, it takes nothing over that was added since.
        with database.writing() as session:
            session.execute(text("INSERT INTO students (student_no, name, email) VALUES ('S2', 'Ben', '')"))
        make_database(database_url).close()
        with (
            database.reading() as session,
            pytest.raises(TamperedError, match="student 2 is there, and no row"),
        ):
            verified(session)
    finally:
        database.close()


def _made_by_an_older_version(url: str) -> None:
    database = Database(url)
    database.migrate("0003")
    with database.engine.begin() as connection:
        at = "'2026-11-20 09:00:00.123456'"
        for statement in (
            "INSERT INTO courses (code, time_zone, late_after_s, left_early_s, min_presence) "
            "VALUES ('BIO', 'UTC', 600, 600, 0.1)",
            "INSERT INTO students (student_no, name, email) VALUES ('S1', 'Ann', 'a@x.example')",
            "INSERT INTO enrolments (course_id, student_id) VALUES (1, 1)",
            f"INSERT INTO sessions (course_id, title, starts_at, ends_at) VALUES (1, 'Cells', {at}, {at})",
            "INSERT INTO looks (session_id, uid, began_at, taken_at, look_trigger, headcount, identified, "
            f"unknown_heads, searches, paid) VALUES (1, 'u1', {at}, {at}, 'headcount', 1, 0, 1, 0, 0)",
            "INSERT INTO sightings (look_id, track, x1, y1, x2, y2) VALUES (1, 't1', 1, 2, 3, 4)",
            "INSERT INTO attendance (session_id, student_id, status, minutes, source, version) "
            "VALUES (1, 1, 'absent', 0, 'system', 1)",
        ):
            connection.execute(text(statement))
    database.close()


def test_a_note_that_only_mentions_a_record_says_nothing_of_its_state(filled: Database) -> None:
    with filled.writing() as session:
        note(session, "system", "session.exported", "session:1", None, {"at": datetime.now(UTC)})
        note(session, "system", "ledger.folded", "session:1/student:1", None, {"minutes": 3})
    with filled.reading() as session:
        assert verified(session) == 23
