"""`gridroll audit`, as it is typed."""

import json
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session
from click.testing import CliRunner, Result
from sqlalchemy import text

from db.audit import note
from db.database import Database
from db.errors import ConfigError, GridrollError
from db.proof import commands
from db.proof.chain import TamperedError
from tests.conftest import free_port


def change(database: Database) -> None:
    """Five changes."""
    with database.writing() as session:
        for number in (1, 2, 30):
            note(
                *(session, "system", "ledger.folded", f"session:{number}/student:17"),
                *({"status": "absent"}, {"status": "present"}),
            )
        state = {"status": "late", "minutes": 31.5, "digest": "0" * 64}
        note(
            *(session, "sue@x.example", "entry.edited", "session:3/student:17"),
            *({"status": "absent", "minutes": None}, state, "the tram\nwas late\x1b[2J"),
        )
        note(session, "sue@x.example", "rules.adopted", "session:3", None, {"late_after_s": 300})


@pytest.fixture
def chain(sqlite_database: Database) -> Database:
    """A database with five changes, which the commands are set to."""
    change(sqlite_database)
    return sqlite_database


@pytest.fixture
def each(monkeypatch: pytest.MonkeyPatch, database_url: str, database: Database) -> Database:
    """The same, on SQLite and on MariaDB."""
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", database_url)
    change(database)
    return database


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands.audit, list(map(str, arguments)))


def error_of(result: Result, kind: type[GridrollError]) -> str:
    assert isinstance(result.exception, kind), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def shown(*options: object) -> list[dict[str, Any]]:
    result = run("show", "--format", "json", *options)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_whole_chain_is_one_line(chain: Database) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout == f"5 rows, 0 records, head {shown()[-1]['hash']}\n"


def test_an_altered_row_is_named_and_the_command_fails(chain: Database) -> None:
    with chain.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'ben@x.example' WHERE seq = 4"))
    result = run("verify")
    assert result.exit_code == 1
    assert "row 4 was altered" in error_of(result, TamperedError)


def test_what_is_shown_can_be_narrowed_down(each: Database) -> None:
    assert [line["seq"] for line in shown()] == [1, 2, 3, 4, 5]
    for options, wanted in (
        (("--subject", "session:3"), [4, 5]),  # and not session 30
        (("--subject", "session:"), [1, 2, 3, 4, 5]),
        (("--subject", "SESSION:"), []),
        (("--subject", "session:3/student:17"), [4]),
        (("--actor", "sue@x.example"), [4, 5]),
        (("--action", "entry"), [4]),
        (("--action", "ledger.folded"), [1, 2, 3]),
        (("--action", "ledger.fold"), []),
        (("--limit", 2), [4, 5]),
        (("--since", "2026-01-01T00:00:00Z", "--actor", "system", "--limit", 1), [3]),
        (("--since", "2199-01-01"), []),
    ):
        assert [line["seq"] for line in shown(*options)] == wanted, options


def test_a_change_reads_as_a_sentence_and_cannot_move_the_cursor(chain: Database) -> None:
    line = next(line for line in run("show").stdout.splitlines() if "entry.edited" in line)
    assert "minutes – → 31.5, status absent → late" in line
    assert "the tram was late" in line
    assert "digest" not in line
    assert "\x1b" not in line


def test_a_detail_that_is_no_json_is_shown_as_it_is(chain: Database) -> None:
    with chain.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET detail = 'gone' WHERE seq = 5"))
    assert shown()[-1]["after"] == {"unreadable": "gone"}


def test_an_anchor_is_kept_and_held_against_the_chain(each: Database, tmp_path: Path) -> None:
    kept = tmp_path / "anchor.json"
    assert run("anchor", kept).stdout == f"row 5 is anchored in {kept}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    anchor = json.loads(kept.read_text())
    assert (anchor["seq"], anchor["hash"]) == (5, shown()[-1]["hash"])
    assert json.loads(run("anchor").stdout) | {"at": 0} == anchor | {"at": 0}
    assert run("verify", "--anchor", kept).exit_code == 0
    with each.writing() as session:
        note(session, "system", "ledger.folded", "session:1/student:17")
    assert run("anchor", kept).exit_code == 0
    with each.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit WHERE seq = 6"))
        head = {"seq": 5, "hash": anchor["hash"]}
        connection.execute(text("UPDATE audit_head SET seq = :seq, row_hash = :hash"), head)
    assert run("verify").exit_code == 0
    assert "ends at row 5" in error_of(run("verify", "--anchor", kept), TamperedError)
    # The file that proves it is not written over.
    before = kept.read_text()
    assert "does not contain row 6" in error_of(run("anchor", kept), GridrollError)
    assert kept.read_text() == before


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"seq": "5", "hash": "", "at": "", "database": ""}', "\x00"]
)
def test_a_file_that_is_no_anchor_is_neither_believed_nor_written_over(
    chain: Database, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    for arguments in (("verify", "--anchor", path), ("anchor", path)):
        assert "is no anchor" in error_of(run(*arguments), GridrollError)
    assert path.read_text() == content


def test_an_anchor_that_is_not_there_or_cannot_be_written_is_one_clear_line(
    chain: Database, tmp_path: Path
) -> None:
    assert "cannot read anchor" in error_of(run("verify", "--anchor", tmp_path / "none"), GridrollError)
    assert "cannot write" in error_of(run("anchor", tmp_path / "none" / "anchor.json"), GridrollError)


def test_an_anchor_goes_by_mail(
    chain: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    received: list[Message] = []

    class Postbox:
        async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
            assert isinstance(envelope.content, bytes)
            received.append(message_from_bytes(envelope.content))
            return "250 OK"

    server = Controller(Postbox(), hostname="127.0.0.1", port=free_port())
    server.start()
    stop: Callable[[], None] = server.stop
    request.addfinalizer(stop)
    monkeypatch.setenv("GRIDROLL_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
    assert run("mail", "dean@x.example").stdout == "row 5 is anchored in a message to dean@x.example\n"
    (message,) = received
    assert message["Subject"] == "Gridroll audit anchor: row 5"
    attached = next(part for part in message.walk() if part.get_filename() == "anchor.json")
    kept = tmp_path / "anchor.json"
    kept.write_bytes(attached.get_payload(decode=True))  # type: ignore[arg-type]
    assert run("verify", "--anchor", kept).exit_code == 0
    monkeypatch.delenv("GRIDROLL_SMTP_URL")
    assert "set smtp_url" in error_of(run("mail", "dean@x.example"), ConfigError)
