"""Crops in a folder, for their owner only."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from db.errors import EvidenceError
from db.evidence.blobs import NAME, Blob, MissingBlobError, checked
from db.files import PART, erase_file, read_whole, write_whole

__all__ = ["FolderBlobs"]


class FolderBlobs:
    """A `BlobStore` under a folder, in a subfolder for each first two digits. What is deleted is overwritten first."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def where(self) -> str:
        return str(self._root)

    def put(self, name: str, content: bytes) -> None:
        path = self._path(name)
        with self._explained("write"):
            # By itself: of several folders that are made at once, only the last would be closed to others.
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, content)

    def get(self, name: str) -> bytes:
        path = self._path(name)
        with self._explained("read"):
            try:
                return read_whole(path)
            except FileNotFoundError:
                raise MissingBlobError(name, self.where) from None

    def delete(self, name: str) -> None:
        path = self._path(name)
        with self._explained("erase in"):
            erase_file(path)

    def blobs(self) -> Iterator[Blob]:
        with self._explained("list"):
            for path, modified in self._files():
                if NAME.fullmatch(path.name):
                    yield Blob(path.name, modified)

    def tidy(self, before: datetime) -> None:
        with self._explained("erase in"):
            for path, modified in self._files():
                if path.suffix == PART and modified < before:
                    erase_file(path)

    def check(self) -> str:
        with self._explained("use"):
            if not self._root.exists():
                return f"{self._root}, made with the first crop"
        trial = secrets.token_hex(32)
        self.put(trial, trial.encode())
        try:
            if self.get(trial) != trial.encode():
                raise EvidenceError(
                    f"{self._root} gives back something else than was written; check its disk"
                )
        finally:
            self.delete(trial)
        return str(self._root)

    def close(self) -> None:
        """Nothing is held."""

    def _path(self, name: str) -> Path:
        return self._root / checked(name)[:2] / name

    def _files(self) -> Iterator[tuple[Path, datetime]]:
        if not self._root.exists():
            return
        for folder in sorted(self._root.iterdir()):
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                try:
                    yield path, datetime.fromtimestamp(path.stat().st_mtime, UTC)
                except FileNotFoundError:  # deleted by somebody else meanwhile
                    continue

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EvidenceError(
                f"cannot {what} {self._root}: {error.strerror or error}; check the folder, its disk and permissions, "
                "or set another evidence_url"
            ) from error
