"""The key that signs the portal's cookies, kept in a file of its own."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from portal.errors import PortalError

__all__ = ["load_secret_key"]

KEY_BYTES = 32


def load_secret_key(path: Path) -> bytes:
    """The key in the file, made (mode 0600) where there is none. Safe when several processes start at once.

    Raises PortalError for a file that cannot be read or written, or that holds no key of this length.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise PortalError(f"cannot use the key file {path}: {error.strerror}; check its folder") from error
    if len(key) != KEY_BYTES:
        raise PortalError(
            f"key file {path} holds {len(key)} bytes instead of {KEY_BYTES}; remove it and everybody signs in again"
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces the key that another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
