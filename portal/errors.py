"""The errors of the portal."""

from db.errors import GridrollError

__all__ = ["FormTextError", "PortalError", "UnfinishedError"]


class PortalError(GridrollError):
    """The portal cannot do what was asked; the message names the value and the remedy."""


class FormTextError(PortalError):
    """A form holds a character that no text can hold; the message names both."""


class UnfinishedError(PortalError):
    """A removal was cut short; the message says what is done, and that it is to be done again."""

    transient = True
