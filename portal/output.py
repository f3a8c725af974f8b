"""Where commands write what they made."""

from pathlib import Path

import click

from portal.errors import PortalError

__all__ = ["write", "write_file"]


def write_file(path: Path, content: bytes) -> None:
    """Write a file anew. Raises PortalError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PortalError(f"cannot write {path}: {error.strerror}; choose another file") from error


def write(content: bytes, output: Path | None) -> None:
    """Write into a file, or to standard output where none is named. Raises PortalError."""
    if output is None:
        click.echo(content, nl=False)
    else:
        write_file(output, content)
