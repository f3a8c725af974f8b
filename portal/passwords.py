"""Passwords: Argon2id hashes, checked with the same work whether or not the account exists."""

import secrets
import unicodedata
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.errors import PortalError

__all__ = ["LONGEST", "SHORTEST", "PasswordCheck", "check_password", "hash_password", "unknown_password"]

SHORTEST = 10
"""Fewest characters of a new password."""

LONGEST = 512
"""Most characters of a password; a longer one is refused before any work is spent on it."""

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id with 19 MiB and two passes: the first choice of OWASP's password storage cheat sheet."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """`new_hash`: what to store instead, where the stored hash is of an older cost; else None."""

    matches: bool
    new_hash: str | None


def hash_password(password: str) -> str:
    """Raises PortalError for a password that is empty, too short or too long."""
    if not password:
        raise PortalError("the password is empty; nothing was changed")
    if len(password) < SHORTEST:
        raise PortalError(f"the password has {len(password)} characters; take at least {SHORTEST}")
    if len(password) > LONGEST:
        raise PortalError(f"the password has {len(password)} characters; take at most {LONGEST}")
    return HASHER.hash(_normal(password))


def unknown_password() -> str:
    """The hash of a password that nobody knows, which costs as much to check as any other."""
    return HASHER.hash(secrets.token_urlsafe(32))


def check_password(stored_hash: str | None, password: str) -> PasswordCheck:
    """Compare. `stored_hash`: None where there is no such account, which costs as much as a wrong password."""
    if len(password) > LONGEST:
        return PasswordCheck(False, None)
    normal = _normal(password)
    try:
        HASHER.verify(stored_hash or _nobodys_hash(), normal)
    except (VerificationError, InvalidHashError):
        return PasswordCheck(False, None)
    if stored_hash is None:
        return PasswordCheck(False, None)
    return PasswordCheck(True, HASHER.hash(normal) if HASHER.check_needs_rehash(stored_hash) else None)


@cache
def _nobodys_hash() -> str:
    return HASHER.hash("nobody's password")


def _normal(password: str) -> str:
    # The same characters can arrive composed or decomposed, as the keyboard likes.
    return unicodedata.normalize("NFKC", password)
