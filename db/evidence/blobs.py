"""The seam behind which encrypted crops are stored: a folder, or a bucket."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from db.errors import ConfigError, EvidenceError
from db.settings import Settings

__all__ = ["Blob", "BlobStore", "MissingBlobError", "checked", "open_blobs"]

NAME = re.compile(r"[0-9a-f]{64}")


class MissingBlobError(EvidenceError):
    """A blob that is not in the store."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(f"crop {name[:12]}… is missing in {where}; restore the store from a backup")


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob in a store. `stored_at`: when it was last written, aware."""

    name: str
    stored_at: datetime


class BlobStore(Protocol):
    """Keeps bytes by name; a name is 64 lower-case hex digits.

    Implementations are safe to share between threads and between programs, open what they need at the first call, and
    raise EvidenceError for what they cannot do; its `transient` says whether trying again can help.
    """

    @property
    def where(self) -> str:
        """Where it keeps them, in one line for people."""

    def put(self, name: str, content: bytes) -> None:
        """Store a blob whole, or not at all, in place of one of that name. When this returns, it is durable."""

    def get(self, name: str) -> bytes:
        """Raises MissingBlobError where there is none."""

    def delete(self, name: str) -> None:
        """Remove a blob, and its bytes with it. It may be missing."""

    def blobs(self) -> Iterator[Blob]:
        """All blobs, in no order; what is not named like one is passed over."""

    def tidy(self, before: datetime) -> None:
        """Remove what writers left behind who were killed before this moment."""

    def check(self) -> str:
        """Try it: say what was seen in one line, or raise EvidenceError. Changes nothing that lasts."""

    def close(self) -> None:
        """Give back what is held; the store is not used afterwards."""


def open_blobs(settings: Settings) -> BlobStore:
    """The store that `evidence_url` names; nothing is made or connected yet. Raises ConfigError for no such address."""
    from db.evidence.folder import FolderBlobs

    url = settings.evidence_url
    if not url:
        return FolderBlobs(settings.home / "evidence")
    scheme, separator, _ = url.partition("://")
    if not separator:
        return FolderBlobs(settings.home / Path(url).expanduser())
    parts = urlsplit(url)
    if scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"evidence_url {url!r} is neither a folder nor a bucket; write s3://BUCKET/PREFIX or a path"
        )
    # Imported here: who keeps crops in a folder does not wait for AWS's library.
    from db.evidence.bucket import BucketBlobs

    return BucketBlobs(
        parts.netloc, parts.path.strip("/"), settings.evidence_region, settings.evidence_endpoint_url
    )


def checked(name: str) -> str:
    """The name, where it is one: a name from a damaged database must not lead out of the store."""
    if not NAME.fullmatch(name):
        raise EvidenceError(f"{name[:80]!r} is no name of a crop; restore the database from a backup")
    return name
