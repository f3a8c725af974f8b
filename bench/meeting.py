"""Meetings with known truth: who comes, goes, hides, swaps and pretends, drawn as a gallery at any moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np

from bench.camera import Framing, avatar, camera_picture, choose_framing
from bench.people import Folk, Subject
from recognizer.observation import Box, Image

__all__ = ["Look", "Meeting", "Seat", "Stay", "Tile", "make_meeting"]

SIZE_PX = (1920, 1080)
THEMES = (
    # background, bars, text: blue, green, red
    ((26, 26, 26), (40, 38, 36), (220, 220, 220)),
    ((36, 33, 32), (24, 24, 24), (230, 230, 230)),
    ((0, 0, 0), (30, 30, 30), (230, 230, 230)),
    ((245, 245, 245), (255, 255, 255), (60, 60, 60)),
    ((238, 234, 232), (250, 248, 248), (50, 50, 50)),
)
NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Gita", "Hugo", "Iris", "Jon", "Kaya", "Lena", "Milo")


@dataclass(frozen=True, slots=True)
class Stay:
    """A person before a camera, seconds of the meeting. `still`: a picture of them is held before it instead."""

    subject: Subject
    from_s: float
    to_s: float
    still: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """A participant's tile: who sits there when, and when the camera is off (`dark`)."""

    label: str
    framing: Framing
    stays: tuple[Stay, ...]
    dark: tuple[tuple[float, float], ...] = ()

    def stay(self, at_s: float) -> Stay | None:
        return next((stay for stay in self.stays if stay.from_s <= at_s < stay.to_s), None)

    def is_dark(self, at_s: float) -> bool:
        return any(begin <= at_s < end for begin, end in self.dark)


@dataclass(frozen=True, slots=True)
class Tile:
    """What is true of a tile at a moment. `key`: whose face it shows, None with the camera off."""

    box_xyxy: Box
    key: str | None
    seat: int


