"""The evidence in an archive: every crop and photograph that is needed, as it is stored, which is encrypted."""

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import IO

from sqlalchemy import Connection, inspect, select
from sqlalchemy.orm import Session

from db.backup.archive import Archive
from db.backup.writer import ArchiveWriter
from db.evidence.blobs import NAME, Blob, BlobStore, MissingBlobError
from db.evidence.claims import adopt, batches, needed
from db.schema import BlobRow

__all__ = ["dump_crops", "known_crops", "restore_crops", "take_over_crops"]

MEMBER = "evidence.crops"
NAME_BYTES, SIZE_BYTES = 64, 8
LARGEST = 64 << 20
PAGE = 100
AT_ONCE = 8
"""Crops that are read or written side by side: each waits for a bucket, or for the disk."""


def dump_crops(connection: Connection, blobs: BlobStore, archive: ArchiveWriter) -> int:
    """Write the crops of all rows of the snapshot; returns how many the store lacks, as those erased meanwhile.

    Raises EvidenceError where the store cannot be read.
    """
    lacking = 0
    with archive.member(MEMBER) as member, ThreadPoolExecutor(AT_ONCE) as readers:
        for names in _needed(connection):
            for name, content in zip(names, readers.map(lambda name: _read(blobs, name), names), strict=True):
                if content is None:
                    lacking += 1
                    continue
                member.write(name.encode("ascii") + len(content).to_bytes(SIZE_BYTES, "big") + content)
                member.count += 1
    return lacking


def restore_crops(archive: Archive, blobs: BlobStore) -> None:
    """Store all crops of an archive. A name stands for one key and one picture, so none that is there is lost.

    Safe to repeat. Raises EvidenceError, ArchiveError.
    """
    member = archive.manifest.member(MEMBER)
    if member is None:
        return
    with archive.member(member) as stream, ThreadPoolExecutor(AT_ONCE) as writers:
        crops = _crops(archive, stream)
        while page := list(islice(crops, PAGE)):
            for _ in writers.map(lambda crop: blobs.put(*crop), page):
                pass


def known_crops(connection: Connection) -> list[str]:
    """Names of the crops that a database has claimed; none where its schema is from before there were crops."""
    if not inspect(connection).has_table(BlobRow.__tablename__):
        return []
    return list(connection.scalars(select(BlobRow.digest)))


def take_over_crops(session: Session, names: Collection[str]) -> None:
    """Make crops of a database that is given up known to its successor, whose sweep removes those that no look needs.

    Others in the store are left alone: another database may need them.
    """
    now = datetime.now(UTC)
    for some in batches(Blob(name, now) for name in names):
        adopt(session, some)


def _needed(connection: Connection) -> Iterator[list[str]]:
    """Names of the crops and photographs of all rows, once each. By pages: an answer left half read would be cut off by the server."""
    query, last = select(BlobRow.digest).where(needed()).order_by(BlobRow.digest).limit(PAGE), ""
    while names := list(connection.scalars(query.where(BlobRow.digest > last))):
        last = names[-1]
        yield names


def _read(blobs: BlobStore, name: str) -> bytes | None:
    try:
        return blobs.get(name)
    except MissingBlobError:
        return None


def _crops(archive: Archive, stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    while head := stream.read(NAME_BYTES + SIZE_BYTES):
        name, size = head[:NAME_BYTES].decode("ascii", "replace"), int.from_bytes(head[NAME_BYTES:], "big")
        if len(head) != NAME_BYTES + SIZE_BYTES or not NAME.fullmatch(name) or size > LARGEST:
            raise archive.damaged(f"{MEMBER} holds what is no crop")
        content = stream.read(size)
        if len(content) != size:
            raise archive.damaged(f"{MEMBER} ends within a crop")
        yield name, content
