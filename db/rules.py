"""The rules of attendance, as pure functions: looks and names in, a ledger out.

Nothing here reads a clock or a database. The same looks give the same ledger in any order of arrival and
however often each of them arrives.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from db.doubts import CUES, Doubt, headcount_runs, track_doubts, two_tiles
from db.tracks import Naming, Ruling, Tracks

__all__ = [
    "Balance",
    "Doubt",
    "Entry",
    "Interval",
    "Ledger",
    "Look",
    "Naming",
    "Rules",
    "Ruling",
    "Span",
    "fold",
]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a course means by late, left early and present.

    `min_presence`: share of the observed class time (0 to 1) below which a student counts as absent.
    `bridge_looks`, `bridge`: a student missed by at most so many looks in a row, between two sightings no further
    apart than that, has not left: cascades miss a turned head now and then.
    """

    late_after: timedelta = timedelta(minutes=10)
    left_early: timedelta = timedelta(minutes=10)
    min_presence: float = 0.1
    bridge_looks: int = 1
    bridge: timedelta = timedelta(seconds=150)


@dataclass(frozen=True, slots=True)
class Span:
    """The planned time of a session."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """A settled look: a burst of frames from `began_at` to `taken_at`, and the occupants seen.

    `cues`: by track, what the agent noticed of its picture: `still_picture` or `loop`.
    """

    uid: str
    began_at: datetime
    taken_at: datetime
    headcount: int
    tracks: frozenset[str]
    cues: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interval:
    """A stay. `not_before` and `not_after`: the looks around it without the student; None where there was no look."""

    seen_from: datetime
    seen_to: datetime
    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of one student. `confidence`: 0 to 1, 1 where staff named them, None for one never named."""

    student_id: int
    status: str
    minutes: float
    confidence: float | None
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """headcount = identified + unknown, at one look. `reviewed`: those of the unknown whom staff settled."""

    uid: str
    headcount: int
    identified: int
    unknown: int
    reviewed: int = 0

    @property
    def is_verified(self) -> bool:
        """Whether every head is explained."""
        return self.identified + self.reviewed == self.headcount


@dataclass(frozen=True, slots=True)
class Ledger:
    entries: tuple[Entry, ...]
    balances: tuple[Balance, ...]
    doubts: tuple[Doubt, ...]


def fold(
    looks: Iterable[Look],
    namings: Iterable[Naming],
    roster: Collection[int],
    span: Span,
    rules: Rules,
    faceless: Collection[int] = (),
    rulings: Iterable[Ruling] = (),
) -> Ledger:
    """The ledger of one session.

    `roster`: ids of the students expected; names of people outside it are ignored. `faceless`: those of them whose face
    no engine knows. Not to be recognised is no sign of their absence. `rulings`: what staff said; they outrank namings.
    Whoever an open doubt may concern is not called absent.
    """
    ordered = sorted({look.uid: look for look in looks}.values(), key=lambda look: (look.taken_at, look.uid))
    members = frozenset(roster)
    tracks = Tracks(namings, rulings, members)
    newest = ordered[-1].tracks if ordered else frozenset()
    seen: dict[int, set[int]] = defaultdict(set)
    found: list[tuple[Look, int, int, int]] = []
    doubts: dict[tuple[str, str], Doubt] = {}
    doubted: set[int] = set(faceless)
    confidence: dict[int, float] = {}
    if not any(look.headcount for look in ordered):
        doubted |= members  # a covered window looks like an empty class
    for index, look in enumerate(ordered):
        occupants = {track: tracks.occupant(track, look.taken_at) for track in sorted(look.tracks)}
        holders, raised, known = two_tiles(occupants, look.taken_at)
        for student in holders:
            seen[student].add(index)
        for track, occupant in occupants.items():
            if occupant.student_id is not None:
                share = occupant.sure_pct / 100
                confidence[occupant.student_id] = max(confidence.get(occupant.student_id, 0.0), share)
            raised += track_doubts(track, occupant, look.cues.get(track), look.taken_at, holders)
        for doubt in raised:
            if doubt.kind in CUES and tracks.is_settled(doubt.kind, doubt.subject):
                continue
            doubted |= doubt.students
            # A face that is still being asked about is no work for staff yet.
            if doubt.subject not in newest or not tracks.is_pending(doubt.subject):
                doubts.setdefault((doubt.kind, doubt.subject), doubt)
        reviewed = len(known) + sum(occupant.reviewed for occupant in occupants.values())
        unexplained = look.headcount - sum(occupant.asked for occupant in occupants.values())
        found.append((look, len(holders), reviewed, unexplained))
    runs, explained = headcount_runs([(look.uid, look.taken_at, left) for look, _, _, left in found], tracks)
    doubts |= {(doubt.kind, doubt.subject): doubt for doubt in runs}
    balances = tuple(
        Balance(
            look.uid,
            look.headcount,
            named,
            look.headcount - named,
            min(reviewed + (max(left, 0) if look.uid in explained else 0), look.headcount - named),
        )
        for look, named, reviewed, left in found
    )
    cells = _cells(ordered, span)
    entries = tuple(
        _entry(student, sorted(seen[student]), ordered, cells, span, rules, confidence, student in doubted)
        for student in sorted(members)
    )
    return Ledger(entries, balances, tuple(doubts.values()))


