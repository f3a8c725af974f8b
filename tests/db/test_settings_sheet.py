"""The settings for people."""

from pathlib import Path

import pytest

from db.settings import Settings, read_settings
from db.settings_sheet import SettingLine, setting_lines


def lines(home: Path, **overrides: object) -> dict[str, SettingLine]:
    return {line.name: line for line in setting_lines(read_settings(home, **overrides))}


def test_every_setting_is_there_with_its_meaning(tmp_path: Path) -> None:
    found = lines(tmp_path)
    assert list(found) == list(Settings.model_fields)
    assert all(line.meaning for line in found.values())


def test_each_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gridroll.toml").write_text("portal_port = 9000\nevidence_days = 9\n")
    monkeypatch.setenv("GRIDROLL_EVIDENCE_DAYS", "10")
    found = lines(tmp_path, engine="tiered")
    shown = {
        name: (found[name].value, found[name].origin) for name in ("portal_port", "evidence_days", "engine")
    }
    assert shown == {
        "portal_port": (9000, "file"),
        "evidence_days": (10, "environment"),
        "engine": ("tiered", "program"),
    }
    assert (found["currency"].value, found["currency"].origin) == ("USD", "default")
    assert found["evidence_days"].variable == "GRIDROLL_EVIDENCE_DAYS"
    assert (found["evidence_days"].default, found["budget_per_month"].value) == (30, None)


def test_no_secret_is_shown_neither_a_key_nor_a_password_in_an_address(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        evidence_keys="k1:hush",
        database_url="mysql+pymysql://ann:hush@db.example/gridroll?password=hush",
        smtp_url="smtp://ann:hush@mail.example:587",
    )
    assert not [line for line in found.values() if "hush" in str(line.value)]
    assert found["evidence_keys"].value == "set"
    assert found["database_url"].value == "mysql+pymysql://db.example/gridroll"
