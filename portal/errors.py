"""The errors of the portal."""

from db.errors import GridrollError

__all__ = ["PortalError"]


class PortalError(GridrollError):
    """The portal cannot do what was asked; the message names the value and the remedy."""
