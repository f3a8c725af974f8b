import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text

from db.database import Database, make_database, open_database
from db.errors import ConfigError, DatabaseError
from db.schema import Base, Course


def test_the_migrations_make_exactly_the_schema_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_making_a_database_again_keeps_what_is_in_it(database_url: str) -> None:
    for _ in range(2):
        database = make_database(database_url)
        with database.writing() as session:
            session.merge(
                Course(id=1, code="X", time_zone="UTC", late_after_s=1, left_early_s=1, min_presence=0.0)
            )
        database.close()
    database = open_database(database_url)
    with database.reading() as session:
        assert session.scalars(select(Course.code)).all() == ["X"]
    database.close()


def test_what_is_raised_inside_a_transaction_undoes_all_of_it(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as session:  # noqa: PT012
        session.add(Course(code="X", time_zone="UTC", late_after_s=1, left_early_s=1, min_presence=0.0))
        session.flush()
        raise RuntimeError
    with database.reading() as session:
        assert session.scalars(select(Course)).all() == []


def test_a_schema_from_the_future_is_refused_and_left_alone(database_url: str) -> None:
    database = make_database(database_url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"schema version 9999.*upgrade Gridroll"):
        open_database(database_url)
    with pytest.raises(DatabaseError, match="newer than this program"):
        database.migrate()
    assert database.revision() == "9999"
    database.close()


def test_a_missing_database_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="run 'gridroll init' first"):
        open_database(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 40, b"SQLite format 3\x00" + b"\xff" * 4000]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match="damaged or no SQLite database"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_database_cut_short_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    make_database(f"sqlite:///{path}").close()
    os.truncate(path, 6000)
    with pytest.raises(DatabaseError) as error, open_database(f"sqlite:///{path}").reading() as session:
        session.scalars(select(Course)).all()
    assert "\n" not in str(error.value)


def test_a_locked_database_says_so_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connections.BUSY_TIMEOUT_MS", 50)
    database = make_database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseError, match="locked by another program") as error, database.writing():
        pass
    assert error.value.transient
    other.close()
    with database.writing():
        pass
    database.close()


def test_a_server_that_is_away_says_so_and_may_be_tried_again() -> None:
    with pytest.raises(DatabaseError, match="cannot be reached") as error:
        open_database("mysql+pymysql://root@127.0.0.1:1/gridroll")
    assert error.value.transient


def test_a_password_is_never_part_of_a_message() -> None:
    with pytest.raises(DatabaseError) as error:
        open_database("mysql+pymysql://root:secret@127.0.0.1:1/gridroll")
    assert "secret" not in str(error.value)


def test_a_value_that_no_column_takes_is_a_database_error(database: Database) -> None:
    with pytest.raises(DatabaseError, match="at most 64 fit"), database.reading() as session:
        session.scalars(select(Course).where(Course.code == "x" * 65)).all()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "oracle9://x",
        "mysql+nodriver://h/d",
        "mysql://u:secret@h/d",
        "mysql+pymysql://u:secret@h:port/d",
    ],
)
def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url") as error:
        open_database(url)
    assert "secret" not in str(error.value)


def test_the_database_file_is_for_its_owner_only(tmp_path: Path) -> None:
    make_database(f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}").close()
    assert (tmp_path / "new" / "ledger.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_sqlite_checks_foreign_keys_and_writes_ahead(tmp_path: Path) -> None:
    database = make_database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with database.reading() as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
