"""Frames and where they come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recognizer.observation import Image

__all__ = ["Frame", "FrameSource"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of the grid. `image` belongs to the frame, nobody writes to it; `taken_at` is aware UTC."""

    image: Image
    taken_at: datetime


class FrameSource(Protocol):
    """Shows what there is to see at the present moment of the agent's clock. For one thread at a time."""

    @property
    def still(self) -> bool:
        """Whether frames a moment apart are equal (pictures): a burst of them says no more than one."""

    def grab(self) -> Frame:
        """The frame of this moment.

        Raises EndOfSource past the end of a recording, SourceError when nothing can be seen.
        """

    def close(self) -> None:
        """Give back the screen, file or device."""