@dataclass(frozen=True, slots=True)
class Look:
    """How a gallery is drawn: colours, gaps, rounded corners, tiles' aspect, bars above and below."""

    theme: int
    gap_px: int
    round_px: int
    aspect: float
    top_px: int
    bottom_px: int
    side_px: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """One class of `minutes` in a gallery of at most `columns` in a row.

    `roster`: the enrolled. `statuses`: by key, what a right ledger says. `shuffles`: moments at which tiles change
    places as a conference does when people speak.
    """

    seed: int
    minutes: float
    columns: int
    roster: tuple[Subject, ...]
    seats: tuple[Seat, ...]
    statuses: dict[str, str]
    shuffles: tuple[float, ...]
    look: Look

    def tiles(self, at_s: float) -> list[Tile]:
        """The tiles at a moment, in reading order."""
        here = [index for index, seat in enumerate(self.seats) if seat.stay(at_s) is not None]
        for number, moment in enumerate(self.shuffles):
            if moment <= at_s:
                Random(self.seed * 1000 + number).shuffle(here)
        tiles = []
        for index, box in zip(here, layout(len(here), self.columns, self.look), strict=True):
            seat = self.seats[index]
            stay = seat.stay(at_s)
            key = None if stay is None or seat.is_dark(at_s) else stay.subject.key
            tiles.append(Tile(box, key, index))
        return tiles

    def draw(self, at_s: float) -> Image:
        """The meeting's window, uint8 of shape (1080, 1920, 3)."""
        background, bars, text = THEMES[self.look.theme]
        width, height = SIZE_PX
        window = np.full((height, width, 3), background, np.uint8)
        window[: self.look.top_px] = bars
        window[height - self.look.bottom_px :] = bars
        if self.look.side_px:
            window[self.look.top_px : height - self.look.bottom_px, width - self.look.side_px :] = bars
        cv2.putText(window, "Lecture", (24, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, text, 1, cv2.LINE_AA)
        for place in range(6):
            middle = (width // 2 + 90 * (place - 3), height - self.look.bottom_px // 2)
            cv2.circle(window, middle, 14, text, 2, cv2.LINE_AA)
        for tile in self.tiles(at_s):
            x1, y1, x2, y2 = tile.box_xyxy
            window[y1:y2, x1:x2] = self._tile(tile, at_s, x2 - x1, y2 - y1, background)
        return window

    def _tile(self, tile: Tile, at_s: float, width: int, height: int, background: Sequence[int]) -> Image:
        seat = self.seats[tile.seat]
        stay = seat.stay(at_s)
        if stay is None or tile.key is None:
            shown = avatar(seat.label, seat.framing.seed, width, height)
        else:
            moment = float("nan") if stay.still else at_s
            picture = 0 if stay.still else _picture(seat.framing.seed, at_s)
            room = seat.stays[0].subject
            shown = camera_picture(stay.subject, picture, seat.framing, moment, width, height, room)
        size = max(0.35, height / 420)
        (text_w, text_h), _ = cv2.getTextSize(seat.label, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        cv2.rectangle(shown, (4, height - text_h - 14), (14 + text_w, height - 4), (20, 20, 20), -1)
        place = (9, height - 9)
        cv2.putText(shown, seat.label, place, cv2.FONT_HERSHEY_SIMPLEX, size, (235, 235, 235), 1, cv2.LINE_AA)
        if self.look.round_px:
            corners = np.zeros((height, width), np.uint8)
            radius = self.look.round_px
            cv2.rectangle(corners, (radius, 0), (width - 1 - radius, height - 1), 255, -1)
            cv2.rectangle(corners, (0, radius), (width - 1, height - 1 - radius), 255, -1)
            for x in (radius, width - 1 - radius):
                for y in (radius, height - 1 - radius):
                    cv2.circle(corners, (x, y), radius, 255, -1)
            shown[corners == 0] = background
        return shown


def _picture(seed: int, at_s: float) -> int:
    """Which of a person's pictures is seen: people turn to something else once or twice a minute."""
    rng = np.random.default_rng(seed + 99)
    moment, picture = 0.0, int(rng.integers(100))
    while True:
        moment += float(rng.uniform(15, 60))
        if moment > at_s:
            return picture
        picture += int(rng.integers(1, 4))


def layout(count: int, columns: int, look: Look) -> list[Box]:
    """Boxes of `count` tiles as a conference lays them out: as large as fits, at most `columns` in a row."""
    if count == 0:
        return []
    room_w = SIZE_PX[0] - look.side_px - 2 * look.gap_px
    room_h = SIZE_PX[1] - look.top_px - look.bottom_px - 2 * look.gap_px
    best = (0, 0, 1)
    for across in range(1, min(columns, count) + 1):
        down = -(-count // across)
        tile_w = (room_w - (across - 1) * look.gap_px) / across
        tile_h = min((room_h - (down - 1) * look.gap_px) / down, tile_w / look.aspect)
        best = max(best, (int(tile_h), int(tile_h * look.aspect), across))
    tile_h, tile_w, across = best
    down = -(-count // across)
    top = look.top_px + (SIZE_PX[1] - look.top_px - look.bottom_px - down * (tile_h + look.gap_px)) // 2
    boxes = []
    for index in range(count):
        row, column = divmod(index, across)
        in_row = min(across, count - row * across)
        left = (SIZE_PX[0] - look.side_px - in_row * (tile_w + look.gap_px)) // 2
        x, y = left + column * (tile_w + look.gap_px), top + row * (tile_h + look.gap_px)
        boxes.append((x, y, x + tile_w, y + tile_h))
    return boxes


def make_meeting(folk: Folk, seed: int, columns: int = 5, minutes: float = 45.0) -> Meeting:
    """Invent a meeting of about `columns` × `columns` tiles. The same seed gives the same meeting.

    Of the roster a fifth stays away; some come late, leave early or come back; cameras go off; a student hands the
    seat to a stranger, another holds a picture before the camera; people outside the roster sit in.
    """
    random = Random(seed)
    end_s = minutes * 60
    most = columns * columns
    guests_wanted = 0 if most == 1 else max(1, most // 10)
    people = random.sample(folk.people, len(folk.people))
    size = min(max(2, round(1.1 * most)), len(people) - min(guests_wanted, len(people) // 8))
    roster, outside = people[:size], [*people[size:], *random.sample(folk.strangers, len(folk.strangers))]
    absent = size // 5 if most > 1 else 0
    coming = roster[absent:][: most - guests_wanted]
    statuses = {one.key: "absent" for one in roster}
    seats: list[Seat] = []
    for index, one in enumerate(coming):
        seed_of = seed * 10_000 + index
        label = f"{NAMES[index % len(NAMES)]} {index + 1}"
        kind = random.choices(["on time", "late", "early", "back", "dark"], [12, 2, 2, 2, 3])[0]
        stays, dark, status = _presence(one, kind, random, end_s)
        seats.append(Seat(label, choose_framing(seed_of), stays, dark))
        statuses[one.key] = status
    for number in range(min(guests_wanted, len(outside))):
        guest = outside.pop(0)
        come = random.uniform(0.05, 0.6) * end_s
        stay = Stay(guest, come, come + random.uniform(0.15, 0.35) * end_s)
        seats.append(Seat(f"Guest {number}", choose_framing(seed * 10_000 + 500 + number), (stay,)))
    if len(coming) > 5 and outside:
        _swap_and_still(seats, coming, outside[0], statuses, random, end_s)
    shuffles = tuple(sorted(random.uniform(0.1, 0.95) * end_s for _ in range(3)))
    look = Look(
        theme=seed % len(THEMES),
        gap_px=random.choice([4, 6, 8, 12]),
        round_px=random.choice([0, 6, 10]),
        aspect=random.choice([16 / 9, 16 / 9, 16 / 9, 4 / 3]),
        top_px=random.choice([40, 56]),
        bottom_px=random.choice([64, 80]),
        side_px=random.choice([0, 0, 0, 320]),
    )
    return Meeting(seed, minutes, columns, tuple(roster), tuple(seats), statuses, shuffles, look)


def _presence(
    one: Subject, kind: str, random: Random, end_s: float
) -> tuple[tuple[Stay, ...], tuple[tuple[float, float], ...], str]:
    """When somebody is there, and what the course's rules (ten minutes) call it."""
    begin, close = -60.0 if random.random() < 0.6 else random.uniform(10, 400), end_s + 60
    if kind == "late":
        return (Stay(one, random.uniform(700, 1500), close),), (), "late"
    if kind == "early":
        return (Stay(one, begin, end_s - random.uniform(720, 1400)),), (), "left_early"
    if kind == "back":
        leave = random.uniform(0.25, 0.45) * end_s
        return (
            (Stay(one, begin, leave), Stay(one, leave + random.uniform(200, 600), close)),
            (),
            "present",
        )
    if kind == "dark":
        off = random.uniform(0.2, 0.5) * end_s
        return (Stay(one, begin, close),), ((off, off + random.uniform(240, 700)),), "present"
    return (Stay(one, begin, close),), (), "present"


def _swap_and_still(
    seats: list[Seat],
    coming: Sequence[Subject],
    stranger: Subject,
    statuses: dict[str, str],
    random: Random,
    end_s: float,
) -> None:
    """Hand one student's camera to a stranger half-way, and hold a picture before another's."""
    plain = [
        index
        for index, seat in enumerate(seats[: len(coming)])
        if len(seat.stays) == 1 and not seat.dark and statuses[seat.stays[0].subject.key] == "present"
    ]
    if len(plain) < 2:
        return
    swapped, held = random.sample(plain, 2)
    seat = seats[swapped]
    moment = random.uniform(0.3, 0.6) * end_s
    mine = Stay(seat.stays[0].subject, seat.stays[0].from_s, moment)
    seats[swapped] = Seat(
        seat.label, seat.framing, (mine, Stay(stranger, moment, seat.stays[0].to_s)), seat.dark
    )
    statuses[mine.subject.key] = "left_early"
    seat = seats[held]
    stay = seat.stays[0]
    seats[held] = Seat(
        seat.label, seat.framing, (Stay(stay.subject, stay.from_s, stay.to_s, still=True),), seat.dark
    )
