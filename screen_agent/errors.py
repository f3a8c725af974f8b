"""The errors of the agent."""

from db.errors import GridrollError

__all__ = ["AgentError", "EndOfSource", "SourceError"]


class AgentError(GridrollError):
    """Base of this package's errors."""


class SourceError(AgentError):
    """A source of frames that cannot be opened or read."""


class EndOfSource(AgentError):  # noqa: N818 - it ends a loop; nothing went wrong
    """The source has no frame at or after the moment asked for."""
