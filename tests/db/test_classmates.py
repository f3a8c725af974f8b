"""Finding a student by what was typed so far."""

import pytest

from db.classmates import Classmate, matching

CLASS = [
    Classmate("S-10", "Ada Adams"),
    Classmate("S-11", "Dmitri Dvořák"),
    Classmate("S-12", "João Jardim"),
    Classmate("S-13", "Maximiliane von Mühlenberg-Oberbergen"),
    Classmate("S-14", "Adam Jones"),
]


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("ada", ["S-10", "S-14"]),
        ("ADAM", ["S-14", "S-10"]),  # whose name begins so comes before whose part of it does
        ("jo ad", ["S-14"]),
        ("dvorak", ["S-11"]),
        ("joao", ["S-12"]),
        ("ober", ["S-13"]),
        ("von muhl", ["S-13"]),
        ("s-1", ["S-10", "S-11", "S-12", "S-13", "S-14"]),
        ("13", ["S-13"]),
        ("xyz", []),
        ("  ", ["S-10", "S-11", "S-12", "S-13", "S-14"]),
    ],
)
def test_names_are_found_by_the_beginnings_of_their_parts_and_by_number(
    typed: str, numbers: list[str]
) -> None:
    assert [one.student_no for one in matching(CLASS, typed)] == numbers


def test_at_most_so_many_are_found() -> None:
    assert [one.student_no for one in matching(CLASS, "", limit=2)] == ["S-10", "S-11"]
