"""Where the demo keeps its state."""

from pathlib import Path

import pytest

from demo.commands import _fresh_home


def test_a_demo_never_asks_the_stores_or_the_provider_of_the_real_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", "mysql+pymysql://registrar@campus/gridroll")
    monkeypatch.setenv("GRIDROLL_CACHE_URL", "mongodb://campus")
    monkeypatch.setenv("GRIDROLL_ENGINE", "rekognition")
    settings = _fresh_home(tmp_path / "demo")
    assert (settings.database_url, settings.cache_url, settings.engine) == ("", "", "local")
