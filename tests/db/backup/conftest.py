"""Databases to restore into, of either kind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text


@pytest.fixture(params=["sqlite", "mariadb"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database to restore into, which is empty or not there yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'target' / 'ledger.sqlite'}"
        return
    yield request.getfixturevalue("mariadb_target")


@pytest.fixture
def mariadb_target(mariadb_url: str) -> Iterator[str]:
    """The address of an empty database of a real MariaDB."""
    name = f"target_{os.urandom(6).hex()}"
    engine = create_engine(mariadb_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    yield f"{mariadb_url}/{name}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()
