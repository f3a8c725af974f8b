import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.journal import write_ahead


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in the middle of writing, without a write-ahead log."""
    connection = sqlite3.connect(tmp_path / "file", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE page (number)")
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_a_program_that_opens_the_file_waits_for_one_that_writes(
    tmp_path: Path, writer: sqlite3.Connection
) -> None:
    other = sqlite3.connect(tmp_path / "file", isolation_level=None)
    threading.Timer(0.3, lambda: writer.execute("COMMIT")).start()
    write_ahead(other, patience_s=20)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_patience_ends(tmp_path: Path, writer: sqlite3.Connection) -> None:
    other = sqlite3.connect(tmp_path / "file", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(other, patience_s=0.1)
    assert writer.in_transaction
    other.close()
