"""The errors of recognition."""

from db.errors import GridrollError

__all__ = ["EngineError", "PhotoError", "RecognizerError"]


class RecognizerError(GridrollError):
    """Base of this package's errors."""


class EngineError(RecognizerError):
    """A face engine that cannot answer."""


class PhotoError(RecognizerError):
    """A photograph that cannot be used; the message is a sentence for the person who gave it."""
