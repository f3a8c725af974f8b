"""What staff should settle, as pure functions: each kind of doubt, and whom it concerns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from db.tracks import Occupant, Tracks

__all__ = [
    "CUES",
    "DISPUTE",
    "IDENTITY",
    "Dispute",
    "Doubt",
    "disputed",
    "headcount_runs",
    "track_doubts",
    "two_tiles",
]

UNKNOWN_FACE, LOW_SIMILARITY, SMALL_MARGIN = "unknown_face", "low_similarity", "small_margin"
TWO_TILES, HEADCOUNT, DISPUTE = "two_tiles", "headcount", "dispute"
IDENTITY = frozenset({UNKNOWN_FACE, LOW_SIMILARITY, SMALL_MARGIN})
CUES = frozenset({"still_picture", "loop"})
HEADCOUNT_LOOKS = 3
"""Looks in a row at which heads stay unexplained before staff are asked: one or two are a detector's slip."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something staff should settle.

    `subject` is the track, for a headcount the look at which it began, for a dispute the dispute. `student_id`: the student it may concern, or
    None; `rival_id`: another one it may concern as well; `beside`: the other track of two tiles.
    """

    kind: str
    subject: str
    student_id: int | None
    at: datetime
    rival_id: int | None = None
    beside: str | None = None

    @property
    def students(self) -> frozenset[int]:
        return frozenset(one for one in (self.student_id, self.rival_id) if one is not None)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A student's word against their entry. It is no doubt of the machine's and changes no status."""

    number: int
    student_id: int
    made_at: datetime

    @property
    def subject(self) -> str:
        return f"{DISPUTE}:{self.number}"


def disputed(disputes: Iterable[Dispute], tracks: Tracks) -> Iterable[Doubt]:
    """Those of the disputes that staff have not answered."""
    for one in disputes:
        if not tracks.is_settled(DISPUTE, one.subject):
            yield Doubt(DISPUTE, one.subject, one.student_id, one.made_at)


def track_doubts(
    track: str, occupant: Occupant, cue: str | None, at: datetime, holders: Mapping[int, str]
) -> Iterable[Doubt]:
    """The doubts about one track at a look. `holders`: the tracks that the students found at this look sit in."""
    likely = occupant.student_id
    if likely is None and occupant.suspects:
        first, *others = occupant.suspects
        likely, rival = first, others[0] if others else None
        if rival is not None:
            yield Doubt(SMALL_MARGIN, track, first, at, rival_id=rival)
        elif occupant.enough and first in holders:
            yield Doubt(TWO_TILES, track, first, at, beside=holders[first])
        else:
            yield Doubt(LOW_SIMILARITY, track, first, at)
    elif likely is None and occupant.asked and not occupant.reviewed:
        yield Doubt(UNKNOWN_FACE, track, None, at)
    if cue in CUES:
        yield Doubt(cue, track, likely, at)


def two_tiles(
    occupants: Mapping[str, Occupant], at: datetime
) -> tuple[dict[int, str], list[Doubt], frozenset[str]]:
    """Where each student sits, a doubt for each further tile they are in, and such tiles that staff know of.

    The tile staff confirmed holds the student, else the one whose face is most like theirs.
    """
    claims: dict[int, list[str]] = {}
    for track, occupant in occupants.items():
        if occupant.student_id is not None:
            claims.setdefault(occupant.student_id, []).append(track)
    holders, doubts, known = {}, [], set()
    for student, tracks in claims.items():
        first, *others = sorted(
            tracks, key=lambda one: (not occupants[one].by_staff, -occupants[one].sure_pct, one)
        )
        holders[student] = first
        for other in others:
            if occupants[other].by_staff:
                known.add(other)
            else:
                doubts.append(Doubt(TWO_TILES, other, student, at, beside=first))
    return holders, doubts, frozenset(known)


def headcount_runs(
    looks: Sequence[tuple[str, datetime, int]], tracks: Tracks
) -> tuple[list[Doubt], set[str]]:
    """Runs of looks with unexplained heads: a doubt for each that staff have not explained, the looks of those they have.

    `looks`: uid, time and number of unexplained heads, in order of time.
    """
    doubts: list[Doubt] = []
    explained: set[str] = set()
    before: list[str] = []
    for unexplained, group in groupby(looks, key=lambda look: look[2] != 0):
        run = list(group)
        uid, at, _ = run[0]
        # Of a run that was explained, an earlier look may arrive late, and the first one may get its names late.
        if unexplained and any(
            tracks.is_settled(HEADCOUNT, one) for one in (*before, *(look[0] for look in run))
        ):
            explained |= {look[0] for look in run}
        elif unexplained and len(run) >= HEADCOUNT_LOOKS:
            doubts.append(Doubt(HEADCOUNT, uid, None, at))
        before = [run[-1][0]]
    return doubts, explained
