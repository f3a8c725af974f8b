import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from db.backup.manifest import ArchiveError
from db.database import make_database
from db.errors import ConfigError
from db.evidence.keys import new_key
from db.restore_mark import set_mark
from db.settings import Settings, load_settings
from gridroll import cli
from tests.stock import fill


@pytest.fixture
def home(settings: Settings, cache_server: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with something in its database; the cache is a server of the tests'."""
    monkeypatch.setenv("GRIDROLL_CACHE_URL", f"{cache_server}/home_{os.urandom(4).hex()}")
    database = make_database(settings.resolved_database_url)
    fill(database)
    database.close()
    return settings


def run(*arguments: str) -> str:
    ran = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_an_archive_is_made_checked_and_restored_elsewhere(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(tmp_path / "a.tar")
    made = run("backup", archive)
    assert made.startswith(f"saved     {archive}, ")
    assert "rows of schema" in made
    assert "audit     2 changes, the last " in made
    assert "keys      evidence.keys is not in it" in made
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path / "other"))
    assert run("backup", "--verify", archive).startswith(f"whole     {archive}, ")
    assert not (tmp_path / "other").exists()
    assert run("restore", archive).startswith(f"restored  {archive}, ")
    with pytest.raises(ArchiveError, match="in use already"):
        run("restore", archive)
    run("restore", "--replace", archive)


@pytest.mark.parametrize(
    ("files", "setting", "said"),
    [
        # both keys are in files
        (("portal.key", "evidence.keys"), "", ("portal.key is in it", "evidence.keys is in it")),
        # no crop was ever kept
        (("portal.key",), "", ("portal.key is in it", "evidence.keys is not in it")),
        # a file from before is not what the crops are under
        (
            ("portal.key", "evidence.keys"),
            new_key(),
            ("portal.key is in it", "those in evidence_keys are not"),
        ),
    ],
    ids=["both in files", "no crop was kept", "in the setting"],
)
def test_of_each_key_it_is_said_whether_it_is_in_an_archive(
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: tuple[str, ...],
    setting: str,
    said: tuple[str, ...],
) -> None:
    for name in files:
        (home.home / name).write_text(new_key())
    monkeypatch.setenv("GRIDROLL_EVIDENCE_KEYS", setting)
    archive = tmp_path / "a.tar"
    shown = [line for line in run("backup", "--include-keys", str(archive)).splitlines() if "keys  " in line]
    assert [words in line for words, line in zip(said, shown, strict=True)] == [True, True]
    content = archive.read_bytes()
    assert b"keys/portal.key" in content
    assert (b"keys/evidence.keys" in content) == ("evidence.keys is in it" in said)
    assert not setting or setting.encode() not in content


def test_checking_takes_no_option_of_writing(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["backup", "--verify", "--force", str(tmp_path / "a.tar")])
    assert ran.exit_code == 2
    assert "--verify writes nothing" in ran.output


def test_no_command_uses_a_half_restored_home(home: Settings, tmp_path: Path) -> None:
    set_mark(home.home, tmp_path / "a.tar", "0" * 64)
    for arguments in (["report", "1"], ["backup", "b.tar"], ["session", "start", "X"]):
        with pytest.raises(ConfigError, match=r"half restored; run 'gridroll restore .*a.tar' again"):
            run(*arguments)
    with pytest.raises(ConfigError, match="half restored"):
        load_settings(home.home)
