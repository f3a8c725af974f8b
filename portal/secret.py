"""The key that signs the portal's cookies, kept in a file of its own."""

import secrets
from pathlib import Path

from db.files import make_once
from portal.errors import PortalError

__all__ = ["load_secret_key"]

KEY_BYTES = 32


def load_secret_key(path: Path) -> bytes:
    """The key in the file, made (mode 0600) where there is none. Safe when several processes start at once.

    Raises PortalError for a file that cannot be read or written, or that holds no key of this length.
    """
    try:
        if not path.exists():
            make_once(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise PortalError(f"cannot use the key file {path}: {error.strerror}; check its folder") from error
    if len(key) != KEY_BYTES:
        raise PortalError(
            f"key file {path} holds {len(key)} bytes instead of {KEY_BYTES}; remove it and everybody signs in again"
        )
    return key
