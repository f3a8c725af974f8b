"""The errors of the portal."""

from db.errors import GridrollError

__all__ = ["PortalError", "UnfinishedError"]


class PortalError(GridrollError):
    """The portal cannot do what was asked; the message names the value and the remedy."""


class UnfinishedError(PortalError):
    """A removal was cut short; the message says what is done, and that it is to be done again."""

    transient = True
