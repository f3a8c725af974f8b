"""What the schema promises of every table: keys that refer, and text that compares like bytes."""

from typing import Any

import pytest
from sqlalchemy import Column, Connection, Table, inspect, select, text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from db.database import Database
from db.schema import Base
from db.types import Identifier
from tests.db.filling import fill

TABLES = Base.metadata.sorted_tables
KEYS = [(table, column) for table in TABLES for column in table.c if column.foreign_keys]

# What a face was called when somebody was named by it stays on record when the face is erased. Keys are files.
REFERS_TO_NOTHING = {"namings.face_id", "evidence_blobs.key_id"}


def test_every_column_that_names_a_row_of_another_table_is_a_foreign_key() -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in TABLES
        for column in table.c
        if column.name.endswith("_id") and not column.foreign_keys and not column.primary_key
    }
    assert named == REFERS_TO_NOTHING


def test_every_foreign_key_is_in_the_database_and_has_an_index(database: Database) -> None:
    with database.engine.connect() as connection:
        for table, column in KEYS:
            assert [column.name] in foreign_keys(connection, table), f"{table.name}.{column.name}"
            assert column.name in first_columns(connection, table), f"{table.name}.{column.name} has no index"


def test_rows_that_refer_to_none_are_refused(database: Database) -> None:
    with database.engine.connect() as connection:
        fill(connection)
        for table, column in KEYS:
            keys = list(table.primary_key)
            first = connection.execute(select(*keys).order_by(*keys).limit(1)).one()
            one = [key == value for key, value in zip(keys, first, strict=True)]
            with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
                connection.execute(table.update().where(*one).values({column: nobody(column)}))
            connection.rollback()


def test_a_row_that_others_refer_to_cannot_be_removed(database: Database) -> None:
    with database.engine.connect() as connection:
        fill(connection)
        for parent in ("students", "sessions", "courses", "looks", "users"):
            with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
                connection.execute(text(f"DELETE FROM {parent}"))
            connection.rollback()


@pytest.mark.parametrize(
    ("is_mariadb", "collation"), [(True, "utf8mb4_nopad_bin"), (False, "utf8mb4_0900_bin")]
)
def test_each_server_gets_collations_it_knows(is_mariadb: bool, collation: str) -> None:
    dialect = mysql.dialect(is_mariadb=is_mariadb)
    for table in TABLES:
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "CHARSET=utf8mb4" in made
        assert "COLLATE utf8mb4_bin" in made
        assert "ENGINE=InnoDB" in made
        for column in table.c:
            line = next(
                line
                for line in made.splitlines()
                if line.strip().split()[:1] == [dialect.identifier_preparer.format_column(column)]
            )
            is_identifier = isinstance(column.type, Identifier)
            assert (f"COLLATE {collation}" in line) is is_identifier
            assert ("COLLATE" in line) is is_identifier, "other text has the table's"


def nobody(column: Column[Any]) -> str | int:
    return "0" * 64 if isinstance(column.type, Identifier) else 987654


def foreign_keys(connection: Connection, table: Table) -> list[list[str]]:
    return [found["constrained_columns"] for found in inspect(connection).get_foreign_keys(table.name)]


def first_columns(connection: Connection, table: Table) -> set[str | None]:
    seen = inspect(connection)
    indexed: list[Any] = [found["column_names"] for found in seen.get_indexes(table.name)]
    indexed += [found["column_names"] for found in seen.get_unique_constraints(table.name)]
    indexed.append(seen.get_pk_constraint(table.name)["constrained_columns"])
    return {columns[0] for columns in indexed}
