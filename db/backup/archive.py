"""Reads an archive and believes nothing that it says: names, sizes, hashes and padding are checked."""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from db.backup.manifest import (
    BLOCK,
    END,
    LARGEST_MANIFEST,
    MANIFEST,
    NAME,
    SEAL,
    ArchiveError,
    Manifest,
    Member,
    damaged,
    header,
    padding,
    seal_of,
)

__all__ = ["Archive", "open_archive"]

MOST_MEMBERS = 1000
CHUNK = 1 << 20
LONGEST_LINE = 128 << 20
"""A row of the audit chain holds up to 16 MB, which are more as JSON."""


class Archive:
    """An open archive. Its structure is checked when it is opened, what is in its members by `verify()`.

    Safe to share between threads. Raises ArchiveError for anything that is not as it was written.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._descriptor = file.fileno()
        self.path = path
        found = self._walk()
        self.manifest, self.sha256 = self._manifest(found)
        self._starts = {name: start for name, start, _ in found}

    def verify(self) -> None:
        """Read every byte, and compare with what the manifest says."""
        for member in self.manifest.members:
            total = hashlib.sha256()
            for offset in range(0, member.packed_bytes, CHUNK):
                length = min(CHUNK, member.packed_bytes - offset)
                total.update(self._read(self._starts[member.name] + offset, length))
            if total.hexdigest() != member.sha256:
                raise self.damaged(f"{member.name} is not what was written")

    @contextmanager
    def member(self, member: Member) -> Iterator[IO[bytes]]:
        """The unpacked content. At the end all must have been read, and be what was written."""
        raw = _Unpacking(self._descriptor, self._starts[member.name], member)
        try:
            with io.BufferedReader(raw, CHUNK) as stream:
                yield stream
                if stream.read(1) or not raw.whole():
                    raise self.damaged(f"{member.name} is not what was written")
        except (zlib.error, EOFError) as error:
            raise self.damaged(f"{member.name} cannot be unpacked") from error

    def lines(self, member: Member) -> Iterator[bytes]:
        """The lines of a member, without their ends."""
        with self.member(member) as stream:
            for line in iter(partial(stream.readline, LONGEST_LINE), b""):
                if not line.endswith(b"\n"):
                    raise self.damaged(f"a line of {member.name} has no end")
                yield line[:-1]

    def damaged(self, what: str) -> ArchiveError:
        return damaged(self.path, what)

    def _walk(self) -> list[tuple[str, int, int]]:
        """Name, start and size of the members. The two last describe the others."""
        size = os.fstat(self._descriptor).st_size
        found: list[tuple[str, int, int]] = []
        position = 0
        while (block := self._read(position, BLOCK)) != END[:BLOCK]:
            name, length = self._parsed(block, first=not found)
            start = position + BLOCK
            position = start + length + len(padding(length))
            if position + len(END) > size:
                raise self.damaged("it is cut short")
            if self._read(start + length, len(padding(length))) != padding(length):
                raise self.damaged(f"there is something behind {name}")
            found.append((name, start, length))
            if len(found) > MOST_MEMBERS:
                raise self.damaged("it has too many members")
        if size != position + len(END) or self._read(position, len(END)) != END:
            raise self.damaged("there is something behind its end")
        if [name for name, *_ in found[-2:]] != [MANIFEST, SEAL]:
            raise self.damaged("its manifest is missing")
        return found

    def _parsed(self, block: bytes, *, first: bool) -> tuple[str, int]:
        try:
            entry = tarfile.TarInfo.frombuf(block, "ascii", "strict")
            known = bool(NAME.fullmatch(entry.name)) and entry.size >= 0
            if known and header(entry.name, entry.size) == block:
                return entry.name, entry.size
        except (tarfile.HeaderError, ValueError):
            pass
        if first:
            raise ArchiveError(f"{self.path} is no archive that 'gridroll backup' wrote; name another file")
        raise self.damaged("a header is not what was written")

    def _manifest(self, found: list[tuple[str, int, int]]) -> tuple[Manifest, str]:
        (_, start, length), (_, seal_start, seal_length) = found[-2:]
        if length > LARGEST_MANIFEST:
            raise self.damaged("its manifest is too large")
        content = self._read(start, length)
        if seal_length > BLOCK or self._read(seal_start, seal_length) != seal_of(content):
            raise self.damaged("its manifest is not what was written")
        manifest = Manifest.read(content, self.path)
        said = [(member.name, member.packed_bytes) for member in manifest.members]
        if said != [(name, length) for name, _, length in found[:-2]] or len(dict(said)) != len(said):
            raise self.damaged("its members are not those of its manifest")
        return manifest, hashlib.sha256(content).hexdigest()

    def _read(self, position: int, length: int) -> bytes:
        content = os.pread(self._descriptor, length, position)
        if len(content) != length:
            raise self.damaged("it is cut short")
        return content


class _Unpacking(io.RawIOBase):
    """A member's unpacked bytes, never more than the manifest says; hashed as they are read."""

    def __init__(self, descriptor: int, start: int, member: Member) -> None:
        self._descriptor = descriptor
        self._position, self._end = start, start + member.packed_bytes
        self._left = member.unpacked_bytes
        self._member = member
        self._sum = hashlib.sha256()
        self._stretch = zlib.decompressobj(wbits=31) if member.name.endswith(".gz") else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = len(buffer)
        content = self._plain(wanted) if self._stretch is None else self._stretched(self._stretch, wanted)
        self._left -= len(content)
        if self._left < 0:
            raise EOFError("more than the manifest says")
        buffer[: len(content)] = content
        return len(content)

    def whole(self) -> bool:
        """Whether all was read, and was what was written."""
        return (
            self._left == 0 and self._position == self._end and self._sum.hexdigest() == self._member.sha256
        )

    def _stretched(self, stretch: Any, wanted: int) -> bytes:
        content = b""
        while not content and not stretch.eof:
            packed = stretch.unconsumed_tail or self._plain(CHUNK)
            content = stretch.decompress(packed, wanted)
            if not packed and not content:
                raise EOFError("cut short")
        if stretch.eof and (stretch.unused_data or self._position != self._end):
            raise EOFError("something behind the end")
        return content

    def _plain(self, wanted: int) -> bytes:
        content = os.pread(self._descriptor, min(wanted, self._end - self._position), self._position)
        self._position += len(content)
        self._sum.update(content)
        return content


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Raises ArchiveError for a file that cannot be read, or is no archive, or is damaged."""
    try:
        with path.open("rb") as file:
            yield Archive(file, path)
    except OSError as error:
        if error.filename != str(path):
            raise
        raise ArchiveError(f"cannot read {path}: {error.strerror}; name an archive that is there") from error
