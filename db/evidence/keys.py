"""The keys of the evidence: each crop is encrypted, and named, under one of them."""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from db.errors import ConfigError, EvidenceError
from db.file_lock import file_lock
from db.files import make_once, write_whole
from db.settings import Settings

__all__ = ["KeyRing", "Sealed", "add_key", "key_file", "load_keys", "new_key"]

MAGIC = b"GRE1"
KEY_BYTES, ID_BYTES, NONCE_BYTES, TAG_BYTES = 32, 8, 12, 16
HEADER_BYTES = len(MAGIC) + ID_BYTES + NONCE_BYTES


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted crop. `name`: 64 hex digits, the same for the same crop and key; who lacks the key learns nothing."""

    name: str
    key_id: str
    content: bytes


class _Key:
    """Three keys out of one (HKDF, RFC 5869): to encrypt with, to name with, and one to be called by."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(SHA256(), KEY_BYTES * 2 + ID_BYTES, None, b"gridroll evidence").derive(secret)
        self.cipher = AESGCM(derived[:KEY_BYTES])
        self._naming = derived[KEY_BYTES : 2 * KEY_BYTES]
        self.raw_id = derived[2 * KEY_BYTES :]

    def name(self, plain: bytes) -> str:
        return hmac.new(self._naming, plain, hashlib.sha256).hexdigest()


class KeyRing:
    """Seals with the newest key and opens with any. `secrets`: of 32 bytes each, newest first, at least one."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        made = [_Key(key) for key in keys]
        self._newest = made[0]
        self._keys = {key.raw_id: key for key in made}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def newest_id(self) -> str:
        """What the newest key is called; it tells nothing of the key."""
        return self._newest.raw_id.hex()

    def seal(self, plain: bytes) -> Sealed:
        """Encrypt with AES-256-GCM under a random nonce, bound to the name."""
        key, nonce = self._newest, secrets.token_bytes(NONCE_BYTES)
        name, start = key.name(plain), MAGIC + key.raw_id
        content = start + nonce + key.cipher.encrypt(nonce, plain, start + name.encode())
        return Sealed(name, self.newest_id, content)

    def open(self, name: str, content: bytes) -> bytes:
        """What was sealed under this name. Raises EvidenceError where the key is lacking or anything was changed."""
        if len(content) < HEADER_BYTES + TAG_BYTES or not content.startswith(MAGIC):
            raise _damaged(name)
        start, nonce = content[: len(MAGIC) + ID_BYTES], content[HEADER_BYTES - NONCE_BYTES : HEADER_BYTES]
        key = self._keys.get(start[len(MAGIC) :])
        if key is None:
            raise EvidenceError(
                f"crop {name[:12]}… is encrypted under key {start[len(MAGIC) :].hex()}, which is not among the keys of the "
                "evidence; put that key behind the newest one again"
            )
        try:
            plain = key.cipher.decrypt(nonce, content[HEADER_BYTES:], start + name.encode())
        except InvalidTag:
            raise _damaged(name) from None
        if not hmac.compare_digest(key.name(plain), name):
            raise _damaged(name)
        return plain


def load_keys(settings: Settings) -> KeyRing:
    """The keys of the settings; where nothing is configured, a key file of Gridroll's own, made where there is none.

    Raises ConfigError, which never holds a key.
    """
    text, where = settings.evidence_keys.get_secret_value(), "evidence_keys"
    if not text.strip():
        path = key_file(settings)
        where = f"key file {path}"
        try:
            if settings.evidence_key_file is None and not path.exists():
                make_once(path, f"{new_key()}\n".encode())
            text = path.read_bytes().decode("ascii", "replace")
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no {where}; 'gridroll evidence key' makes a key to put there"
            ) from error
        except OSError as error:
            raise ConfigError(f"cannot use the {where}: {error.strerror}; check its folder") from error
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    words = [word for word in re.split(r"[\s,]+", "\n".join(lines)) if word]
    if not words:
        raise ConfigError(f"{where} holds no key; 'gridroll evidence key' makes one")
    return KeyRing([_decoded(word, number, where) for number, word in enumerate(words, 1)])


def key_file(settings: Settings) -> Path:
    """The file of the keys, which need not exist."""
    if settings.evidence_key_file is None:
        return settings.home / "evidence.keys"
    return settings.home / settings.evidence_key_file.expanduser()


def new_key() -> str:
    """A random key as it is written into the settings: 44 characters."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def add_key(settings: Settings) -> Path:
    """Put a new key before the others in the key file, and return where that is.

    Raises ConfigError where the keys are not in a file that can be written.
    """
    if settings.evidence_keys.get_secret_value().strip():
        raise ConfigError(
            "the keys are in evidence_keys, not in a file; put the key that 'gridroll evidence key' makes before them"
        )
    load_keys(settings)
    path = key_file(settings)
    try:
        # One after the other: of two that read the same keys, one would write over the other's new one.
        with file_lock(path.with_name(f"{path.name}.lock")):
            write_whole(path, f"{new_key()}\n".encode() + path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot write the key file {path}: {error.strerror}; check its folder") from error
    return path


def _decoded(word: str, number: int, where: str) -> bytes:
    try:
        key = base64.b64decode(word, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{where}: key {number} is none, it must be 44 characters of base64; 'gridroll evidence key' makes one"
        )
    return key


def _damaged(name: str) -> EvidenceError:
    return EvidenceError(f"crop {name[:12]}… is damaged or was changed; restore the store from a backup")
