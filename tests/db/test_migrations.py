"""Migrations with data in them, up, down and cut short."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from db.database import Database, make_database, open_database
from db.errors import DatabaseError
from db.schema import Base
from db.schema_version import SCRIPTS, known_versions, newest
from tests.db.filling import fill, rows_of, shared
from tests.db.mortal import at_once, init, migrate_until
from tests.mariadb_server import MariaServer

VERSIONS = [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()][::-1]


def test_the_versions_are_alembics() -> None:
    assert known_versions() == VERSIONS


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def other_url(database_url: str, mariadb: MariaServer, tmp_path: Path) -> Iterator[str]:
    """A second empty database of the same kind."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.sqlite'}"
        return
    name = f"other_{os.urandom(6).hex()}"
    yield mariadb.make(name)
    mariadb.tell(f"DROP DATABASE {name}")


def held(database: Database) -> Any:
    with database.engine.connect() as connection:
        return rows_of(connection)


def described(database: Database) -> dict[str, Any]:
    """All that the database says of its tables, in no order."""
    with database.engine.connect() as connection:
        seen = inspect(connection)
        tables = [name for name in seen.get_table_names() if name != "alembic_version"]
        return {
            name: {
                "columns": {
                    column["name"]: {key: str(value) for key, value in column.items() if key != "comment"}
                    for column in seen.get_columns(name)
                },
                "key": seen.get_pk_constraint(name)["constrained_columns"],
                "foreign": sorted(str(sorted(one.items())) for one in seen.get_foreign_keys(name)),
                "unique": sorted(str(one["column_names"]) for one in seen.get_unique_constraints(name)),
                "indexes": sorted(str((one["name"], one["column_names"])) for one in seen.get_indexes(name)),
                "options": {
                    key: value
                    for key, value in seen.get_table_options(name).items()
                    if "increment" not in key
                },
            }
            for name in tables
        }


def test_the_migrations_make_what_the_models_describe(empty: Database, other_url: str) -> None:
    empty.migrate()
    models = Database(other_url)
    with models.engine.connect() as connection:
        Base.metadata.create_all(connection)
        connection.commit()
    assert described(empty) == described(models)
    models.close()


def test_alembic_finds_nothing_to_change(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def test_every_step_up_and_down_keeps_the_rows(empty: Database) -> None:
    seen = []
    for version in VERSIONS:
        before = held(empty)
        empty.migrate(version)
        after = held(empty)
        assert shared(after, before) == shared(before, after)
        with empty.engine.connect() as connection:
            fill(connection)
        seen.append(described(empty))
    assert all(held(empty).values())
    for version, described_before in zip(VERSIONS[-2::-1], seen[-2::-1], strict=True):
        before = held(empty)
        empty.migrate(version)
        after = held(empty)
        assert shared(after, before) == shared(before, after)
        assert all(after.values()), version
        assert described(empty).keys() == described_before.keys()
    empty.migrate("base")
    assert held(empty) == {}
    empty.migrate()
    assert described(empty) == seen[-1]


def test_a_database_filled_at_the_last_version_that_landed_keeps_all(empty: Database) -> None:
    empty.migrate("0003")
    with empty.engine.connect() as connection:
        fill(connection)
    before = held(empty)
    empty.migrate()
    after = held(empty)
    assert set(before) < set(after)
    for table, rows in before.items():
        assert [{column: row[column] for column in rows[0]} for row in after[table]] == rows
    with empty.reading() as session:  # and the keys still refer to them
        found = session.execute(
            text("SELECT s.name FROM namings n JOIN students s ON s.id = n.student_id")
        ).all()
    assert len(found) == 3


def test_a_migration_killed_again_and_again_goes_on_where_it_stopped(
    empty: Database, database_url: str
) -> None:
    empty.migrate("0003")
    with empty.engine.connect() as connection:
        fill(connection)
    before = held(empty)
    sqlite = database_url.startswith("sqlite")
    kills = [("after", 1), ("before", 12), ("after", 11), ("after", 9), ("before", 14), ("after", 13)]
    for moment, wanted in kills:
        assert migrate_until(database_url, moment, wanted), "done before it was killed"
        with pytest.raises(DatabaseError, match=r"schema version 0003.*run 'gridroll init'"):
            open_database(database_url)
        if sqlite:  # undone as a whole
            assert held(empty) == before
    assert not migrate_until(database_url, "after", 1000)
    database = open_database(database_url)
    after = held(database)
    for table, rows in before.items():
        assert [{column: row[column] for column in rows[0]} for row in after[table]] == rows
    assert len(after["due_folds"]) == len(before["sessions"])
    assert len(after["audit_head"]) == 1
    database.migrate("base")
    database.migrate()
    clean = described(database)
    database.close()
    assert "migration_progress" not in clean


def test_a_first_schema_cut_short_is_completed(empty: Database, database_url: str) -> None:
    for moment, wanted in (("after", 1), ("after", 2), ("before", 20), ("after", 25)):
        assert migrate_until(database_url, moment, wanted)
        with pytest.raises(DatabaseError, match="run 'gridroll init'"):
            open_database(database_url)
    database = make_database(database_url)
    assert database.revision() == newest()
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)
    database.close()


def test_a_killed_init_is_completed_by_the_next(
    empty: Database, database_url: str, cache_server: str, tmp_path: Path
) -> None:
    """The real command, killed at moments that nobody chose."""
    environment = {
        "GRIDROLL_HOME": str(tmp_path / "home"),
        "GRIDROLL_DATABASE_URL": database_url,
        "GRIDROLL_CACHE_URL": cache_server,
    }
    for _ in range(6):
        init(environment, kill_after_s=random.uniform(0.1, 0.6))
    assert init(environment) == 0
    open_database(database_url).close()
    empty.examine()


def test_an_init_killed_before_the_schema_leaves_no_file_that_the_next_takes_for_damaged(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    program = "import os, sys\nfrom db.database import Database, make_database\n"
    program += "Database.migrate = lambda *_: os.kill(os.getpid(), 9)\nmake_database(sys.argv[1])"
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "ledger.sqlite").exists()
    make_database(url).close()
    open_database(url).close()


def test_tables_of_somebody_else_are_not_taken_over(empty: Database, database_url: str) -> None:
    with empty.engine.connect() as connection:
        connection.execute(text("CREATE TABLE students (mark INTEGER)"))
        connection.execute(text("INSERT INTO students VALUES (7)"))
        connection.commit()
    for _ in range(2):  # also not by a second attempt
        with pytest.raises(DatabaseError, match="already exists") as error:
            make_database(database_url)
        assert "\n" not in str(error.value)
    with empty.reading() as session:
        assert session.execute(text("SELECT mark FROM students")).all() == [(7,)]


def test_rows_that_refer_to_none_stop_a_migration_of_sqlite(tmp_path: Path) -> None:
    database = make_database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    database.migrate("0003")
    other = sqlite3.connect(tmp_path / "ledger.sqlite")  # which does not check them
    other.execute("INSERT INTO consents (student_id, note, given_at) VALUES (9, 'x', '2026-01-01')")
    other.commit()
    other.close()
    with pytest.raises(DatabaseError, match="1 rows that refer to none, in consents"):
        database.migrate()
    assert database.revision() == "0003"
    database.close()


def test_two_programs_that_migrate_at_once_do_it_once(database_url: str) -> None:
    assert at_once(database_url, 3) == [0, 0, 0]
    open_database(database_url).close()
