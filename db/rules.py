"""The rules of attendance, as pure functions: looks and names in, a ledger out.

Nothing here reads a clock or a database. The same looks give the same ledger in any order of arrival and
however often each of them arrives.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

__all__ = ["Balance", "Doubt", "Entry", "Interval", "Ledger", "Look", "Naming", "Rules", "Span", "fold"]

NAMED, PENDING = "named", "pending"


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
    """A settled look: a burst of frames from `began_at` to `taken_at`, and the occupants seen."""

    uid: str
    began_at: datetime
    taken_at: datetime
    headcount: int
    tracks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Naming:
    """An answer to "who is this track?".

    `verdict`: `named` (student_id says who), `doubtful` (student_id is the likeliest, not sure enough), `unknown`
    (nobody of the roster), `pending` (asked for another look; student_id as for doubtful, or None).
    """

    track: str
    at: datetime
    verdict: str
    student_id: int | None
    similarity_pct: float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A stay. `not_before` and `not_after`: the looks around it without the student; None where there was no look."""

    seen_from: datetime
    seen_to: datetime
    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of one student. `confidence`: 0 to 1, None for a student never named."""

    student_id: int
    status: str
    minutes: float
    confidence: float | None
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """headcount = identified + unknown, at one look."""

    uid: str
    headcount: int
    identified: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something staff should settle. `subject` is the track; `student_id` the student it may concern, or None."""

    kind: str
    subject: str
    student_id: int | None
    at: datetime


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
) -> Ledger:
    """The ledger of one session.

    `roster`: ids of the students expected; names of people outside it are ignored. `faceless`: those of them whose face
    no engine knows. Not to be recognised is no sign of their absence.
    """
    ordered = sorted({look.uid: look for look in looks}.values(), key=lambda look: (look.taken_at, look.uid))
    by_track = _by_track(namings)
    members = frozenset(roster)
    newest = ordered[-1].tracks if ordered else frozenset()
    seen: dict[int, set[int]] = defaultdict(set)
    balances: list[Balance] = []
    doubts: dict[tuple[str, str], Doubt] = {}
    doubted: set[int | None] = set(faceless)
    if not any(look.headcount for look in ordered):
        doubted |= members  # a covered window looks like an empty class
    for index, look in enumerate(ordered):
        holders: dict[int, str] = {}
        for track in sorted(look.tracks):
            student = _occupant(by_track.get(track, ()), look.taken_at)
            if student is None or student not in members:
                doubt = _doubt(track, by_track.get(track, ()), look.taken_at)
                if doubt is not None:
                    doubted.add(doubt.student_id)
                    # A face that is still being asked about is no work for staff yet.
                    if track not in newest or by_track[track][-1].verdict != PENDING:
                        doubts.setdefault((doubt.kind, track), doubt)
            elif student in holders:
                doubts.setdefault(("two_tiles", track), Doubt("two_tiles", track, student, look.taken_at))
            else:
                holders[student] = track
                seen[student].add(index)
        balances.append(Balance(look.uid, look.headcount, len(holders), look.headcount - len(holders)))
    confidence = _confidence(by_track, {track for look in ordered for track in look.tracks})
    cells = _cells(ordered, span)
    entries = tuple(
        _entry(student, sorted(seen[student]), ordered, cells, span, rules, confidence, student in doubted)
        for student in sorted(members)
    )
    return Ledger(entries, tuple(balances), tuple(doubts.values()))


def _by_track(namings: Iterable[Naming]) -> dict[str, list[Naming]]:
    by_track: dict[str, list[Naming]] = defaultdict(list)
    for naming in set(namings):
        by_track[naming.track].append(naming)
    for track in by_track.values():
        track.sort(
            key=lambda naming: (naming.at, naming.verdict, naming.student_id or 0, naming.similarity_pct or 0)
        )
    return by_track


def _occupant(namings: Sequence[Naming], at: datetime) -> int | None:
    """Who a track is at a moment; None for unknown.

    The last conclusion by then decides. A track that had no name by then takes the first one said later: a name
    found at the third look also holds for the first two, for the track means the same person.
    """
    settled = [naming for naming in namings if naming.verdict != PENDING]
    until = bisect_right(settled, at, key=lambda naming: naming.at)
    if any(naming.verdict == NAMED for naming in settled[:until]):
        last = settled[until - 1]
        return last.student_id if last.verdict == NAMED else None
    return next((naming.student_id for naming in settled[until:] if naming.verdict == NAMED), None)


def _doubt(track: str, namings: Sequence[Naming], at: datetime) -> Doubt | None:
    if not namings:
        return None
    likeliest = namings[-1].student_id
    return Doubt("unknown_face" if likeliest is None else "low_similarity", track, likeliest, at)


def _confidence(by_track: Mapping[str, Sequence[Naming]], seen: Collection[str]) -> dict[int, float]:
    best: dict[int, float] = {}
    for track in seen:
        for naming in by_track.get(track, ()):
            if naming.verdict == NAMED and naming.student_id is not None:
                share = (naming.similarity_pct or 0.0) / 100
                best[naming.student_id] = max(best.get(naming.student_id, 0.0), share)
    return best


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
