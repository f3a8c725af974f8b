"""The rules of attendance, as pure functions: looks and names in, a ledger out.

Nothing here reads a clock or a database. The same looks give the same ledger in any order of arrival and
however often each of them arrives.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from db.doubts import CUES, Dispute, Doubt, disputed, headcount_runs, track_doubts, two_tiles
from db.presence import Edit, Entry, Interval, Presence, Rules, Span, last_edits
from db.tracks import Naming, Occupant, Ruling, Thresholds, Tracks

__all__ = [
    "Balance",
    "Dispute",
    "Doubt",
    "Edit",
    "Entry",
    "Interval",
    "Ledger",
    "Look",
    "Naming",
    "Rules",
    "Ruling",
    "Span",
    "Thresholds",
    "fold",
]


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

    @property
    def burst(self) -> tuple[datetime, datetime]:
        """First and last frame; a clock that was set back in between leaves no time between them."""
        return min(self.began_at, self.taken_at), self.taken_at


@dataclass(frozen=True, slots=True)
class Balance:
    """headcount = identified + unknown, at one look. `reviewed`: those of the unknown whom staff settled.

    `causes`: what explains the unknown, and how many each: `settled` (by staff), `two_tiles` (a student's further tile),
    `doubtful` (not sure enough which student), `unknown_face` (nobody of the roster), `asking` (the face is still being
    asked about), `not_asked`, `no_face` (a head without a sighting).
    """

    uid: str
    headcount: int
    identified: int
    unknown: int
    reviewed: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_verified(self) -> bool:
        """Whether every head is explained."""
        return self.unknown >= 0 and self.identified + self.reviewed == self.headcount


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
    edits: Collection[Edit] = (),
    excused: Collection[int] = (),
    enrolled: Mapping[int, datetime] | None = None,
    thresholds: Thresholds | None = None,
    disputes: Iterable[Dispute] = (),
) -> Ledger:
    """The ledger of one session.

    `roster`: ids of the students expected; names of people outside it are ignored. `faceless`: those of them whose face
    no engine knows. Not to be recognised is no sign of their absence. `rulings`: what staff said; they outrank namings.
    `edits`: what staff wrote; they outrank everything. `excused`: students who need not come. `enrolled`: when those
    joined the course who were not on it from the beginning. `thresholds`: to judge the namings by instead of their own.
    `disputes`: what students said against their entries; staff answer them, and no status waits for it.
    Whoever another open doubt may concern is not called absent.
    """
    ordered = _ordered(looks)
    members = frozenset(roster)
    tracks = Tracks(namings, rulings, members, thresholds)
    newest = ordered[-1].tracks if ordered else frozenset()
    seen: dict[int, list[int]] = defaultdict(list)
    found: list[_Found] = []
    doubts: dict[tuple[str, str], Doubt] = {}
    doubted: set[int] = set(faceless)
    confidence: dict[int, float] = {}
    if not any(look.headcount for look in ordered):
        doubted |= members  # a covered window looks like an empty class
    for index, look in enumerate(ordered):
        occupants = {track: tracks.occupant(track, look.taken_at) for track in sorted(look.tracks)}
        holders, raised, known = two_tiles(occupants, look.taken_at)
        for student in holders:
            seen[student].append(index)
        for track, occupant in occupants.items():
            if occupant.student_id is not None:
                share = occupant.sure_pct / 100
                confidence[occupant.student_id] = max(confidence.get(occupant.student_id, 0.0), share)
            raised += track_doubts(track, occupant, look.cues.get(track), look.taken_at, holders)
        settled = set(known) | {track for track, occupant in occupants.items() if occupant.reviewed}
        for doubt in raised:
            if doubt.kind in CUES and tracks.is_settled(doubt.kind, doubt.subject):
                continue
            if tracks.is_dismissed(doubt.kind, doubt.subject, doubt.student_id):
                settled |= set() if doubt.kind in CUES else {doubt.subject}
                continue
            doubted |= doubt.students
            # A face that is still being asked about is no work for staff yet.
            if doubt.subject not in newest or not tracks.is_pending(doubt.subject):
                doubts.setdefault((doubt.kind, doubt.subject), doubt)
        found.append(_Found(look, frozenset(holders.values()), frozenset(settled), occupants))
    runs, explained = headcount_runs(
        [(one.look.uid, one.look.taken_at, one.unexplained) for one in found], tracks
    )
    doubts |= {(doubt.kind, doubt.subject): doubt for doubt in runs}
    doubts |= {(doubt.kind, doubt.subject): doubt for doubt in disputed(disputes, tracks)}
    balances = tuple(one.balance(one.look.uid in explained, tracks) for one in found)
    presence = Presence([look.burst for look in ordered], span, rules)
    machine = {
        student: presence.entry(
            student,
            seen[student],
            confidence,
            student in doubted,
            student in excused,
            (enrolled or {}).get(student),
        )
        for student in members
    }
    entries = _edited(machine, last_edits(edits))
    return Ledger(
        entries, balances, tuple(sorted(doubts.values(), key=lambda one: (one.at, one.kind, one.subject)))
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look showed. `holders`: the tracks that hold a student each; `settled`: those that staff know of."""

    look: Look
    holders: frozenset[str]
    settled: frozenset[str]
    occupants: Mapping[str, Occupant]

    @property
    def unexplained(self) -> int:
        """Heads that no answer was given about."""
        return self.look.headcount - sum(occupant.asked for occupant in self.occupants.values())

    def balance(self, explained: bool, tracks: Tracks) -> Balance:
        """`explained`: staff have settled the heads that no answer was given about."""
        unknown = self.look.headcount - len(self.holders)
        left = max(self.unexplained, 0)
        reviewed = max(0, min(len(self.settled) + (left if explained else 0), unknown))
        causes = Counter(
            self._cause(track, explained, tracks) for track in self.occupants if track not in self.holders
        )
        causes["settled" if explained else "no_face"] += max(self.look.headcount - len(self.occupants), 0)
        return Balance(
            self.look.uid,
            self.look.headcount,
            len(self.holders),
            unknown,
            reviewed,
            {cause: count for cause, count in sorted(causes.items()) if count > 0},
        )

    def _cause(self, track: str, explained: bool, tracks: Tracks) -> str:
        occupant = self.occupants[track]
        if track in self.settled:
            return "settled"
        if occupant.student_id is not None:
            return "two_tiles"
        if not occupant.asked:
            return "settled" if explained else "not_asked"
        if tracks.is_pending(track):
            return "asking"
        return "doubtful" if occupant.suspects else "unknown_face"


def _ordered(looks: Iterable[Look]) -> Sequence[Look]:
    """The looks in order of time, each once."""
    first = {}
    for look in sorted(
        looks,
        key=lambda one: (one.uid, one.taken_at, one.began_at, one.headcount, sorted(one.tracks)),
        reverse=True,
    ):
        first[look.uid] = look
    return sorted(first.values(), key=lambda look: (look.taken_at, look.uid))


def _edited(machine: Mapping[int, Entry | None], edits: Mapping[int, Sequence[Edit]]) -> tuple[Entry, ...]:
    """The machine's entries as staff leave them, with those that only staff made."""
    found: list[Entry] = []
    for student in sorted(machine.keys() | edits.keys()):
        own = edits.get(student, ())
        entry = machine.get(student)
        if entry is None and own and own[-1].holds:
            entry = Entry(student, "unverified", 0.0, None, ())
        if entry is not None:
            found.append(entry.edited(own))
    return tuple(found)
