"""Files that are written whole or not at all, and files of which nothing may stay."""

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["erase_file", "make_once", "read_whole", "write_whole"]

PART = ".part"
"""How the name of a file ends that is still being written, or whose writer was killed."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file for its owner only; whoever reads it sees the old content or the new. Its folder is made.

    When this returns, the file outlives a power cut. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=path.parent, suffix=PART, delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise
    _settle(path.parent)


def make_once(path: Path, content: bytes) -> None:
    """Write a file for its owner only, unless there is one. Of several programs that try, one succeeds. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces what another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _settle(path.parent)


def erase_file(path: Path) -> None:
    """Overwrite a file with zeros, then delete it. It may be missing. `read_whole` waits meanwhile. Raises OSError."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
        path.unlink()


def read_whole(path: Path) -> bytes:
    """A file's content, never what is just being erased: that raises FileNotFoundError. Raises OSError."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        if not os.fstat(file.fileno()).st_nlink:
            raise FileNotFoundError(path)
        return file.read()


def _settle(folder: Path) -> None:
    """Make the names in a folder durable: what was renamed there may else be gone after a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
