"""The key that signs the portal's cookies, kept in a file of its own."""

import base64
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from db.files import make_once
from portal.errors import PortalError

__all__ = ["Box", "load_secret_key"]

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


class Box:
    """Keeps short secrets in the ledger that only the portal can read: encrypted by a key that comes of the portal's."""

    def __init__(self, key: bytes, purpose: str) -> None:
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises PortalError for what another key sealed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise PortalError(
                "a secret in the ledger was sealed with another portal.key; bring that file back, or make the secret anew"
            ) from error
