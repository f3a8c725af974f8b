import random

from db.database import Database
from db.names import name_order
from db.people import RosterLine, enrol, make_course
from db.report import session_report
from db.sessions import start_session
from tests.conftest import START

IN_ORDER = ["Ada", "ähnlich", "Anna", "Änne", "Anton", "Åsa", "Özil", "Peter", "Straße", "Strauß", "陳"]


def test_names_are_in_the_order_of_their_letters_whatever_their_case_and_accents() -> None:
    mixed = random.Random(3).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(mixed, key=name_order) == IN_ORDER


def test_names_that_differ_in_accents_alone_have_one_order() -> None:
    assert sorted(["Änne", "Anne", "anne"], key=name_order) == sorted(
        ["anne", "Änne", "Anne"], key=name_order
    )


def test_a_report_is_in_the_same_order_on_every_database(database: Database) -> None:
    mixed = random.Random(4).sample(IN_ORDER, len(IN_ORDER))
    with database.writing() as session:
        course = make_course(session, "BIO")
        enrol(session, course, [RosterLine(f"S{i}", name, "", "", "") for i, name in enumerate(mixed)])
        meeting = start_session(session, "BIO", "", START, 45).id
    with database.reading() as session:
        assert [line.name for line in session_report(session, meeting).students] == IN_ORDER
