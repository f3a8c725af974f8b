"""Anchors: the head of the audit chain at a moment, kept where whoever can write to the database cannot."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from db.errors import GridrollError

__all__ = ["Anchor", "anchor_now", "read_anchor", "write_anchor"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """`seq` rows, the last of which had `hash`, `at` a moment (ISO 8601 UTC), in `database` (its address, no password)."""

    seq: int
    hash: str
    at: str
    database: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def anchor_now(seq: int, digest: str, database: str) -> Anchor:
    return Anchor(seq, digest, datetime.now(UTC).isoformat(timespec="seconds"), database)


def read_anchor(path: Path) -> Anchor:
    """Raises GridrollError for a file that cannot be read or is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        anchor = Anchor(found["seq"], found["hash"], found["at"], found["database"])
    except OSError as error:
        raise GridrollError(f"cannot read anchor {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise GridrollError(f"{path} is no anchor; give a file that 'gridroll audit anchor' wrote") from error
    texts = (anchor.hash, anchor.at, anchor.database)
    if type(anchor.seq) is not int or anchor.seq < 0 or not all(isinstance(text, str) for text in texts):
        raise GridrollError(f"{path} is no anchor; give a file that 'gridroll audit anchor' wrote")
    return anchor


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Write a file for its owner only, whole or not at all. Raises GridrollError."""
    try:
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            try:
                part.write(f"{anchor.to_json()}\n".encode())
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).replace(path)
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise GridrollError(f"cannot write {path}: {error.strerror}; choose another file") from error
