"""What an agent hands in after a look, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "FaceCrop", "Image", "Observation", "Receipt", "SeenFace"]

Image = NDArray[np.uint8]
"""uint8 array of shape (height, width, 3), colours in the order blue, green, red."""

Gray = NDArray[np.uint8]
"""uint8 array of shape (height, width)."""

Box = tuple[int, int, int, int]
"""Pixels x1, y1, x2, y2; x2 and y2 lie one past the box."""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """One head and its surroundings, cut from a frame.

    `image`: owned by the crop, nobody writes to it. `box_xyxy`: the face within the image.
    """

    image: Image
    box_xyxy: Box


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A head at a look.

    `track` names the occupant of a tile from its appearance to its leaving, whoever it is; a tile whose occupant
    looks different gets a new track. `tile_xyxy` and `box_xyxy` are pixels of the frame. `crop` is None when the
    agent does not ask who this is. `spot_check` marks a face that already has a name and is verified at random.
    `succeeds` is the track that was in this very place at the look before and looked different; None where there was
    nobody or the gallery was laid out anew. `repeats`: the face is asked about in the pose it had when it was asked about
    before. `cue`: what the agent noticed of the tile's picture, `still_picture` or
    `loop`; None for nothing.
    """

    track: str
    tile_xyxy: Box
    box_xyxy: Box
    crop: FaceCrop | None = None
    spot_check: bool = False
    succeeds: str | None = None
    cue: str | None = None
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """One settled look.

    `uid`: the same look handed in twice has the same uid and counts once. `began_at` and `taken_at`: aware, first and
    last frame of the burst. `trigger`: why faces are asked about: `headcount`, `tile`, `unsettled`, `spot` or `none`.
    """

    uid: str
    session_id: int
    began_at: datetime
    taken_at: datetime
    trigger: str
    headcount: int
    faces: tuple[SeenFace, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an observation; once it is given, the observation is stored durably.

    `names`: track to the student's name, for the tracks of this look that have one; `guests`: to a guest's. `wanted`:
    tracks whose face should be shown again at the next look. `continues`: track to the track it succeeded, where both are
    the same person in another pose. `searches`: faces sent to an engine, `paid`: those a provider bills; `embedded`: faces
    and mirror images that went through the network here.
    """

    uid: str
    headcount: int
    searches: int
    paid: int
    names: Mapping[str, str] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    continues: Mapping[str, str] = field(default_factory=dict)
    guests: Mapping[str, str] = field(default_factory=dict)
    embedded: int = 0

    @property
    def identified(self) -> int:
        return len(self.names)

    @property
    def unknown(self) -> int:
        return self.headcount - len(self.names)
