"""A review or a ledger that was altered behind the chain's back is found, on SQLite and on a real MariaDB."""

import pytest
from sqlalchemy import select, text

from db.database import Database
from db.judgements import settle_review
from db.ledger import catch_up
from db.proof.chain import TamperedError
from db.proof.reviews import check_ledgers, check_reviews
from db.schema import ReviewRow
from tests.conftest import START
from tests.db.classroom import Classroom


@pytest.fixture
def room(database: Database) -> Classroom:
    """Two doubts, one of them settled, and a student who was seen."""
    room = Classroom(database)
    named = room.named("a", room.ann)
    room.look(
        1,
        "a",
        "x",
        "y",
        namings=(*named, room.naming("x", "unknown", None), room.naming("y", "unknown", None)),
    )
    room.look(2, "a", "x", "y")
    catch_up(database)
    with database.writing() as session:
        review = session.scalars(select(ReviewRow).where(ReviewRow.subject == "x")).one()
        settle_review(session, review, "dismissed", None, "bea@x.example", START, "a poster")
    return room


def test_reviews_and_ledgers_that_nobody_touched_are_as_they_were_told(room: Classroom) -> None:
    with room.database.reading() as session:
        check_reviews(session)
        assert check_ledgers(session) == 1


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE reviews SET state = 'open' WHERE subject = 'x'",
        "UPDATE reviews SET state = 'confirmed' WHERE subject = 'x'",
        "UPDATE reviews SET settled_by = 'al@x.example' WHERE subject = 'x'",
        "UPDATE reviews SET reason = 'a window' WHERE subject = 'x'",
        "UPDATE reviews SET state = 'dismissed' WHERE subject = 'y'",
    ],
)
def test_a_review_that_was_altered_is_found(room: Classroom, tampering: str) -> None:
    with room.database.writing() as session:
        session.execute(text(tampering))
    with room.database.reading() as session, pytest.raises(TamperedError, match="review"):
        check_reviews(session)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE attendance SET minutes = 1 WHERE status = 'present'",
        "UPDATE attendance SET joined_at = NULL WHERE status = 'present'",
        "UPDATE attendance SET remark = 'x'",
        "UPDATE intervals SET seen_to = seen_from",
        "UPDATE looks SET identified = 0",
        "DELETE FROM reviews WHERE subject = 'y'",
    ],
)
def test_a_ledger_that_was_altered_is_found(room: Classroom, tampering: str) -> None:
    with room.database.writing() as session:
        session.execute(text(tampering))
    with (
        room.database.reading() as session,
        pytest.raises(TamperedError, match="not what its records make of it"),
    ):
        check_ledgers(session)
