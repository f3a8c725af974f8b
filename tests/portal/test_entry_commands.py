"""`gridroll entry` and `gridroll balance`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from db.database import Database
from db.edits import EditConflictError, EditError
from db.errors import GridrollError, NotFoundError
from db.looks import NewLook, NewSighting, record_looks
from db.report import session_report
from portal.balance_commands import balance
from portal.commands import report
from portal.entry_commands import entry
from recognizer.review_commands import reviews
from tests.portal.cast import START


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> None:
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))  # type: ignore[arg-type]


def edit(meeting: int, *arguments: object, reason: str = "I heard him") -> Result:
    return run(entry, "edit", meeting, "S-2", *arguments, "--reason", reason, "--by", "al@x.example")


def shown(meeting: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(entry, "show", meeting, "S-2", "--format", "json").stdout)
    return found


def test_an_entry_is_shown_with_what_gridroll_says_its_stays_and_its_edits(meeting: int) -> None:
    assert edit(meeting, "--status", "excused", "--remark", "ill").exit_code == 0
    page = run(entry, "show", meeting, "S-2").stdout
    for expected in (
        "Ben Brown (S-2) · Limits · Mon 2 Mar 2026, CET · Excused · version 2",
        "there 09:06:00 to 09:24:00; joined: between 09:03:59 and 09:06:00; left: between 09:24:00 and 09:26:00",
        "al@x.example: Excused, remark “ill”. Reason: I heard him",
    ):
        assert expected in page
    assert [line.split() for line in page.splitlines() if line.startswith("Status")] == [
        ["Status", "Left", "early", "Excused"]
    ]


def test_fields_that_are_given_are_laid_over_the_edit_in_force(meeting: int) -> None:
    first = edit(meeting, "--status", "late", "--joined", "2026-03-02T09:05:00+01:00")
    assert first.stdout == "Ben Brown in session 1: late, as staff said (version 2)\n"
    assert edit(meeting, "--minutes", "12.5", "--last-seen", "2026-03-02T08:40:00").exit_code == 0
    found = shown(meeting)
    held = {name: found[name] for name in ("status", "joined_at", "last_seen_at", "minutes", "version")}
    assert held == {
        "status": "late",
        "joined_at": "2026-03-02T08:05:00.000000Z",
        "last_seen_at": "2026-03-02T08:40:00.000000Z",
        "minutes": 12.5,
        "version": 3,
    }
    assert edit(meeting, "--status", "machine", "--joined", "machine", "--minutes", "machine").exit_code == 0
    found = shown(meeting)
    assert (found["status"], found["joined_at"]) == ("left_early", "2026-03-02T08:06:00.000000Z")
    assert found["last_seen_at"] == "2026-03-02T08:40:00.000000Z"
    back = run(entry, "hand-back", meeting, "S-2", "--reason", "enough")
    assert back.stdout == "Ben Brown in session 1: left early, as Gridroll says (version 5)\n"


def test_an_expected_version_protects_somebody_elses_edit(meeting: int) -> None:
    assert edit(meeting, "--status", "late", "--expect", 1).exit_code == 0
    late = edit(meeting, "--status", "excused", "--expect", 1)
    assert isinstance(late.exception, EditConflictError)
    assert "al@x.example edited the entry of Ben Brown" in str(late.exception)
    assert edit(meeting, "--status", "excused", "--expect", 2).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("--minutes", "ten"), GridrollError, "'ten' is no number of minutes; give 0 to 1440, or machine"),
        (("--minutes", "1441"), EditError, "1441 minutes are more than the session's 45"),
        (("--joined", "nine"), GridrollError, "'nine' is no moment"),
        (
            ("--joined", "2026-03-02T09:30:00+01:00"),
            EditError,
            "joined at 09:30:00 and last seen at 09:24:00",
        ),
        (("--status", "machine"), EditError, "says just that already"),
        (("--status", "late", "--by", "me"), GridrollError, "'me' is no e-mail address"),
    ],
)
def test_what_cannot_be_written_is_one_clear_error(
    meeting: int, arguments: tuple[str, ...], error: type[GridrollError], words: str
) -> None:
    result = run(entry, "edit", meeting, "S-2", "--reason", "x", *arguments)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)
    assert shown(meeting)["version"] == 1


def test_wrong_usage_is_said_to_be_that(meeting: int) -> None:
    assert edit(meeting).exit_code == 2
    assert edit(meeting, "--status", "asleep").exit_code == 2
    assert run(entry, "edit", meeting, "S-2", "--status", "late").exit_code == 2
    assert isinstance(run(entry, "show", meeting, "S-9").exception, NotFoundError)
    assert isinstance(run(entry, "show", 99, "S-1").exception, NotFoundError)
    assert isinstance(run(balance, 99).exception, NotFoundError)
    assert isinstance(edit(meeting, "--status", "late", reason=" ").exception, EditError)


def test_the_balance_says_which_looks_do_not_balance_and_why(meeting: int) -> None:
    lines = run(balance, meeting).stdout.splitlines()
    assert lines[0] == "22 of 23 looks balance (96 %)."
    assert lines[2].split("  ")[0] == "09:44:00"
    assert lines[2].endswith("1 face that matches nobody on the roster")
    found = json.loads(run(balance, meeting, "--format", "json").stdout)
    assert (found["looks"], found["balanced"], found["share"]) == (23, 22, 0.9565)
    (unbalanced,) = [look for look in found["sheet"] if not look["balances"]]
    assert unbalanced == {
        "taken_at": "2026-03-02T08:44:00.000000Z",
        "trigger": "headcount",
        "headcount": 2,
        "identified": 1,
        "unknown": 1,
        "reviewed": 0,
        "searches": 1,
        "balances": False,
        "causes": {"unknown_face": 1},
    }


def test_every_command_reads_the_ledger_as_it_follows_from_what_is_stored(
    database: Database, meeting: int
) -> None:
    def store(number: int) -> None:
        taken_at = START.replace(minute=44, second=number)
        look = NewLook(
            meeting, f"more-{number}", taken_at, taken_at, "none", 1, 0, 0,
            (NewSighting("t1", (0, 0, 9, 9)),), (),
        )  # fmt: skip
        with database.writing() as writing:
            record_looks(writing, [look])

    for number, (command, *arguments) in enumerate(
        [
            (balance, meeting),
            (report, meeting),
            (entry, "show", meeting, "S-1"),
            (reviews, "list", meeting),
        ],
        start=1,
    ):
        store(number)
        assert run(command, *arguments).exit_code == 0
        with database.reading() as reading:
            newest = session_report(reading, meeting).looks[-1]
        assert (newest.taken_at.second, newest.identified) == (number, 1)
