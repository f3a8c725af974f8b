from pathlib import Path

import pytest

from db.errors import ConfigError
from db.settings import load_settings


def test_the_environment_overrides_the_file_and_the_file_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gridroll.toml").write_text('portal_port = 9000\nportal_host = "0.0.0.0"\n')
    monkeypatch.setenv("GRIDROLL_PORTAL_PORT", "9001")
    settings = load_settings(tmp_path)
    assert (settings.portal_port, settings.portal_host, settings.max_looks_per_face) == (9001, "0.0.0.0", 4)


def test_the_home_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path / "elsewhere"))
    settings = load_settings()
    assert settings.home == tmp_path / "elsewhere"
    assert settings.resolved_database_url == f"sqlite:///{tmp_path / 'elsewhere' / 'gridroll.sqlite'}"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('portal_port = "many"', "'portal_port' cannot be 'many'"),
        ("portal_prot = 1", "'portal_prot'"),
        ('portal_url = "roll.example.org"', "'portal_url' cannot be 'roll.example.org'"),
        ('portal_url = "https://sue:secret@roll.example.org"', "'portal_url'"),
        ("portal_idle_minutes = 1", "'portal_idle_minutes' cannot be 1"),
        ("match_threshold_pct = 140", "'match_threshold_pct' cannot be 140"),
        ("this is no toml", "cannot read"),
    ],
)
def test_a_bad_configuration_is_one_line_that_names_the_key(tmp_path: Path, toml: str, message: str) -> None:
    (tmp_path / "gridroll.toml").write_text(toml)
    with pytest.raises(ConfigError, match=message) as error:
        load_settings(tmp_path)
    assert "\n" not in str(error.value)
