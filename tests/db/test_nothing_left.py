"""What a removed student would leave outside the records of their classes is gone too, on both databases."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from db.accounts import add_user
from db.consents import consents_of
from db.database import Database
from db.erasures import ask_for_erasure, erasures_of, refuse_erasure
from db.excuses import add_excuse, withdraw_excuse
from db.people import find_student, record_consent
from db.proof.chain import walk
from db.proof.history import Wanted, history_page
from db.proof.records import check_records, check_told
from db.removal import anonymise
from db.replies import Claim, claim_reply, keep_reply
from db.schema import AuditRow, DeliveryRow, ReplyRow, TokenRow
from db.tokens import add_token, revoke_token
from db.webhooks import add_delivery, add_webhook
from tests.conftest import START
from tests.db.classroom import Classroom

STAFF = "al@x.example"
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SPAN = START - timedelta(hours=1), START + timedelta(hours=1)


def remove(room: Classroom) -> dict[str, int]:
    with room.database.writing() as session:
        return anonymise(session, room.ann, {}, STAFF, "asked")


def chain(database: Database) -> str:
    with database.reading() as session:
        return "\n".join(session.scalars(select(AuditRow.detail)))


def verify(database: Database) -> None:
    with database.reading() as session:
        for links in walk(session):
            check_told(session, links)
        check_records(session)


def answered(database: Database, key: str, body: object) -> None:
    claim = Claim(key * 64, "turn")
    with database.writing() as session:
        assert claim_reply(session, claim, "0" * 64, NOW) is None
        keep_reply(session, claim, 200, json.dumps(body))


def test_answers_that_name_the_student_are_dropped(database: Database) -> None:
    room = Classroom(database)
    answered(database, "a", {"student_no": "A", "name": "x"})
    answered(database, "b", {"settled_name": "Ann"})
    answered(database, "c", {"student_no": "AA", "name": "Annabel"})
    assert remove(room)["messages"] == 2
    with database.reading() as session:
        assert session.scalars(select(ReplyRow.key_hash)).all() == ["c" * 64]


def test_messages_to_webhooks_hold_the_new_number(database: Database) -> None:
    room = Classroom(database)
    entries = [{"student_no": "A", "status": "late"}, {"student_no": "B", "status": "late"}]
    with database.writing() as session:
        staff = add_user(session, STAFF, "admin", "hash")
        hook = add_webhook(session, "https://x.example/", "sealed", ["entry.changed"], staff, NOW)
        for uid, told in (("u-1", entries), ("u-2", entries[1:])):
            body = json.dumps({"id": uid, "data": {"title": "A", "entries": told}})
            add_delivery(session, hook.id, "entry.changed", body, uid, NOW)
    assert remove(room)["messages"] == 1
    with database.reading() as session:
        one, other = (json.loads(body)["data"] for body in session.scalars(select(DeliveryRow.body)))
    assert one["title"] == "A"
    assert [entry["student_no"] for entry in one["entries"]] == [f"removed-{room.ann}", "B"]
    assert other["entries"] == entries[1:]


def test_notes_of_consents_and_answers_to_wishes_are_emptied(database: Database) -> None:
    room = Classroom(database)
    with database.writing() as session:
        record_consent(session, find_student(session, "A"), "signed by Ann's mother")
        wish = ask_for_erasure(session, room.ann, "", f"student:{room.ann}")
        refuse_erasure(session, wish, "Ann is still enrolled.", STAFF)
    remove(room)
    with database.reading() as session:
        assert [one.note for one in consents_of(session, room.ann)] == [""]
        assert [one.answer for one in erasures_of(session, room.ann)] == [None]
    assert "still enrolled" not in chain(database)
    verify(database)


def test_calendar_links_end_and_lose_their_names(database: Database) -> None:
    room = Classroom(database)
    with database.writing() as session:
        user = add_user(session, find_student(session, "A").email, "student", "hash")
        for name in ("Ann's phone", "Ann's watch"):
            add_token(session, name, name[-1] * 64, ["calendar"], user)
        revoke_token(session, 2)
        staff = add_user(session, STAFF, "staff", "hash")
        add_token(session, "the office's", "9" * 64, ["calendar"], staff)
    remove(room)
    with database.reading() as session:
        held = session.execute(select(TokenRow.name, TokenRow.revoked_at.is_not(None)).order_by(TokenRow.id))
        assert [tuple(row) for row in held] == [("", True), ("", True), ("the office's", False)]
    assert "Ann's" not in chain(database)
    assert "the office's" in chain(database)
    verify(database)


def test_why_somebody_was_excused_is_read_from_the_record_and_not_from_the_chain(database: Database) -> None:
    room = Classroom(database)
    with database.writing() as session:
        excuse = add_excuse(session, "A", None, *SPAN, "a slipped disc", STAFF).id
        withdraw_excuse(session, excuse, "came in", STAFF)

    def reasons() -> list[str]:
        with database.reading() as session:
            page = history_page(session, Wanted(nouns=frozenset({"excuse"})))
        return [row.reason for row in page.rows if row.action in {"excuse.given", "excuse.withdrawn"}]

    assert reasons() == ["a slipped disc\nTaken back: came in"] * 2
    remove(room)
    assert reasons() == ["", ""]
    assert "slipped" not in chain(database)
    assert "came in" not in chain(database)
    verify(database)
