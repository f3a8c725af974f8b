"""Files that are written whole or not at all, and files of which nothing may stay."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["erase_file", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file for its owner only; whoever reads it sees the old content or the new. Its folder is made.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise


def erase_file(path: Path) -> None:
    """Overwrite a file with zeros, then delete it. It may be missing. Raises OSError."""
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
