"""Whatever a command changes of attendance, faces, consents or users is on the audit chain, with who did it."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import cv2
import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

import gridroll as program
from db.actor import at_keyboard
from db.audit import SYSTEM
from db.database import Database, open_database
from db.proof.chain import walk
from db.proof.kinds import KINDS
from db.proof.records import check_entries, check_records, check_told
from db.schema import AuditRow
from db.settings import load_settings
from demo.cast import CAST, portrait
from demo.script import LESSON
from tests.e2e.conftest import Gridroll

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
SUE = "sue@x.example"
ELSEWHERE = {
    "demo": "runs the others in a home of its own: test_demo verifies its chain",
    "serve": "test_a_portal_that_starts_with_other_settings_says_so",
    "doctor": "looks only, and this machine may lack what it looks for",
    "audit mail": "tests/db/proof/test_commands.py",
    "reviews answer": "tests/portal/test_disputes.py: students make their disputes in the portal",
}
SETTLED = ("judgement.made", "review.settled")
FOLDED = {"ledger.folded", "review.opened", "review.reopened", "review.withdrawn"}
"""What the ledger notes whenever it is folded."""

BY_ITSELF = frozenset({"ledger.folded", "look.stored"})
"""What the machine does on its own account, whoever caused it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command line, the actions it notes (one that comes several times counts once), and who did them.

    That the ledger followed is not listed.
    """

    line: str
    actions: frozenset[str] = frozenset()
    actor: str = field(default_factory=at_keyboard)
    typed: str = ""
    setting: Mapping[str, str] = field(default_factory=dict)


def step(line: str, *actions: str, actor: str = "", typed: str = "", **setting: str) -> Step:
    return Step(line, frozenset(actions), actor or at_keyboard(), typed, setting)


STEPS = (
    step("init", "settings.changed"),
    step("init"),
    step("init", "settings.changed", GRIDROLL_JUDGEMENT_DAYS="90"),
    step(
        "roster import BIO {files}/plain.csv --time-zone Europe/Berlin",
        *("course.made", "student.added", "enrolment.made"),
    ),
    step("roster import BIO {files}/plain.csv"),
    step(
        "roster import BIO {files}/roster.csv --consent form-7 --time-zone UTC",
        *("course.changed", "student.changed", "consent.given", "face.indexed"),
    ),
    step("faces enrol {files}/more --course BIO --consent form-8", "consent.given", "face.indexed"),
    step("faces add {ann} {files}/other.png", "face.indexed"),
    step("faces list"),
    step("faces compare {files}/more/{ann}.png {files}/other.png"),
    step("session start BIO --starts-at {start} --minutes 10", "session.started"),
    step("watch --session 1 --source {files}/frames", "look.stored"),
    step("report 1"),
    step("costs"),
    step("reviews list 1"),
    step("reviews guest {review} Gina --by sue@x.example", *SETTLED, actor=SUE),
    step("reviews reject {review} --by sue@x.example", *SETTLED, actor=SUE),
    step("reviews guest {review} Gina --by sue@x.example --reason seen", *SETTLED, actor=SUE),
    step("reviews confirm {review} --student {ann} --by sue@x.example", *SETTLED, actor=SUE),
    step("reviews dismiss {other} --by sue@x.example --reason enough", *SETTLED, actor=SUE),
    step("reviews forget Gina", "guest.forgotten", "evidence.erased"),
    step("entry show 1 {ann}"),
    step("entry edit 1 {ann} --status late --reason tram --by sue@x.example", "entry.edited", actor=SUE),
    step("entry edit 1 {ann} --minutes 3 --reason clock", "entry.edited"),
    step("entry hand-back 1 {ann} --reason wrong", "entry.edited"),
    step("excuse add {ben} --from 2026-11-20 --until 2026-11-21 --reason ill", "excuse.given"),
    step("excuse list {ben}"),
    step("excuse withdraw 1 --reason well --by sue@x.example", "excuse.withdrawn", actor=SUE),
    step("balance 1"),
    step("term BIO"),
    step("course list"),
    step("course rules BIO --late-after 5m --reason shorter", "course.changed", "rules.kept"),
    step("course rules BIO --late-after 6m --past --reason again", "course.changed", "rules.kept"),
    step("replay 1 --late-after 1s"),
    step("replay 1 --late-after 1s --apply --reason strict --by sue@x.example", "rules.adopted", actor=SUE),
    step("evidence list 1"),
    step("evidence show 1 {files}/crop.jpg"),
    step("evidence key"),
    step("evidence sweep"),
    step("evidence rotate --new-key", "evidence.rotated"),
    step("faces rebuild"),
    step("user add sue@x.example --role admin", "user.added", typed="a long password\n"),
    step("user password sue@x.example", "user.password_changed", typed="a longer password\n"),
    step("user add ida@x.example --role instructor", "user.added", typed="a long password\n"),
    step("course instructor BIO ida@x.example", "instructor.added"),
    step("course instructor BIO ida@x.example"),
    step("course instructor BIO ida@x.example --remove", "instructor.removed"),
    step("user deactivate sue@x.example --reason left", "user.deactivated"),
    step("user deactivate sue@x.example"),
    step("user activate sue@x.example", "user.activated"),
    step("user second-factor ida@x.example"),
    step("user second-factor ida@x.example --remove"),
    step("token add Room7 --user ida@x.example --scope observations --course BIO --days 9", "token.added"),
    step("token list"),
    step("token revoke 1 --reason lost", "token.revoked"),
    step("token revoke 1"),
    step("backup {files}/backup.tar"),
    step("backup --verify {files}/backup.tar"),
    step("restore --replace {files}/backup.tar", "database.restored"),
    step("faces remove {ann}", "face.removed", "biometrics.erased", "evidence.erased"),
    step("faces remove {ann}"),
    step("audit verify"),
    step("audit show"),
    step("audit anchor"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rosters, photographs, and a minute of the lesson as pictures."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("more", "frames"):
        (folder / name).mkdir()
    ann, ben = CAST[0], CAST[1]
    head = "student_no,name,email,photo\n"
    (folder / "plain.csv").write_text(f"{head}{ann.student_no},Ann,,\n{ben.student_no},Ben,,\n")
    cv2.imwrite(str(folder / "ann.png"), portrait(ann))
    (folder / "roster.csv").write_text(
        f"{head}{ann.student_no},{ann.name},{ann.email},ann.png\n{ben.student_no},Ben,,\n"
    )
    for number, place in enumerate(("more/" + ann.student_no, "more/" + ben.student_no, "other")):
        person = ben if number == 1 else ann
        cv2.imwrite(str(folder / f"{place}.png"), portrait(person, 560 + 10 * number))
    for second in range(0, 120, 15):
        at = START + timedelta(seconds=second)
        frame = cv2.resize(LESSON.draw(60 + second), (1280, 720), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "frames" / f"{at:%Y%m%dT%H%M%SZ}.png"), frame)
    return folder


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, cache_server: str) -> Iterator[None]:
    monkeypatch.setenv("GRIDROLL_CACHE_URL", cache_server)
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in held.items():
        signal.signal(number, handler)


def tables(database: Database) -> dict[str, list[Any]]:
    """All rows of each table that the chain vouches for."""
    names = [kind.model.__tablename__ for kind in KINDS] + ["sightings", "namings"]
    with database.reading() as session:
        return {
            name: [tuple(row) for row in session.execute(text(f"SELECT * FROM {name}"))] for name in names
        }


def noted(database: Database) -> list[AuditRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditRow).order_by(AuditRow.seq)))


def verify(database: Database) -> None:
    with database.reading() as session:
        for links in walk(session):
            check_told(session, links)
        check_records(session)
        check_entries(session)


def test_no_command_changes_anything_without_a_note(
    home: None, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "files": str(files),
        "ann": CAST[0].student_no,
        "ben": CAST[1].student_no,
        "start": START.isoformat(),
    }
    for one in STEPS:
        for name, value in one.setting.items():
            monkeypatch.setenv(name, value)
        before: dict[str, list[Any]] = {}
        rows_before = 0
        if one is not STEPS[0]:
            with closing(open_database(load_settings().resolved_database_url)) as database:
                before, rows_before = tables(database), len(noted(database))
        if "{review}" in one.line and "review" not in words:
            words["review"], words["other"] = _reviews()
        ran = CliRunner().invoke(program.cli, one.line.format(**words).split(), input=one.typed)
        assert ran.exit_code == 0, f"{one.line}: {ran.output} {ran.exception!r}"
        with closing(open_database(load_settings().resolved_database_url)) as database:
            rows = noted(database)[rows_before:]
            assert {row.action for row in rows} - FOLDED == one.actions, one.line
            assert {row.actor for row in rows if row.action not in BY_ITSELF | FOLDED} <= {one.actor}, (
                one.line
            )
            assert {row.actor for row in rows if row.action in BY_ITSELF | FOLDED} <= {SYSTEM}, one.line
            if not one.actions and before:
                assert tables(database) == before, f"{one.line} changed something and noted nothing"
            verify(database)
            for row in rows:
                assert not {person.name for person in CAST} & set(row.detail.split('"')), (
                    "a name in the chain"
                )


def _reviews() -> list[str]:
    ran = CliRunner().invoke(program.cli, ["reviews", "list", "1", "--format", "json"])
    return [str(one["id"]) for one in json.loads(ran.stdout) if one["kind"] == "unknown_face"][:2]


def test_every_command_is_tried() -> None:
    context = click.Context(program.cli)
    found = set()
    for name in program.COMMANDS:
        command = program.cli.get_command(context, name)
        if isinstance(command, click.Group):
            found |= {f"{name} {part}" for part in command.commands}
        else:
            found.add(name)
    tried = {name for name in found if any(f"{one.line} ".startswith(f"{name} ") for one in STEPS)}
    assert found - tried == ELSEWHERE.keys(), "a new command: does it change anything?"


def test_a_portal_that_starts_with_other_settings_says_so(tmp_path: Path, cache_server: str) -> None:
    Gridroll(tmp_path / "home", GRIDROLL_CACHE_URL=cache_server).ok("init")
    gridroll = Gridroll(tmp_path / "home", GRIDROLL_CACHE_URL=cache_server, GRIDROLL_MATCH_THRESHOLD_PCT="90")
    portal = gridroll.start("serve", "--port", "0")
    assert portal.stdout is not None
    portal.stdout.readline()
    portal.terminate()
    portal.communicate(timeout=30)
    (last,) = json.loads(gridroll.ok("audit", "show", "--limit", "1", "--format", "json"))
    assert (last["action"], last["before"], last["after"]) == (
        "settings.changed",
        {"match_threshold_pct": 91.0},
        {"match_threshold_pct": 90.0},
    )
