"""What an archive says of itself: where and when it was made, and of what members it consists."""

import hashlib
import json
import re
import tarfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from db.errors import GridrollError

__all__ = ["ArchiveError", "Manifest", "Member", "damaged", "header", "padding", "seal_of"]

FORMAT = 1
BLOCK = 512
END = bytes(2 * BLOCK)
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
LARGEST_MANIFEST = 1 << 20

NAME = re.compile(
    r"database/[a-z][a-z_]{0,59}\.jsonl\.gz|faces/[a-z]{1,20}\.jsonl\.gz|cache/[a-z][a-z_]{0,59}\.jsonl\.gz"
    r"|evidence\.crops|keys/(portal\.key|evidence\.keys)|manifest\.(json|sha256)"
)
"""All names there can be. None leads out of the folder in which somebody unpacks the archive by hand."""


class ArchiveError(GridrollError):
    """An archive that cannot be written, read or restored. Nothing was changed unless the message says so."""


@dataclass(frozen=True, slots=True)
class Member:
    """A part of an archive: its size as it lies there and unpacked, the records in it, and its SHA-256 as it lies there."""

    name: str
    packed_bytes: int
    unpacked_bytes: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`engine`: the database's. `revision`: its schema's. `audit_seq`, `audit_hash`: the end of the audit chain.

    `notes`: what the archive lacks, and why, as sentences.
    """

    made_at: datetime
    gridroll: str
    engine: str
    revision: str
    audit_seq: int
    audit_hash: str
    notes: tuple[str, ...]
    members: tuple[Member, ...]
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        made_at = self.made_at.astimezone(UTC).isoformat(timespec="seconds")
        return json.dumps({**asdict(self), "made_at": made_at}, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def read(cls, content: bytes, path: Path) -> "Manifest":
        """Raises ArchiveError for what is none, or one of another format."""
        try:
            found = json.loads(content)
            if isinstance(found, dict) and found.get("format") != FORMAT:
                raise ArchiveError(
                    f"{path} is of format {str(found.get('format'))[:20]}, this program knows {FORMAT}; use a newer Gridroll"
                )
            manifest = TypeAdapter(cls).validate_json(content)
        except (ValueError, ValidationError, RecursionError) as error:
            raise damaged(path, "its manifest is none") from error
        return manifest

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)

    def counted(self, prefix: str) -> int:
        """Records in all members whose names begin so."""
        return sum(member.count for member in self.members if member.name.startswith(prefix))


def damaged(path: Path, what: str) -> ArchiveError:
    return ArchiveError(f"{path} is damaged ({what}); nothing was changed, take another archive")


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a member. There is one header for a name and a size, so a changed byte is always noticed."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """The zeros after a member of this size."""
    return bytes(-size % BLOCK)


def seal_of(manifest: bytes) -> bytes:
    """The last member: the manifest's SHA-256, as `sha256sum` writes it."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()
