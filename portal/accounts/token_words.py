"""In which state a token is, in words."""

from dataclasses import dataclass
from datetime import datetime

from db.schema import TokenRow

__all__ = ["TokenState", "token_state"]


@dataclass(frozen=True, slots=True)
class TokenState:
    holds: bool
    words: str


def token_state(row: TokenRow, now: datetime) -> TokenState:
    """The row comes with its user."""
    if row.revoked_at is not None:
        return TokenState(False, "Revoked")
    if row.expires_at is not None and row.expires_at <= now:
        return TokenState(False, "Expired")
    if not row.user.active:
        return TokenState(False, "User deactivated")
    return TokenState(True, "Holds")
