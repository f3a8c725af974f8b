"""Where commands write what they made."""

from pathlib import Path

from portal.errors import PortalError

__all__ = ["write_file"]


def write_file(path: Path, content: bytes) -> None:
    """Write a file anew. Raises PortalError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PortalError(f"cannot write {path}: {error.strerror}; choose another file") from error
