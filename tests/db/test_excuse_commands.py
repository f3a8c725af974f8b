"""`gridroll excuse`."""

import pytest
from click.testing import CliRunner, Result

from db.database import Database
from db.errors import GridrollError, NotFoundError
from db.excuse_commands import excuse
from tests.db.classroom import Classroom


@pytest.fixture
def room(sqlite_database: Database) -> Classroom:
    """Ann was there, Ben was not."""
    room = Classroom(sqlite_database)
    room.enrol_faces()
    room.look(1, "t1", namings=room.named("t1", room.ann))
    return room


def run(*arguments: object) -> Result:
    return CliRunner().invoke(excuse, list(map(str, arguments)))


def test_an_excuse_counts_from_when_it_is_on_record_until_it_is_withdrawn(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert room.statuses() == {"Ann": "present", "Ben": "absent"}
    span = ("--from", "2026-11-20", "--until", "2026-11-21")
    for id_, number in enumerate("AB", start=1):
        made = run("add", number, *span, "--course", "BIO", "--reason", "ill", "--by", "al@x.example")
        assert made.stdout == f"excuse {id_} of {number} is on record\n", made.exception
    assert room.statuses() == {"Ann": "present", "Ben": "excused"}
    span_shown = ["2026-11-20", "00:00", "2026-11-21", "00:00"]
    listed = [line.split() for line in run("list").stdout.splitlines()[1:]]
    assert sorted(listed) == [
        ["1", "A", "Ann", "BIO", *span_shown, "al@x.example", "ill"],
        ["2", "B", "Ben", "BIO", *span_shown, "al@x.example", "ill"],
    ]
    assert "Ann" not in run("list", "B").stdout
    assert run("withdraw", 2, "--reason", "came in").stdout == "excuse 2 is withdrawn\n"
    assert room.statuses() == {"Ann": "present", "Ben": "absent"}
    run("withdraw", 1, "--reason", "too")
    assert run("list").stdout == "No excuse is in force.\n"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("add", "B", "--from", "2026-11-21", "--until", "2026-11-20", "--reason", "x"), GridrollError, "covers nothing"),
        (("add", "B", "--from", "soon", "--until", "2026-11-20", "--reason", "x"), GridrollError, "'soon' is no moment"),
        (("add", "Z", "--from", "2026-11-20", "--until", "2026-11-21", "--reason", "x"), NotFoundError, "'Z'"),
        (("add", "B", "--from", "2026-11-20", "--until", "2026-11-21", "--reason", " "), GridrollError, "reason"),
        (("withdraw", "9", "--reason", "x"), NotFoundError, "no excuse 9"),
        (("withdraw", "9", "--reason", " "), GridrollError, "needs a reason"),
        (("withdraw", "9", "--reason", "x", "--by", "me"), GridrollError, "'me' is no e-mail address"),
        (("list", "Z"), NotFoundError, "'Z'"),
    ],
)  # fmt: skip
def test_what_cannot_be_excused_is_one_clear_error(
    room: Classroom, arguments: tuple[str, ...], error: type[GridrollError], words: str
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)
    assert run("list").stdout == "No excuse is in force.\n"
