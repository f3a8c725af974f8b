"""One student at one session: stays, minutes and status, from the looks that saw them. Pure functions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

__all__ = ["STATUSES", "Edit", "Entry", "Interval", "Presence", "Rules", "Span", "cells_of", "last_edits"]

STATUSES = ("present", "late", "left_early", "absent", "excused", "unverified")
NOT_THERE = frozenset({"absent", "unverified"})


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
class Interval:
    """A stay. `not_before` and `not_after`: the looks around it without the student; None where there was no look."""

    seen_from: datetime
    seen_to: datetime
    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Edit:
    """What staff wrote over an entry; None leaves a field to the machine. `number`: of two edits the later one is higher."""

    number: int
    student_id: int
    status: str | None = None
    joined_at: datetime | None = None
    last_seen_at: datetime | None = None
    minutes: float | None = None
    remark: str = ""

    @property
    def holds(self) -> bool:
        """Whether anything is written over; else the entry is the machine's again."""
        return (self.status, self.joined_at, self.last_seen_at, self.minutes, self.remark) != (
            *(None, None, None, None),
            "",
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of one student.

    `joined_at` is the first look that saw them, `joined_after` the look before it; `last_seen_at` and `left_before`
    likewise at the end. `confidence`: 0 to 1, 1 where staff named them, None for one never named. `machine_status`: the
    status without staff's edit. `source`: `staff` where an edit holds, else `system`. `version`: 1, and one more for each
    edit.
    """

    student_id: int
    status: str
    minutes: float
    confidence: float | None
    intervals: tuple[Interval, ...]
    joined_at: datetime | None = None
    joined_after: datetime | None = None
    last_seen_at: datetime | None = None
    left_before: datetime | None = None
    machine_status: str = "unverified"
    source: str = "system"
    remark: str = ""
    version: int = 1

    def edited(self, edits: Sequence[Edit]) -> "Entry":
        """The entry as staff's edits of it, in order, leave it: the last one outranks the machine."""
        entry = replace(self, version=1 + len(edits))
        if not edits or not edits[-1].holds:
            return entry
        edit = edits[-1]
        entry = replace(entry, source="staff", remark=edit.remark)
        if edit.status is not None:
            entry = replace(entry, status=edit.status)
        if edit.joined_at is not None:
            entry = replace(entry, joined_at=edit.joined_at, joined_after=None)
        if edit.last_seen_at is not None:
            entry = replace(entry, last_seen_at=edit.last_seen_at, left_before=None)
        if edit.minutes is not None:
            entry = replace(entry, minutes=edit.minutes)
        return entry


def last_edits(edits: Collection[Edit]) -> dict[int, list[Edit]]:
    """Each student's edits in the order in which they were made."""
    found: dict[int, list[Edit]] = {}
    for edit in sorted(set(edits), key=lambda one: one.number):
        found.setdefault(edit.student_id, []).append(edit)
    return found


def cells_of(times: Sequence[datetime], span: Span) -> list[timedelta]:
    """How much class time each look stands for: all that is nearer to it than to any other look.

    The first and the last look reach outwards by half a usual gap, never beyond the planned session.
    """
    if not times:
        return []
    gaps_s = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    half = timedelta(seconds=median(gaps_s)) / 2 if gaps_s else (span.ends_at - span.starts_at) / 2
    edges = [times[0] - half, *(a + (b - a) / 2 for a, b in pairwise(times)), times[-1] + half]
    clipped = [min(max(edge, span.starts_at), span.ends_at) for edge in edges]
    return [later - earlier for earlier, later in pairwise(clipped)]


class Presence:
    """The looks of a session, against which each student's are held. `bursts`: first and last frame of each, in order."""

    def __init__(self, bursts: Sequence[tuple[datetime, datetime]], span: Span, rules: Rules) -> None:
        self._bursts = bursts
        self._span = span
        self._rules = rules
        self._cells = cells_of([taken_at for _, taken_at in bursts], span)
        self._observed = sum(self._cells, timedelta())

    def entry(
        self,
        student_id: int,
        seen: Sequence[int],
        confidence: Mapping[int, float],
        doubted: bool,
        excused: bool = False,
        enrolled_at: datetime | None = None,
    ) -> Entry | None:
        """The machine's entry for a student. `seen`: places of the looks that saw them, ascending.

        `enrolled_at`: when they joined the course; None: before. Of somebody who enrolled after the session had begun and
        was not seen in it there is no entry.
        """
        stays = self._stays(seen)
        intervals = tuple(self._interval(first, last) for first, last in stays)
        present = sum((cell for first, last in stays for cell in self._cells[first : last + 1]), timedelta())
        begin = self._span.starts_at if enrolled_at is None else max(enrolled_at, self._span.starts_at)
        status = self._status(intervals, present, begin, doubted)
        if begin > self._span.starts_at and status in NOT_THERE and not intervals:
            return None
        if excused and status in NOT_THERE:
            status = "excused"
        return Entry(
            student_id,
            status,
            present.total_seconds() / 60,
            confidence.get(student_id) if stays else None,
            intervals,
            joined_at=intervals[0].seen_from if intervals else None,
            joined_after=intervals[0].not_before if intervals else None,
            last_seen_at=intervals[-1].seen_to if intervals else None,
            left_before=intervals[-1].not_after if intervals else None,
            machine_status=status,
        )

    def _interval(self, first: int, last: int) -> Interval:
        return Interval(
            seen_from=self._bursts[first][1],
            seen_to=self._bursts[last][1],
            not_before=self._bursts[first - 1][0] if first > 0 else None,
            not_after=self._bursts[last + 1][1] if last + 1 < len(self._bursts) else None,
        )

    def _stays(self, seen: Sequence[int]) -> list[tuple[int, int]]:
        stays: list[tuple[int, int]] = []
        for index in seen:
            if stays:
                first, last = stays[-1]
                missed = index - last - 1
                gap = self._bursts[index][1] - self._bursts[last][1]
                if missed == 0 or (missed <= self._rules.bridge_looks and gap <= self._rules.bridge):
                    stays[-1] = (first, index)
                    continue
            stays.append((index, index))
        return stays

    def _status(
        self, intervals: Sequence[Interval], present: timedelta, begin: datetime, doubted: bool
    ) -> str:
        """One word for a student's session. What may be otherwise within the looks' precision is not held against them."""
        if not self._bursts:
            return "unverified"
        observed = self._observed
        if begin > self._span.starts_at:
            late_s = min(begin, self._span.ends_at) - self._span.starts_at
            observed *= max(0.0, 1 - late_s / (self._span.ends_at - self._span.starts_at))
        if not intervals or present < observed * self._rules.min_presence:
            return "unverified" if doubted else "absent"
        came, left = intervals[0].not_before, intervals[-1].not_after
        if came is not None and came >= begin + self._rules.late_after:
            return "late"
        last_look = self._bursts[-1][1]
        if left is not None and left <= min(self._span.ends_at, last_look) - self._rules.left_early:
            return "left_early"
        return "present"
