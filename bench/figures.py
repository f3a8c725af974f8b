"""What played meetings amount to: the figures of the accuracy sheet, each from looks and ledgers with known truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench.play import Played, SeenLook

__all__ = ["Figures", "figures"]

LOOKS_TO_NAME = 3
CAME = frozenset({"present", "late", "left_early"})


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are 0 to 1.

    Headcounts are compared with the heads on camera at the moment of the look. `identified`, `misnamed` and `unnamed`:
    shares of the heads counted, at the look itself, before the ledger carries a later name back; `identified` of those on
    the roster. `named_in_time`: appearances of students with their name within three looks. `wrongly_present`: absent
    students the ledger has as come. An appearance is a stay before the camera, a stranger's too.
    """

    meetings: int
    looks: int
    exact: float
    within_one: float
    mean_error: float
    false_heads: float
    tiles_found: float
    identified: float
    misnamed: float
    unnamed: float
    named_in_time: float
    student_sessions: int
    status_right: float
    wrongly_present: int
    join_error_s: float
    join_error_95_s: float
    appearances: int
    embedded: float
    searches: float
    paid: float
    every_look: float
    reviews: float


def figures(meetings: Sequence[Played]) -> Figures:
    """The figures of some meetings together."""
    looks = [look for meeting in meetings for look in meeting.looks]
    faces = [face for look in looks for face in look.faces]
    enrolled = [
        face for one in meetings for look in one.looks for face in look.faces if face.key in one.roster
    ]
    outcomes = [outcome for meeting in meetings for outcome in meeting.outcomes]
    misses = [abs(look.headcount - len(look.heads)) for look in looks]
    dark = sum(look.dark for look in looks)
    appearances = sum(len(list(_appearances(meeting.looks))) for meeting in meetings)
    in_time = [timely for meeting in meetings for timely in _named_in_time(meeting)]
    joins = sorted(abs(one.join_error_s) for one in outcomes if one.join_error_s is not None)
    return Figures(
        meetings=len(meetings),
        looks=len(looks),
        exact=_share([miss == 0 for miss in misses]),
        within_one=_share([miss <= 1 for miss in misses]),
        mean_error=mean(misses),
        false_heads=sum(face.key is None for face in faces) / dark if dark else 0.0,
        tiles_found=sum(look.tiles_found for look in looks)
        / sum(len(look.heads) + look.dark for look in looks),
        identified=_share([face.name == face.key for face in enrolled]),
        misnamed=_share([face.name not in {None, face.key} for face in faces]),
        unnamed=_share([face.name is None for face in enrolled]),
        named_in_time=_share(in_time),
        student_sessions=len(outcomes),
        status_right=_share([one.status == one.truth for one in outcomes]),
        wrongly_present=sum(one.truth == "absent" and one.status in CAME for one in outcomes),
        join_error_s=median(joins) if joins else 0.0,
        join_error_95_s=joins[int(0.95 * len(joins))] if joins else 0.0,
        appearances=appearances,
        embedded=sum(look.embedded for look in looks) / appearances,
        searches=sum(look.searches for look in looks) / appearances,
        paid=sum(look.paid for look in looks) / appearances,
        every_look=sum(look.headcount for look in looks) / appearances,
        reviews=sum(len(meeting.reviews) for meeting in meetings) / len(meetings),
    )


def _share(cases: Sequence[bool]) -> float:
    return sum(cases) / len(cases) if cases else 1.0


def _appearances(looks: Sequence[SeenLook]) -> Iterator[tuple[str, int]]:
    """Who appears before a camera, and at which look."""
    before: frozenset[str] = frozenset()
    for index, look in enumerate(looks):
        here = frozenset(look.heads)
        yield from ((key, index) for key in sorted(here - before))
        before = here


def _named_in_time(meeting: Played) -> Iterator[bool]:
    """For each appearance of a student that lasts three looks: whether the name was there by the third."""
    for key, index in _appearances(meeting.looks):
        first = meeting.looks[index : index + LOOKS_TO_NAME]
        lasting = len(first) == LOOKS_TO_NAME and all(key in look.heads for look in first)
        if key in meeting.roster and lasting:
            yield any(face.key == key == face.name for look in first for face in look.faces)
