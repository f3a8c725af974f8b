"""The errors of the house. Each message names the bad value and the remedy in one line."""

__all__ = [
    "ConfigError",
    "DatabaseError",
    "EvidenceError",
    "GridrollError",
    "NotFoundError",
    "RosterError",
    "StoreError",
]


class GridrollError(Exception):
    """Base of every error that Gridroll raises on purpose.

    The command line prints its message as one line and exits with 1. `transient` says whether the same call
    may succeed later without anybody changing anything.
    """

    transient = False


class ConfigError(GridrollError):
    """A setting that cannot be used."""


class StoreError(GridrollError):
    """A store (database, cache, vectors) that cannot be read or written."""


class DatabaseError(StoreError):
    """The ledger's database is missing, locked, corrupt or of another version."""


class EvidenceError(StoreError):
    """The store of the crops cannot be used, or what it holds cannot be read."""

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class NotFoundError(GridrollError):
    """Something named by the caller that does not exist."""


class RosterError(GridrollError):
    """A roster file that cannot be imported; nothing of it was."""
