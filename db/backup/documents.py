"""The face cache's documents, as MongoDB's canonical extended JSON, a line each.

A server's database may hold other programs' collections too; none but Gridroll's own are read or changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from bson.errors import BSONError
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from db.backup.archive import Archive
from db.backup.writer import ArchiveWriter
from db.errors import StoreError
from db.face_documents import FACES, MEMORY

__all__ = ["dump_documents", "holds_documents", "restore_documents"]

FOLDER = "cache/"
OWN = (FACES, MEMORY)
DATABASE = "gridroll"
BATCH = 500
TIMEOUT_MS = 60_000


def dump_documents(url: str, archive: ArchiveWriter) -> None:
    """Write the cache's collections. Raises StoreError where the server is away; a member is then cut short."""
    with _server(url) as cache:
        for name in OWN:
            with archive.member(f"{FOLDER}{name}.jsonl.gz") as member:
                for document in cache[name].find(batch_size=BATCH):
                    line = dumps(document, json_options=CANONICAL_JSON_OPTIONS, ensure_ascii=False)
                    member.write(line.encode() + b"\n")
                    member.count += 1


def holds_documents(url: str) -> bool:
    """Whether anything is in the cache. Raises StoreError where the server is away."""
    with _server(url) as cache:
        return any(cache[name].find_one({}, {"_id": 1}) is not None for name in OWN)


def restore_documents(url: str, archive: Archive) -> None:
    """Make the cache hold the archive's documents and no others. Safe to repeat. Raises StoreError, ArchiveError."""
    with _server(url) as cache:
        for name in OWN:
            cache[name].delete_many({})
            documents = _documents(archive, f"{FOLDER}{name}.jsonl.gz")
            while batch := list(islice(documents, BATCH)):
                cache[name].insert_many(batch, ordered=False)


def _documents(archive: Archive, name: str) -> Iterator[dict[str, Any]]:
    member = archive.manifest.member(name)
    if member is None:
        return
    try:
        for line in archive.lines(member):
            document = loads(line, json_options=CANONICAL_JSON_OPTIONS)
            if not isinstance(document, dict):
                raise TypeError("no document")
            yield document
    except (ValueError, TypeError, BSONError, RecursionError) as error:
        raise archive.damaged(f"a line of {name} is no document") from error


@contextmanager
def _server(url: str) -> Iterator[Database[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]] = MongoClient(url, tz_aware=True, timeoutMS=TIMEOUT_MS)
    try:
        yield client.get_default_database(DATABASE)
    except PyMongoError as error:
        raise StoreError(
            f"the face cache does not answer ({str(error)[:120]}); start it, and try again"
        ) from error
    finally:
        client.close()
