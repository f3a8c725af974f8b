"""The simulated class: who does what when, and what a right ledger says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.cast import CAST, STRANGER, Person
from demo.gallery import Pixels, Seat, draw_gallery

__all__ = ["LESSON", "Connection", "Lesson", "Sitting", "Truth"]

SIZE_PX = (1600, 900)
SPEAKING_S = 17.0


@dataclass(frozen=True, slots=True)
class Sitting:
    """A person before a camera, in seconds of the lesson."""

    person: Person
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Connection:
    """A tile of the meeting: a label, a room, and whoever sits there. `dark`: spans with the camera off."""

    label: str
    sittings: tuple[Sitting, ...]
    dark: tuple[tuple[float, float], ...] = ()

    @property
    def from_s(self) -> float:
        return self.sittings[0].from_s

    @property
    def to_s(self) -> float:
        return self.sittings[-1].to_s


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right for one student: a status, and the spans (seconds) in which a face was to be seen."""

    status: str
    seen: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson of `minutes`: its connections, the truth by student number, and the moment of the swap."""

    title: str
    minutes: float
    connections: tuple[Connection, ...]
    truth: Mapping[str, Truth]
    swap_s: float
    stranger_s: tuple[float, float]

    def seats(self, at_s: float) -> list[Seat]:
        """The tiles at a moment, in the order people connected."""
        here = sorted(
            (place for place in self.connections if place.from_s <= at_s < place.to_s),
            key=lambda place: (place.from_s, self.connections.index(place)),
        )
        return [self._seat(place, at_s) for place in here]

    def draw(self, at_s: float) -> Pixels:
        """The meeting window at a moment, uint8 of shape (900, 1600, 3), blue, green, red."""
        seats = self.seats(at_s)
        on_camera = [index for index, seat in enumerate(seats) if seat.camera_on]
        speaker = on_camera[int(at_s // SPEAKING_S) * 7 % len(on_camera)] if on_camera else None
        clock = f"{int(at_s) // 60:02d}:{int(at_s) % 60:02d}"
        return draw_gallery(seats, at_s, SIZE_PX, speaker, self.title, clock)

    def _seat(self, place: Connection, at_s: float) -> Seat:
        sitting = next(stay for stay in place.sittings if stay.from_s <= at_s < stay.to_s)
        dark = any(begin <= at_s < end for begin, end in place.dark)
        room = 3 * self.connections.index(place) + 1
        return Seat(sitting.person, place.label, camera_on=not dark, backdrop_seed=room)


END_S = 45 * 60.0
EARLY_S = -120.0


def _alone(person: Person, from_s: float = EARLY_S, to_s: float = END_S + 60) -> Connection:
    return Connection(person.name, (Sitting(person, from_s, to_s),))


def _seen(person: Person, connections: Sequence[Connection]) -> tuple[tuple[float, float], ...]:
    """When the person's face is on the screen: the sittings without the spans in which the camera is off."""
    spans = []
    for place in connections:
        for sitting in place.sittings:
            if sitting.person != person:
                continue
            begin = sitting.from_s
            for dark_from, dark_to in place.dark:
                spans.append((begin, dark_from))
                begin = dark_to
            spans.append((begin, sitting.to_s))
    return tuple(sorted(spans))


def _lesson(cast: Sequence[Person]) -> Lesson:
    on_time = [cast[index] for index in (0, 1, 2, 9, 12)]
    a_bit_after, very_late, late = cast[10], cast[3], cast[11]
    early, earlier, rejoins, camera_off = cast[15], cast[4], cast[5], cast[8]
    first, second = cast[6], cast[7]
    never = [cast[13], cast[14]]
    swap_s = 22 * 60 + 7.0
    stranger_s = (25 * 60 + 11.0, 38 * 60 + 2.0)
    stay_s = END_S + 60
    connections = (
        *(_alone(person) for person in on_time),
        _alone(a_bit_after, 95.0),
        _alone(very_late, 14 * 60 + 20.0),
        _alone(late, 11 * 60 + 31.0),
        _alone(early, EARLY_S, 31 * 60 + 13.0),
        _alone(earlier, EARLY_S, 27 * 60 + 48.0),
        _alone(rejoins, EARLY_S, 12 * 60 + 33.0),
        _alone(rejoins, 19 * 60 + 4.0),
        Connection(
            camera_off.name, (Sitting(camera_off, EARLY_S, stay_s),), dark=((16 * 60 + 5.0, 24 * 60 + 9.0),)
        ),
        # One gets up, another sits down before the same camera: the headcount does not change.
        Connection("Study room 2", (Sitting(first, EARLY_S, swap_s), Sitting(second, swap_s, stay_s))),
        Connection("Guest", (Sitting(STRANGER, *stranger_s),)),
    )
    statuses = {
        "present": (*on_time, a_bit_after, rejoins, camera_off),
        "late": (very_late, late, second),
        "left_early": (early, earlier, first),
        "absent": never,
    }
    truth = {
        person.student_no: Truth(status, _seen(person, connections))
        for status, people in statuses.items()
        for person in people
    }
    return Lesson("Biology 101", 45.0, connections, truth, swap_s, stranger_s)


LESSON = _lesson(CAST)
