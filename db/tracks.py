"""Who a track is, and what is in doubt about it: the machine's conclusions and staff's verdicts, weighed. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

__all__ = ["Naming", "Occupant", "Ruling", "Thresholds", "Tracks"]

NAMED, DOUBTFUL, PENDING, GUEST = "named", "doubtful", "pending", "guest"
IS_STUDENT, NOT_STUDENT, EXPLAINED, DISMISSED = "is_student", "not_student", "explained", "dismissed"
ACCEPTED, NOT_ACCEPTED = "accepted", "not_accepted"


@dataclass(frozen=True, slots=True)
class Naming:
    """The machine's answer to "who is this track?".

    `verdict`: `named` (student_id says who), `doubtful` (student_id is the likeliest, not sure enough), `unknown`
    (nobody of the roster), `guest` (somebody staff named before, who is not enrolled), `pending` (asked for another
    look; student_id as for doubtful, or None). `threshold_pct`: what a name took, `margin_pct`: what lead over the
    runner-up; None where that is not known.
    """

    track: str
    at: datetime
    verdict: str
    student_id: int | None
    similarity_pct: float | None
    runner_up_id: int | None = None
    runner_up_pct: float | None = None
    threshold_pct: float | None = None
    margin_pct: float | None = None

    @property
    def rival_id(self) -> int | None:
        """The second student, whom the face resembles about as much as `student_id`, or more; None: there is none."""
        close = (
            self.student_id is not None
            and self.similarity_pct is not None
            and self.runner_up_pct is not None
            and self.margin_pct is not None
            and self.similarity_pct - self.runner_up_pct < self.margin_pct
        )
        return self.runner_up_id if close else None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Staff's verdict, on the review of `kind` about `subject`: a track, or for a headcount the look that began it.

    `verdict`: `is_student` (student_id says who), `not_student` (it is not student_id; None: nobody of the roster),
    `guest`, `explained` (a headcount), `accepted` or `not_accepted` (a dispute), `dismissed` (not worth settling: the doubt about student_id is none). `since`: the look it is about, None: all of the track. Of two on one track the
    later one counts: that of the higher `number`, which the database gave it.
    """

    subject: str
    kind: str
    verdict: str
    student_id: int | None
    since: datetime | None
    made_at: datetime
    number: int = 0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a name takes, instead of what it took when the machine concluded; None: as it was.

    `match_pct`: similarity to the student; `margin_pct`: lead over the runner-up.
    """

    match_pct: float | None = None
    margin_pct: float | None = None

    def judge(self, namings: Sequence[Naming]) -> list[Naming]:
        """A track's conclusions, in order of time, as they would have been with these thresholds.

        Who was named on weaker evidence than it took then, because they were expected there, stays named as long as they
        were named before. A face asked about again gets no name: one look is too little at any threshold.
        """
        judged: list[Naming] = []
        named: set[int] = set()
        for naming in namings:
            student, similarity = naming.student_id, naming.similarity_pct
            if naming.verdict in {NAMED, DOUBTFUL} and student is not None and similarity is not None:
                match_pct = naming.threshold_pct if self.match_pct is None else self.match_pct
                margin_pct = naming.margin_pct if self.margin_pct is None else self.margin_pct
                lead = similarity - (naming.runner_up_pct or 0.0)
                clear = similarity >= (match_pct or 0.0) and lead >= (margin_pct or 0.0)
                enough = similarity >= (naming.threshold_pct or 0.0) and lead >= (naming.margin_pct or 0.0)
                expected = naming.verdict == NAMED and not enough
                verdict = NAMED if clear or (expected and student in named) else DOUBTFUL
                naming = replace(naming, verdict=verdict, threshold_pct=match_pct, margin_pct=margin_pct)
                named |= {student} if verdict == NAMED else set()
            judged.append(naming)
        return judged


@dataclass(frozen=True, slots=True)
class Occupant:
    """Who is behind a track at a look.

    `student_id`: of the roster, None for nobody that counts. `by_staff`: staff said so. `reviewed`: staff know that the
    head is nobody who counts. `suspects`: likeliest first, whom an unsettled head may be. `asked`: there was an answer.
    `sure_pct`: the best similarity with which the track was given this name. `enough`: the likeliest suspect's
    similarity would do for a name.
    """

    student_id: int | None
    by_staff: bool = False
    reviewed: bool = False
    suspects: tuple[int, ...] = ()
    asked: bool = True
    sure_pct: float = 0.0
    enough: bool = False


class Tracks:
    """The namings and rulings of a session, by track. `roster`: whom a name may be given to.

    `thresholds`: what the namings are judged by instead of their own.
    """

    def __init__(
        self,
        namings: Iterable[Naming],
        rulings: Iterable[Ruling],
        roster: Collection[int],
        thresholds: Thresholds | None = None,
    ) -> None:
        self._roster = frozenset(roster)
        self._namings: dict[str, list[Naming]] = defaultdict(list)
        self._rulings: dict[str, list[Ruling]] = defaultdict(list)
        self._told: dict[tuple[str, int], Occupant] = {}
        for naming in set(namings):
            self._namings[naming.track].append(naming)
        for ruling in set(rulings):
            self._rulings[ruling.subject].append(ruling)
        for held in self._namings.values():
            held.sort(key=lambda one: (one.at, repr(one)))
        for ruled in self._rulings.values():
            # By number first: clocks of those who rule differ, and are set back.
            ruled.sort(key=lambda one: (one.number, one.made_at, repr(one)))
        self._rulings |= {subject: _effective(ruled) for subject, ruled in self._rulings.items()}
        if thresholds is not None:
            self._namings |= {track: thresholds.judge(held) for track, held in self._namings.items()}

    def is_pending(self, track: str) -> bool:
        """Whether the last answer was to ask again."""
        held = self._namings.get(track, [])
        return bool(held) and held[-1].verdict == PENDING

    def is_settled(self, kind: str, subject: str) -> bool:
        """Whether staff have settled this very doubt."""
        return any(ruling.kind == kind for ruling in self._rulings.get(subject, ()))

    def is_dismissed(self, kind: str, subject: str, student_id: int | None) -> bool:
        """Whether staff found this very doubt, about this student, not worth settling."""
        return any(
            (ruling.kind, ruling.verdict, ruling.student_id) == (kind, DISMISSED, student_id)
            for ruling in self._rulings.get(subject, ())
        )

    def named(self, track: str) -> Sequence[Naming]:
        """The namings that gave the track a name."""
        return [naming for naming in self._namings.get(track, ()) if naming.verdict == NAMED]

    def ruling(self, track: str) -> tuple[Ruling | None, frozenset[int]]:
        """What staff last said of a track: who or what it is, and the students it is not."""
        return _ruled([ruling for ruling in self._rulings.get(track, ()) if ruling.verdict != DISMISSED])

    def occupant(self, track: str, at: datetime) -> Occupant:
        """Who is behind the track at a moment; staff outrank the machine.

        The last conclusion by then decides. A track that had no name by then takes the first one said later: a name
        found at the third look also holds for the first two, for the track means the same person.
        """
        namings = self._namings.get(track, [])
        if track in self._rulings:
            return self._found(track, at)
        # Only a conclusion changes who it is: between two of them the answer is the same.
        key = (track, bisect_right(namings, at, key=lambda naming: naming.at))
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = self._found(track, at)
        return told

    def _found(self, track: str, at: datetime) -> Occupant:
        namings, rulings = self._namings.get(track, []), self._in_force(track, at)
        ruled, excluded = _ruled(rulings)
        if ruled is not None and ruled.verdict == IS_STUDENT and ruled.student_id in self._roster:
            return Occupant(ruled.student_id, by_staff=True, sure_pct=100.0)
        if ruled is not None:
            return Occupant(None, reviewed=True)
        said = _said(namings, at, excluded)
        if said is None:
            return Occupant(None, reviewed=bool(rulings), asked=bool(rulings))
        if said.verdict == GUEST:
            return Occupant(None, reviewed=True)
        if said.verdict == NAMED and said.student_id in self._roster and said.student_id not in excluded:
            return Occupant(said.student_id, sure_pct=self._sure_pct(track, said.student_id))
        likely = [said.student_id, said.rival_id]
        suspects = tuple(
            dict.fromkeys(one for one in likely if one in self._roster - excluded and one is not None)
        )
        enough = (said.similarity_pct or 0.0) >= (100.0 if said.threshold_pct is None else said.threshold_pct)
        reviewed = bool(rulings) and not suspects
        return Occupant(None, reviewed=reviewed, suspects=suspects, enough=enough)

    def _in_force(self, track: str, at: datetime) -> list[Ruling]:
        """The rulings on a track that hold at a moment; where no name was given by then, later ones hold backwards."""
        rulings = self._rulings.get(track, [])
        rulings = [ruling for ruling in rulings if ruling.verdict != DISMISSED]
        by_then = [ruling for ruling in rulings if ruling.since is None or ruling.since <= at]
        if by_then or any(naming.at <= at for naming in self.named(track)):
            return by_then
        return rulings

    def _sure_pct(self, track: str, student_id: int) -> float:
        return max(
            (naming.similarity_pct or 0.0 for naming in self.named(track) if naming.student_id == student_id),
            default=0.0,
        )


def _effective(rulings: Sequence[Ruling]) -> list[Ruling]:
    """The verdicts that count, of those on one subject in their order.

    A dismissal takes back what was said before on the same doubt, and is taken back by what is said after it.
    """
    counting: list[Ruling] = []
    for ruling in rulings:
        taken_back = {DISMISSED} if ruling.verdict != DISMISSED else {one.verdict for one in counting}
        counting = [one for one in counting if one.kind != ruling.kind or one.verdict not in taken_back]
        counting.append(ruling)
    return counting


def _ruled(rulings: Sequence[Ruling]) -> tuple[Ruling | None, frozenset[int]]:
    """The ruling that says who it is, or that it is nobody who counts; and whom it is not."""
    last: Ruling | None = None
    excluded: set[int] = set()
    for ruling in rulings:
        if ruling.verdict == NOT_STUDENT and ruling.student_id is not None:
            excluded.add(ruling.student_id)
            if last is not None and last.verdict == IS_STUDENT and last.student_id == ruling.student_id:
                last = None
        else:
            last = ruling
            excluded.discard(ruling.student_id or 0)
    return last, frozenset(excluded)


def _said(namings: Sequence[Naming], at: datetime, excluded: Collection[int]) -> Naming | None:
    """The conclusion that holds at a moment; where there is none at all, the last answer.

    As long as nobody was named, the last conclusion holds throughout: it knows more looks at the same face.
    """
    settled = [naming for naming in namings if naming.verdict != PENDING]
    until = bisect_right(settled, at, key=lambda naming: naming.at)
    if any(_names(naming, excluded) for naming in settled[:until]):
        return settled[until - 1]
    first = next((naming for naming in settled[until:] if _names(naming, excluded)), None)
    if first is not None:
        return first
    return settled[-1] if settled else (namings[-1] if namings else None)


def _names(naming: Naming, excluded: Collection[int]) -> bool:
    return naming.verdict == GUEST or (naming.verdict == NAMED and naming.student_id not in excluded)