def _cells(ordered: Sequence[Look], span: Span) -> list[timedelta]:
    """How much class time each look stands for: all that is nearer to it than to any other look.

    The first and the last look reach outwards by half a usual gap, never beyond the planned session.
    """
    times = [look.taken_at for look in ordered]
    if not times:
        return []
    gaps_s = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    half = timedelta(seconds=median(gaps_s)) / 2 if gaps_s else (span.ends_at - span.starts_at) / 2
    edges = [times[0] - half, *(a + (b - a) / 2 for a, b in pairwise(times)), times[-1] + half]
    clipped = [min(max(edge, span.starts_at), span.ends_at) for edge in edges]
    return [later - earlier for earlier, later in pairwise(clipped)]


def _entry(
    student: int,
    seen: Sequence[int],
    ordered: Sequence[Look],
    cells: Sequence[timedelta],
    span: Span,
    rules: Rules,
    confidence: Mapping[int, float],
    doubted: bool,
) -> Entry:
    stays = _stays(seen, ordered, rules)
    intervals = tuple(
        Interval(
            seen_from=ordered[first].taken_at,
            seen_to=ordered[last].taken_at,
            not_before=ordered[first - 1].began_at if first > 0 else None,
            not_after=ordered[last + 1].taken_at if last + 1 < len(ordered) else None,
        )
        for first, last in stays
    )
    present = sum((cell for first, last in stays for cell in cells[first : last + 1]), timedelta())
    observed = sum(cells, timedelta())
    status = _status(intervals, present, observed, ordered, span, rules, doubted)
    return Entry(
        student, status, present.total_seconds() / 60, confidence.get(student) if stays else None, intervals
    )


def _stays(seen: Sequence[int], ordered: Sequence[Look], rules: Rules) -> list[tuple[int, int]]:
    stays: list[tuple[int, int]] = []
    for index in seen:
        if stays:
            first, last = stays[-1]
            missed = index - last - 1
            gap = ordered[index].taken_at - ordered[last].taken_at
            if missed == 0 or (missed <= rules.bridge_looks and gap <= rules.bridge):
                stays[-1] = (first, index)
                continue
        stays.append((index, index))
    return stays


def _status(
    intervals: Sequence[Interval],
    present: timedelta,
    observed: timedelta,
    ordered: Sequence[Look],
    span: Span,
    rules: Rules,
    doubted: bool,
) -> str:
    """One word for a student's session. What may be otherwise within the looks' precision is not held against them."""
    if not ordered:
        return "unverified"
    if not intervals or present < observed * rules.min_presence:
        return "unverified" if doubted else "absent"
    came, left = intervals[0].not_before, intervals[-1].not_after
    if came is not None and came >= span.starts_at + rules.late_after:
        return "late"
    if left is not None and left <= min(span.ends_at, ordered[-1].taken_at) - rules.left_early:
        return "left_early"
    return "present"
