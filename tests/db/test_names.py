import random

import pytest

from db.database import Database
from db.names import name_order, title_fault
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


@pytest.mark.parametrize("title", ["", "Cells", "Zellen und Gewebe: ä, 細胞, 🧫", "t" * 200])
def test_a_title_that_files_and_calendars_can_hold_is_fine(title: str) -> None:
    assert title_fault(title) == ""


@pytest.mark.parametrize(
    ("title", "fault"),
    [
        ("t" * 201, "title 'tttttttttttttttttttt'… has 201 characters; at most 200 fit"),
        ("a\nb", r"title 'a\nb' holds a control character; remove it"),
        ("a\x07", r"title 'a\x07' holds a control character; remove it"),
        ("a\ud800", r"title 'a\ud800' holds a control character; remove it"),
    ],
)
def test_another_title_is_told_with_the_remedy(title: str, fault: str) -> None:
    assert title_fault(title) == fault


def test_a_report_is_in_the_same_order_on_every_database(database: Database) -> None:
    mixed = random.Random(4).sample(IN_ORDER, len(IN_ORDER))
    with database.writing() as session:
        course = make_course(session, "BIO")
        enrol(session, course, [RosterLine(f"S{i}", name, "", "", "") for i, name in enumerate(mixed)])
        meeting = start_session(session, "BIO", "", START, 45).id
    with database.reading() as session:
        assert [line.name for line in session_report(session, meeting).students] == IN_ORDER
