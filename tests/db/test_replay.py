"""Replaying a session, changing a course's rules, and enrolling late: on SQLite and on a real MariaDB."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from db.course_commands import course
from db.database import Database
from db.durations import parse_duration, parse_share
from db.errors import GridrollError
from db.ledger import catch_up
from db.people import RosterLine, enrol, find_course
from db.replay import ReplayError, Terms, adopt, replay
from db.replay_commands import replay_session
from db.report import session_report
from db.schema import AttendanceRow, AuditRow, Enrolment
from db.sessions import find_session, start_session
from tests.conftest import START
from tests.db.classroom import Classroom


@pytest.fixture
def room(database: Database) -> Classroom:
    """Ann comes after seven minutes, Ben is there all the time, named at 92 percent."""
    room = Classroom(database)
    room.enrol_faces()
    namings = {1: (room.naming("b", "named", room.ben, 92.0),), 7: room.named("a", room.ann)}
    room.looks(
        room.new(minute, *(("a", "b") if minute >= 7 else ("b",)), namings=namings.get(minute, ()))
        for minute in range(1, 45)
    )
    return room


def status(room: Classroom) -> dict[str, str]:
    with room.database.reading() as session:
        return {line.name: line.status for line in session_report(session, room.id).students}


def test_a_replay_with_the_same_rules_differs_in_nothing(room: Classroom) -> None:
    with room.database.reading() as session:
        assert replay(session, find_session(session, room.id), Terms()).changes_nothing


def test_a_replay_shows_what_other_rules_would_change_and_changes_nothing(room: Classroom) -> None:
    with room.database.reading() as session:
        found = replay(session, find_session(session, room.id), Terms(late_after_s=300))
    assert [(one.name, one.after["status"]) for one in found.differences if one.after] == [("Ann", "late")]
    assert status(room) == {"Ann": "present", "Ben": "present"}


def test_another_threshold_takes_names_away_and_gives_them_back(room: Classroom) -> None:
    with room.database.writing() as session:
        row = find_session(session, room.id)
        found = replay(session, row, Terms(match_threshold_pct=95.0))
        assert (found.looks, found.looks_changed, found.opened) == (44, 44, ("low_similarity",))
        adopt(session, row, Terms(match_threshold_pct=95.0), "bea@x.example", "too many wrong names")
    assert status(room) == {"Ann": "present", "Ben": "unverified"}
    room.look(44.5, "a", "b")  # what was adopted holds for what comes
    assert status(room)["Ben"] == "unverified"
    with room.database.writing() as session:
        adopt(session, find_session(session, room.id), Terms(), "bea@x.example", "a mistake", as_course=True)
    assert status(room) == {"Ann": "present", "Ben": "present"}


def test_what_is_adopted_is_on_record_with_its_reason(room: Classroom) -> None:
    with room.database.writing() as session:
        adopt(session, find_session(session, room.id), Terms(min_presence=0.95), "bea@x.example", "as agreed")
    with room.database.reading() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.action == "rules.adopted")).one()
    assert row.actor == "bea@x.example"
    detail = json.loads(row.detail)
    assert (detail["before"], detail["reason"]) == ({"min_presence": None}, "as agreed")
    assert detail["after"]["min_presence"] == 0.95


def test_a_replay_finds_an_entry_that_somebody_altered_behind_the_ledger_s_back(room: Classroom) -> None:
    with room.database.writing() as session:
        session.scalars(
            select(AttendanceRow).where(AttendanceRow.student_id == room.ann)
        ).one().status = "absent"
    with room.database.reading() as session:
        found = replay(session, find_session(session, room.id), Terms())
    assert [one.name for one in found.differences] == ["Ann"]


def test_what_staff_wrote_stays_in_a_replay(room: Classroom) -> None:
    room.edit("A", status="excused")
    with room.database.reading() as session:
        (one,) = replay(session, find_session(session, room.id), Terms(late_after_s=60)).differences
    assert one.before is not None
    assert one.after is not None
    assert [one.before["status"], one.after["status"]] == ["excused", "excused"]
    assert [one.before["machine_status"], one.after["machine_status"]] == ["present", "late"]


def test_the_command_shows_first_and_applies_when_told(
    room: Classroom, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", database_url)
    run = CliRunner().invoke
    shown = run(replay_session, [str(room.id), "--late-after", "5m"], catch_exceptions=False).output
    assert "present → late" in shown
    assert "nothing was changed" in shown
    assert status(room)["Ann"] == "present"
    with pytest.raises(GridrollError, match="--apply needs a --reason"):
        run(replay_session, [str(room.id), "--late-after", "5m", "--apply"], catch_exceptions=False)
    arguments = [str(room.id), "--late-after", "5m", "--apply", "--reason", "new rules", "--format", "json"]
    told = json.loads(run(replay_session, arguments, catch_exceptions=False).output)
    assert told["applied"]
    assert [one["after"]["status"] for one in told["students"]] == ["late"]
    assert status(room)["Ann"] == "late"
    assert "nothing differs" in run(replay_session, [str(room.id)], catch_exceptions=False).output


def test_new_rules_of_a_course_are_for_what_comes_unless_the_past_is_meant(
    room: Classroom, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", database_url)
    run = CliRunner().invoke
    rules = ["rules", "BIO", "--late-after", "5m", "--reason", "the dean's wish"]
    run(course, rules, catch_exceptions=False)
    room.look(44.5, "a", "b")
    assert status(room)["Ann"] == "present"
    run(course, [*rules, "--past"], catch_exceptions=False)
    assert status(room)["Ann"] == "late"
    assert "5 min" in run(course, ["list"], catch_exceptions=False).output


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("90s", 90), ("1h", 3600), ("1.5m", 90), ("0s", 0), ("24h", 86400)]
)
def test_spans_of_time_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "25h", "5 days", "1e3s", "0.5s", "nan"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(GridrollError, match="no span of time"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0.2", 0.2), ("100%", 1.0), ("0", 0.0)])
def test_shares_are_read(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "20", "101%", "-1%", "%", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(GridrollError, match="no share"):
        parse_share(text)


def test_who_is_added_after_the_class_has_met_is_expected_from_then_on(database: Database) -> None:
    room = Classroom(database)
    now = datetime.now(UTC)
    with database.writing() as session:
        start_session(session, "BIO", "earlier", now - timedelta(days=7), 45)
        enrol(session, find_course(session, "BIO"), [RosterLine("C", "Cem", "c@x.example", "", "")])
        rows = {row.student_id: row.enrolled_at for row in session.scalars(select(Enrolment))}
    assert [rows.pop(room.ann), rows.pop(room.ben)] == [None, None]
    (enrolled_at,) = rows.values()
    assert enrolled_at is not None
    assert enrolled_at >= now


def test_a_roster_says_from_when_a_student_is_expected(database: Database) -> None:
    room = Classroom(database)
    room.look(1, "b", namings=room.named("b", room.ben))
    assert room.statuses().keys() == {"Ann", "Ben"}
    with database.writing() as session:
        line = RosterLine("A", "Ann", "a@x.example", "", "", enrolled_on="2026-12-01")
        enrol(session, find_course(session, "BIO"), [line])
        row = session.scalars(select(Enrolment).where(Enrolment.student_id == room.ann)).one()
        assert row.enrolled_at == datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Berlin
    catch_up(database)
    assert row.enrolled_at > START
    assert room.statuses().keys() == {"Ben"}


def test_one_threshold_for_two_engines_is_refused(room: Classroom) -> None:
    naming = replace(room.naming("c", "doubtful", room.ben), engine="rekognition")
    room.look(44.5, "a", "b", "c", namings=(naming,))
    with room.database.reading() as session:
        row = find_session(session, room.id)
        with pytest.raises(
            ReplayError, match="local and rekognition, whose percentages are no common measure"
        ):
            replay(session, row, Terms(match_threshold_pct=80.0))
        assert replay(session, row, Terms(late_after_s=60)).differences
