"""The local engine's collection on disk: a SQLite file of embeddings."""

import os
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.errors import StoreError
from db.files import erase_file
from db.journal import write_ahead
from recognizer.embedding import DIMENSIONS, Vector
from recognizer.legacy import old_faces
from recognizer.snapshot import Rows, Snapshot

__all__ = ["StoredFace", "VectorFolder"]

FORMAT = 1
BUSY_S = 20.0
CHUNK = 20_000

SCHEMA = """
CREATE TABLE face (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- grows with time and is never used again
    face_id TEXT NOT NULL UNIQUE,
    external_id TEXT NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,                      -- little-endian float32
    checksum INTEGER NOT NULL                  -- CRC-32 of the columns before
);
CREATE TABLE counter (removals INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""


@dataclass(frozen=True, slots=True)
class StoredFace:
    face_id: str
    external_id: str
    model: str


class VectorFolder:
    """Embeddings by face id. Safe to share between threads and programs: changes by others are seen at the next call.

    A face whose row does not match its checksum is left out of every answer and named in `complaint`. Raises
    StoreError for a folder that cannot be used, a file that is damaged as a whole or faces of another model.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self._path = folder / "faces.sqlite"
        self._model = model
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._inode = self._version = -1
        self._rows: Rows | None = None
        self._snapshot: Snapshot | None = None
        self._left_over: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"cannot make {folder}: {error.strerror}; choose another GRIDROLL_HOME"
            ) from error

    @property
    def complaint(self) -> str | None:
        """Which faces are damaged and what to do, as a sentence; None: all are whole."""
        with self._lock:
            self.load()
            assert self._rows is not None
            damaged = [*self._rows.damaged.values(), *self._left_over]
        if not damaged:
            return None
        return (
            f"damaged faces in {self.folder}, which are found no more: {', '.join(damaged[:5])}"
            f"{' and others' if len(damaged) > 5 else ''}; remove them and enrol those students again"
        )

    def load(self) -> Snapshot:
        """All faces. The first call reads them (about 3 s for a million); later ones read what has changed since."""
        with self._lock, self._open() as database:
            version = int(database.execute("PRAGMA data_version").fetchone()[0])
            if self._snapshot is None or version != self._version:
                self._read(database)
                self._version = version
            assert self._snapshot is not None
            return self._snapshot

    def add(self, faces: Sequence[StoredFace], vectors: Vector) -> None:
        """Store faces with their embeddings, of shape (faces, 128); when this returns, all are on the disk.

        Raises StoreError, with none of them stored, for a face id that is there already.
        """
        rows = [_row(face, vector) for face, vector in zip(faces, vectors, strict=True)]
        with self._lock, self._open() as database, _writing(database):
            try:
                database.executemany(
                    "INSERT INTO face (face_id, external_id, model, vector, checksum) VALUES (?, ?, ?, ?, ?)",
                    rows,
                )
            except sqlite3.IntegrityError as error:
                raise StoreError(f"one of {len(rows)} new faces is in {self.folder} already") from error
            self._version = -1

    def remove(self, face_ids: Collection[str], erase: Collection[Path] = ()) -> frozenset[str]:
        """Delete faces and overwrite their numbers; returns the ids that were there.

        `erase`: files derived from the faces, which are overwritten and deleted before anything else can be derived.
        Raises StoreError, transient, when another program keeps the write-ahead log from being emptied: the faces are
        gone then, and the same call erases what is left.
        """
        removed = set()
        with self._lock, self._open() as database:
            with _writing(database):
                for face_id in face_ids:
                    if database.execute("DELETE FROM face WHERE face_id = ?", (face_id,)).rowcount:
                        removed.add(face_id)
                if removed:
                    database.execute("UPDATE counter SET removals = removals + ?", (len(removed),))
                for path in erase:
                    erase_file(path)
            self._version = -1
            if database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                busy = StoreError(
                    f"faces are removed, but their traces in {self._path}-wal are not erased yet: "
                    "another program reads the file; do it again"
                )
                busy.transient = True
                raise busy
        return frozenset(removed)

    def faces(self) -> list[StoredFace]:
        """Who is stored, in the order of storing, damaged ones included."""
        with self._lock, self._open() as database:
            rows = database.execute("SELECT face_id, external_id, model FROM face ORDER BY number")
            return [StoredFace(*row) for row in rows]

    @contextmanager
    def unchanged(self, snapshot: Snapshot) -> Iterator[bool]:
        """Whether none of the snapshot's faces has been removed, and nobody removes one while this lasts."""
        with self._lock, self._open() as database, _writing(database):
            yield _removals(database) == snapshot.removals

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
            self._rows = self._snapshot = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The open database; errors inside become StoreErrors."""
        try:
            if self._database is not None and self._path.stat().st_ino != self._inode:
                self.close()  # a backup was put in its place
            if self._database is None:
                self._database = self._connect()
            yield self._database
        except FileNotFoundError as error:
            self.close()
            raise StoreError(f"the face vectors at {self.folder} are gone: {error.strerror}") from error
        except OSError as error:
            raise StoreError(f"cannot use the face vectors at {self.folder}: {error.strerror}") from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                busy = StoreError(f"the face vectors {self._path} are in use by another program; try again")
                busy.transient = True
                raise busy from error
            raise StoreError(
                f"cannot use the face vectors {self._path}: {error}; check its owner, its rights and the disk's space"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"the face vectors {self._path} are damaged ({error}); put a backup in its place, or remove it and "
                "import the rosters again"
            ) from error

    def _connect(self) -> sqlite3.Connection:
        # A file that is there is not opened: closing it again would take this program's locks away, see db.sqlite_file.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        database = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            write_ahead(database, BUSY_S)
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA secure_delete = ON")
            with _writing(database):
                self._prepare(database)
            self._clear_old(database)
        except BaseException:
            database.close()
            raise
        self._inode, self._version = self._path.stat().st_ino, -1
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Make the tables, with the faces of the first release's files in them, or check whose they are."""
        found = int(database.execute("PRAGMA user_version").fetchone()[0])
        if found not in (0, FORMAT):
            raise StoreError(
                f"the face vectors {self._path} are of format {found}, this program knows {FORMAT}; use a newer Gridroll"
            )
        if not found:
            for statement in SCHEMA.split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {FORMAT}")
        for face_id, external_id, model, vector in old_faces(self.folder, DIMENSIONS):
            database.execute(
                "INSERT OR IGNORE INTO face (face_id, external_id, model, vector, checksum) VALUES (?, ?, ?, ?, ?)",
                _row(StoredFace(face_id, external_id, model), vector),
            )
        row = database.execute("SELECT model FROM face WHERE model != ? LIMIT 1", (self._model,)).fetchone()
        if row is not None:
            raise StoreError(
                f"the faces in {self.folder} were indexed with {row[0]!r}, this program uses {self._model!r}; "
                f"move {self._path} away and import the rosters again"
            )

    def _clear_old(self, database: sqlite3.Connection) -> None:
        """Erase the first release's files whose faces are safely in the database now."""
        for face_id, *_ in old_faces(self.folder, DIMENSIONS):
            if database.execute("SELECT 1 FROM face WHERE face_id = ?", (face_id,)).fetchone():
                erase_file(self.folder / f"{face_id}.json")
        self._left_over = sorted(path.name for path in self.folder.glob("*.json"))

    def _read(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN")
        try:
            removals = _removals(database)
            rows = Rows() if self._rows is None else self._rows
            if removals != rows.removals:
                numbers = [row[0] for row in database.execute("SELECT number FROM face ORDER BY number")]
                rows = rows.only(np.array(numbers, np.int64))
            rows.removals = removals
            self._append(database, rows)
        finally:
            database.execute("COMMIT")
        self._rows, self._snapshot = rows, rows.snapshot()

    def _append(self, database: sqlite3.Connection, rows: Rows) -> None:
        cursor = database.execute(
            "SELECT number, face_id, external_id, model, vector, checksum FROM face WHERE number > ? ORDER BY number",
            (rows.last,),
        )
        while chunk := cursor.fetchmany(CHUNK):
            whole = []
            for row in chunk:
                if len(row[4]) == 4 * DIMENSIONS and _checksum(*row[1:5]) == row[5]:
                    whole.append((row[0], row[1], row[4]))
                else:
                    rows.damaged[row[0]] = f"{row[1]} of {row[2]}"
            rows.append(whole)
            rows.last = chunk[-1][0]


@contextmanager
def _writing(database: sqlite3.Connection) -> Iterator[None]:
    """A transaction that nobody else writes in, committed at the end and rolled back on an error."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _removals(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT removals FROM counter").fetchone()[0])


def _row(face: StoredFace, vector: Vector) -> tuple[str, str, str, bytes, int]:
    if vector.shape != (DIMENSIONS,) or not np.isfinite(vector).all():
        raise StoreError(f"the embedding of face {face.face_id} is not {DIMENSIONS} finite numbers")
    content = vector.astype("<f4").tobytes()
    checksum = _checksum(face.face_id, face.external_id, face.model, content)
    return face.face_id, face.external_id, face.model, content, checksum


def _checksum(face_id: str, external_id: str, model: str, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(f"{face_id}\n{external_id}\n{model}".encode()))
