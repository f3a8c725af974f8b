"""Galleries to look at, drawn by code."""

import numpy as np

from demo.cast import CAST
from demo.gallery import Seat, draw_gallery
from recognizer.observation import Box, Image
from screen_agent.frames import Frame
from screen_agent.headcount import Head
from screen_agent.settle import Settled
from tests.conftest import START


def gallery(count: int, at_s: float = 10.0, size: tuple[int, int] = (1600, 900)) -> Image:
    seats = [Seat(person, person.name, backdrop_seed=index) for index, person in enumerate(CAST[:count])]
    return np.asarray(draw_gallery(seats, at_s, size), np.uint8)


def settled(image: Image, *heads: tuple[Box, Box]) -> Settled:
    """A look at an image with heads given as (tile, face)."""
    found = tuple(Head(tile, face) for tile, face in heads)
    return Settled(Frame(image, START), START, tuple(tile for tile, _ in heads), found)
