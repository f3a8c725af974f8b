"""`gridroll evidence`, and what doctor says of it."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from db.errors import ConfigError, EvidenceError, GridrollError, NotFoundError
from db.evidence.archive import Swept
from db.evidence.commands import evidence
from db.evidence.health import check_evidence
from db.evidence.keys import add_key, load_keys, new_key
from db.evidence.sweeping import Sweeper, sweeping
from db.health import Check, State, check_stores
from db.schema import EvidenceRow
from db.settings import Settings, load_settings
from tests.conftest import START
from tests.db.evidence.conftest import Bucket, Lessons
from tests.db.evidence.test_archive import ANN, BEN, CID

LINE_KEYS = [
    "id",
    "taken_at",
    "track",
    "student_no",
    "verdict",
    "similarity_pct",
    "runner_up_no",
    "runner_up_pct",
    "threshold_pct",
    "margin_pct",
    "engine",
    "model",
    "bytes",
    "keep_until",
]


@pytest.fixture(params=["folder"])
def place(request: pytest.FixtureRequest) -> str:
    """The commands are the same wherever the crops are."""
    return str(request.param)


@pytest.fixture
def lesson(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> Lessons:
    """Two crops of one look, in what the commands find configured."""
    ann, _ = lessons.students
    lessons.look({"a": ANN, "b": BEN}, {"a": ann})
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", lessons.database.engine.url.render_as_string(False))
    return lessons


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evidence, arguments)


def failed(*arguments: str) -> GridrollError:
    result = run(*arguments)
    assert isinstance(result.exception, GridrollError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


def test_a_session_s_crops_are_listed_for_people_and_programs(lesson: Lessons) -> None:
    lines = json.loads(run("list", str(lesson.session_id), "--format", "json").output)
    assert list(lines[0]) == LINE_KEYS
    assert [(line["track"], line["student_no"], line["verdict"]) for line in lines] == [
        ("a", "S1", "named"),
        ("b", None, "unknown"),
    ]
    assert lines[0]["taken_at"] == "2026-11-20T09:01:00Z"
    table = run("list", str(lesson.session_id)).output
    assert "2026-11-20 09:01:00" in table
    assert "97.5" in table
    assert isinstance(failed("list", "999999"), NotFoundError)


def test_a_crop_is_written_to_a_file_for_its_owner_only(lesson: Lessons, tmp_path: Path) -> None:
    (line, _) = json.loads(run("list", str(lesson.session_id), "--format", "json").output)
    file = tmp_path / "ann.jpg"
    assert run("show", str(line["id"]), str(file)).exit_code == 0
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (ANN, 0o600)
    assert isinstance(failed("show", "999999", str(file)), NotFoundError)
    assert "make it, or choose another file" in str(
        failed("show", str(line["id"]), str(tmp_path / "no" / "a.jpg"))
    )


def test_the_key_is_changed_in_one_command_and_the_old_one_removed(
    lesson: Lessons, settings: Settings
) -> None:
    old = load_keys(settings).newest_id
    result = run("rotate", "--new-key")
    assert result.exit_code == 0, result.output
    assert "2 crops encrypted anew" in result.output
    assert "the older keys are needed no more" in result.output
    path = settings.home / "evidence.keys"
    path.write_text(path.read_text().splitlines()[0])
    assert load_keys(settings).newest_id != old
    assert "0 crops encrypted anew" in run("rotate").output
    (crop, _) = json.loads(run("list", str(lesson.session_id), "--format", "json").output)
    assert run("show", str(crop["id"]), str(settings.home / "a.jpg")).exit_code == 0


def test_a_rotation_without_the_old_key_says_to_keep_it(
    lesson: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDROLL_EVIDENCE_KEYS", run("key").output.strip())
    error = failed("rotate")
    assert "2 crops are still under an older key, so keep it" in str(error)
    assert isinstance(failed("rotate", "--new-key"), ConfigError)


def test_a_sweep_says_what_it_did_and_what_is_missing(
    lesson: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("sweep").output == "0 crops were over their time; 0 blobs removed\n"
    lesson.archive.blobs.delete(lesson.digests()[0])
    monkeypatch.setattr("db.evidence.archive.GRACE", -lesson.archive._kept_for)
    assert "1 crops are missing in" in str(failed("sweep"))


def test_doctor_tries_the_store_and_names_the_key_without_making_either(
    lesson: Lessons, settings: Settings
) -> None:
    key = load_keys(settings).newest_id
    seen = f"{settings.home / 'evidence'}; encrypted under key {key}; kept for 30 days"
    assert [check for check in check_stores(settings) if check.name == "evidence"] == [
        Check("evidence", State.WORKS, seen)
    ]
    add_key(settings)
    assert ", 1 older" in check_evidence(settings)
    fresh = settings.model_copy(update={"home": settings.home / "fresh"})
    assert "made with the first crop" in check_evidence(fresh)
    assert not fresh.home.exists()


def test_doctor_says_where_no_crops_are_wanted(settings: Settings) -> None:
    none = settings.model_copy(update={"evidence_days": 0})
    assert check_stores(none)[-1].state is State.ABSENT


def test_doctor_says_what_is_wrong_with_a_bucket_or_a_key(
    bucket: Bucket, bucket_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_evidence(bucket_settings).startswith(f"s3://{bucket.name}/school/crops at http")
    assert bucket.contents() == {}
    with pytest.raises(EvidenceError, match="no bucket"):
        check_evidence(bucket_settings.model_copy(update={"evidence_url": "s3://nobody-made-this"}))
    monkeypatch.setenv("GRIDROLL_EVIDENCE_KEYS", "short")
    with pytest.raises(ConfigError, match="key 1 is none"):
        check_evidence(load_settings(bucket_settings.home))


def test_the_portal_sweeps_while_it_runs(lesson: Lessons, settings: Settings) -> None:
    with lesson.database.writing() as session:
        session.execute(update(EvidenceRow).values(keep_until=START))
    with sweeping(settings, lesson.database):
        deadline = time.monotonic() + 10
        while lesson.digests() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert lesson.digests() == []


def test_a_sweeper_sweeps_once_in_an_hour_and_never_raises(
    lesson: Lessons, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = []

    def sweep(**_: object) -> None:
        swept.append(True)
        raise EvidenceError("the store is away")

    monkeypatch.setattr(lesson.archive, "sweep", sweep)
    sweeper = Sweeper(lesson.archive)
    for _ in range(3):
        sweeper.tend()
    assert swept == [True]
    assert [record.message for record in caplog.records] == [
        "old crops are kept until the next hour: the store is away"
    ]
    monkeypatch.setattr("db.evidence.sweeping.EVERY_S", 0.0)
    sweeper = Sweeper(lesson.archive)
    for _ in range(3):
        sweeper.tend()
    assert len(swept) == 4


def test_a_sweeper_that_left_something_over_goes_on_a_minute_later(
    lesson: Lessons, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("db.evidence.sweeping.time.monotonic", lambda: now[0])
    lesson.look({"c": CID})
    with lesson.database.writing() as session:
        session.execute(update(EvidenceRow).values(keep_until=START))
    left, sweeper = [], Sweeper(lesson.archive, 1)
    for minute in (0.0, 0.9, 1.1, 2.0, 2.2, 3.0, 3.3):
        now[0] = 1000.0 + 60 * minute
        sweeper.tend()
        left.append(len(lesson.digests()))
    assert left == [2, 2, 1, 1, 0, 0, 0]
    assert caplog.records == []


def test_a_sweeper_says_once_in_an_hour_what_cannot_be_deleted(
    lesson: Lessons, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.evidence.sweeping.SOON_S", 0.0)
    swept = Swept(1, 0, failure=EvidenceError("not that one"))
    monkeypatch.setattr(lesson.archive, "sweep", lambda limit: swept)
    sweeper = Sweeper(lesson.archive, 1)
    for _ in range(3):
        sweeper.tend()
    assert [record.message for record in caplog.records] == ["some old crops are still kept: not that one"]


def test_a_key_is_printed_that_can_be_configured(settings: Settings) -> None:
    printed = run("key").output.strip()
    assert printed != new_key()
    assert len(load_keys(settings.model_copy(update={"evidence_key_file": None}))) == 1
    assert len(load_keys(Settings(home=settings.home, evidence_keys=printed))) == 1  # type: ignore[arg-type]
