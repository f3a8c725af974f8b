"""The mark of a restore that has begun to change a home: what was killed meanwhile is finished, not used."""

import json
import os
from pathlib import Path

from db.errors import ConfigError

__all__ = ["read_mark", "refuse_half_restored", "remove_mark", "set_mark"]

NAME = "restore.under-way"


def set_mark(home: Path, archive: Path, sha256: str) -> None:
    """Say, durably, that this archive is being restored. `sha256`: of its manifest."""
    draft = home / f"{NAME}.part"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"archive": str(archive), "sha256": sha256}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / NAME)
    _sync(home)


def remove_mark(home: Path) -> None:
    (home / NAME).unlink(missing_ok=True)
    _sync(home)


def read_mark(home: Path) -> tuple[str, str] | None:
    """Which archive was being restored, and its manifest's SHA-256; None: none was."""
    try:
        found = json.loads((home / NAME).read_text(encoding="utf-8"))
        return str(found["archive"]), str(found["sha256"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return "FILE", ""


def refuse_half_restored(home: Path) -> None:
    """Raises ConfigError where a restore was cut short."""
    if mark := read_mark(home):
        raise ConfigError(
            f"{home} is half restored; run 'gridroll restore {mark[0]}' again, which completes it"
        )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
