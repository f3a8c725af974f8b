"""The local engine's faces in an archive: a line each, in the order of their numbers."""

import binascii
import json
import os
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from db.backup.archive import Archive
from db.backup.exchange import exchanging, settle_file
from db.backup.manifest import ArchiveError
from db.backup.writer import ArchiveWriter
from db.errors import StoreError
from db.files import erase_file
from recognizer.index import index_path
from recognizer.vectors import FORMAT, SCHEMA

__all__ = ["dump_faces", "holds_faces", "staged_faces"]

FILE = "faces.sqlite"
MEMBER = "faces/local.jsonl.gz"
BATCH = 2000
BUSY_S = 20.0


def dump_faces(folder: Path, archive: ArchiveWriter) -> None:
    """Write the faces as they are at one moment; nothing where there are none.

    No copy of them is left on the disk beside the archive. Raises StoreError for a file that cannot be read.
    """
    if next(folder.glob("*.json"), None):
        raise StoreError(
            f"{folder} holds faces as the first release stored them; run 'gridroll faces list', which takes them over"
        )
    path = folder / FILE
    if not path.exists():
        return
    with _reading(path) as database, archive.member(MEMBER) as member:
        database.execute("BEGIN")
        removals = int(database.execute("SELECT removals FROM counter").fetchone()[0])
        sequence = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'face'").fetchone()
        member.write(_line({"format": FORMAT, "removals": removals, "last": sequence[0] if sequence else 0}))
        rows = database.execute(
            "SELECT number, face_id, external_id, model, vector, checksum FROM face ORDER BY number"
        )
        for number, face_id, external_id, model, vector, checksum in rows:
            member.write(
                _line([number, face_id, external_id, model, b64encode(vector).decode("ascii"), checksum])
            )
            member.count += 1


def holds_faces(folder: Path) -> bool:
    """Whether any face is stored; a file that cannot be read counts as some."""
    path = folder / FILE
    if not path.exists():
        return next(folder.glob("*.json"), None) is not None
    try:
        with _reading(path) as database:
            return database.execute("SELECT 1 FROM face LIMIT 1").fetchone() is not None
    except StoreError:
        return True


@contextmanager
def staged_faces(archive: Archive, folder: Path) -> Iterator[Callable[[], None]]:
    """Build the archive's collection; what is yielded puts it in place of the one that is there.

    Raises StoreError, transient, while another program has the faces open.
    """
    for made in (folder.parent, folder):  # one by one: only the last of several would be closed to others
        made.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Removing a student's faces erases files of this name too, so that what a killed program left holds nobody's.
    draft = folder / f"{FILE}.part"
    erase_file(draft)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as database:
                _fill(database, archive)
            settle_file(draft)
        except sqlite3.Error as error:
            raise StoreError(f"cannot write {draft}: {error}; check the disk's space") from error
        with exchanging(draft, folder / FILE) as exchange:

            def apply() -> None:
                exchange()
                erase_file(index_path(folder))
                for old in folder.glob("*.json"):
                    erase_file(old)

            yield apply
    finally:
        erase_file(draft)


def _fill(database: sqlite3.Connection, archive: Archive) -> None:
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    for statement in SCHEMA.split(";\n"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {FORMAT}")
    if archive.manifest.member(MEMBER) is not None:
        rows = _rows(archive)
        first = next(rows)
        while batch := list(islice(rows, BATCH)):
            database.executemany("INSERT INTO face VALUES (?, ?, ?, ?, ?, ?)", batch)
        database.execute("DELETE FROM sqlite_sequence")
        database.execute("INSERT INTO sqlite_sequence VALUES ('face', ?)", (first[1],))
        database.execute("UPDATE counter SET removals = ?", (first[0],))
    database.execute("COMMIT")


def _rows(archive: Archive) -> Iterator[tuple[Any, ...]]:
    """First removals and the last number that was given, then each face."""
    member = archive.manifest.member(MEMBER)
    assert member is not None
    lines = archive.lines(member)
    try:
        head = json.loads(next(lines))
        if head["format"] != FORMAT:
            raise ArchiveError(
                f"the faces in {archive.path} are of format {str(head['format'])[:20]}, this program knows {FORMAT}; "
                "use a newer Gridroll"
            )
        yield int(head["removals"]), int(head["last"])
        for line in lines:
            number, face_id, external_id, model, vector, checksum = json.loads(line)
            kinds = (type(number), type(face_id), type(external_id), type(model), type(checksum))
            if kinds != (int, str, str, str, int):
                raise TypeError("no face")
            yield number, face_id, external_id, model, b64decode(vector, validate=True), checksum
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError, binascii.Error) as error:
        raise archive.damaged(f"a line of {MEMBER} is no face") from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as database:
            found = int(database.execute("PRAGMA user_version").fetchone()[0])
            if found != FORMAT:
                raise StoreError(
                    f"the face vectors {path} are of format {found}, this program knows {FORMAT}"
                )
            yield database
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the face vectors {path}: {error}; see 'gridroll doctor'") from error


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
