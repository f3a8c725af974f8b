"""Whether a SQLite file is whole, told from its size and headers alone.

SQLite notices damage when it reads a damaged page, which may be weeks later; and it takes a file cut to nothing for a
new database, and a write-ahead log that is none for an empty one. So this is looked at before a file is opened.

The file itself is looked at through SQLite only. Locks belong to the program, so when a program closes a file by other
means, its SQLite connections to that file lose theirs (https://www.sqlite.org/howtocorrupt.html, section 2.2). None are
held on the log. Offsets: https://www.sqlite.org/fileformat2.html, section 4.1.
"""

import sqlite3
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from db.errors import DatabaseError
from db.files import make_once

__all__ = ["check_file", "make_file"]

WAL_MAGICS = (0x377F0682, 0x377F0683)
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
AGAIN_S = 0.05
REMEDY = "restore it from a backup"


@dataclass(frozen=True, slots=True)
class _Logged:
    """What is committed in a write-ahead log. `pages`: in the database after the last commit. `held`: those in the log."""

    page_bytes: int
    pages: int
    held: frozenset[int]


def make_file(path: Path) -> None:
    """Make a database without tables, for its owner only, where there is no file. Raises OSError.

    SQLite itself makes an empty file first, and whoever is killed then leaves what `check_file` must refuse.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in ("CREATE TABLE one (one)", "DROP TABLE one", "VACUUM"):
            connection.execute(statement)
        make_once(path, connection.serialize())


def check_file(path: Path) -> None:
    """Refuse a file that is empty, cut short, or beside a write-ahead log that is none; change nothing.

    Other programs may be writing. Raises DatabaseError, also for a file that cannot be read.
    """
    try:
        if not path.stat().st_size:
            raise DatabaseError(f"{path} is empty; {REMEDY}, or remove the file and run 'gridroll init'")
        logged, damage = _look(path)
        if damage is not None:
            # Another program that had the file open may have brought its log into it meanwhile, and removed the log.
            time.sleep(AGAIN_S)
            logged, damage = _look(path)
        if damage is not None:
            raise DatabaseError(damage)
        if logged is not None:
            # Looked at last: a page that leaves the log meanwhile has arrived in the file.
            whole = path.stat().st_size // logged.page_bytes
            held = sum(whole < page <= logged.pages for page in logged.held)
            if lost := _lost(path, logged.pages, whole, held):
                raise DatabaseError(lost)
    except OSError as error:
        raise DatabaseError(f"cannot read {path}: {error.strerror}; check the permissions") from error


def _look(path: Path) -> tuple[_Logged | None, str | None]:
    """What is in the log; and, where there is none, what is wrong with the file, None for nothing."""
    wal = path.with_name(f"{path.name}-wal")
    if (logged := _read_log(wal)) is not None:
        return logged, None
    if (damage := _damage(path)) is None:
        return None, None
    # Another program may have begun to write since.
    logged = _read_log(wal)
    return logged, None if logged is not None else damage


def _damage(path: Path) -> str | None:
    """What is wrong with a file that has no log; None for nothing."""
    try:
        # As if nobody could write: nothing is locked, and nothing left beside the file.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    except sqlite3.OperationalError as error:
        return f"cannot read {path}: {error}; check the permissions"
    except sqlite3.DatabaseError as error:
        return f"{path} is damaged or no SQLite database ({error}); {REMEDY}, or move the file away and run 'gridroll init'"
    return _lost(path, pages, path.stat().st_size // page_bytes, 0)


def _lost(path: Path, pages: int, whole: int, held: int) -> str | None:
    """`whole`: pages in the file; `held`: further ones in the log."""
    lost = pages - whole - held
    return f"{path} is damaged: {lost} of its {pages} pages are cut off; {REMEDY}" if lost > 0 else None


def _read_log(wal: Path) -> _Logged | None:
    """None where nothing is committed in the log, or there is none."""
    try:
        file = wal.open("rb")
    except FileNotFoundError:
        return None
    with file:
        header = file.read(WAL_HEADER_BYTES)
        # All zeros: the power failed before anything of the log was on the disk.
        if len(header) < WAL_HEADER_BYTES or not any(header):
            return None
        magic, _, page_bytes = struct.unpack_from(">3I", header)
        if magic not in WAL_MAGICS or page_bytes not in {1 << power for power in range(9, 17)}:
            raise DatabaseError(
                f"{wal} is damaged: it is no write-ahead log; restore both files from a backup, or move this one away to do "
                "without the last changes"
            )
        pages, held, pending = 0, set[int](), set[int]()
        # Frames with another salt are left over from before the log began anew.
        while (
            len(frame := file.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES and frame[8:16] == header[16:24]
        ):
            page, pages_then = struct.unpack_from(">2I", frame)
            pending.add(page)
            if pages_then:  # a commit
                pages = pages_then
                held |= pending
                pending.clear()
            file.seek(page_bytes, 1)
    return _Logged(page_bytes, pages, frozenset(held)) if pages else None
