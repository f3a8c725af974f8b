"""Who is meant by a new track: somebody in another pose, in another place, or back again; or nobody seen before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from recognizer.decision import Verdict, assign
from recognizer.embedding import Vector
from recognizer.engine import Probe
from recognizer.likeness import Likeness
from recognizer.memory import Remembered
from recognizer.observation import FaceCrop, SeenFace

__all__ = ["Question", "found_again", "is_still", "joined", "known_again"]

LINKED = (0.92, 0.93)
"""Cosine from which who sits in a place now is who sat there before, the face of whom was seen at one look, or at more.
On photographs .3 % of strangers passed, and 2 to 15 % of people in another pose did not: those are asked about anew."""
ALIKE = 0.9
"""The same of who was seen at the look before, where both resemble one student of the roster most: 1 or 2 % of other poses
of one person are less alike. Of 120 who were found so one was another person; of 30 who had been away longer, five."""
LIKELY_PCT = 50.0
REUNITED, RETURNED = 0.945, 0.955
"""The same for any place: of who was seen at the look before and must be somewhere, and of who was away for longer. Of pairs of
different people, 4 in 10,000 reached .94; whom to compare with grows with every look somebody is away."""


@dataclass(frozen=True, slots=True)
class Question:
    """A face asked about. `vector`: its embedding. `before`: what is remembered of the same person, None of a new one.

    `person` as in `Remembered`. `continues`: the other track under which the person was seen. A spot check asks afresh, unless that is billed:
    averaged with earlier looks, another person in the tile would hide. `mirror`: the embedding of the mirror image.
    `recalled`: the vector is that of the look before, for the agent says that the face repeats it.
    """

    face: SeenFace
    crop: FaceCrop
    vector: Vector
    person: str
    before: Remembered | None = None
    continues: str | None = None
    mirror: Vector | None = None
    recalled: bool = False

    @property
    def embedded(self) -> int:
        """How often the network was asked."""
        return (not self.recalled) + (self.mirror is not None)

    @property
    def likeness(self) -> Likeness:
        likeness = Likeness.of(self.vector) if self.before is None else self.before.likeness.seen(self.vector)
        return likeness if self.mirror is None else likeness.with_mirror(self.vector, self.mirror)

    @property
    def asked(self) -> int:
        return 1 if self.before is None else self.before.asked + 1

    @property
    def probe(self) -> Probe:
        if self.before is None:
            return Probe(self.crop, self.likeness)
        return Probe(
            self.crop, self.likeness, self.before.template, self.before.likeness.has_seen(self.vector)
        )

    @property
    def adds_nothing(self) -> bool:
        """Whether this very picture was asked about before: the answer would be the same."""
        again = self.before is not None and self.before.likeness.has_seen(self.vector)
        return again and self.continues is None and self.mirror is None


def is_still(one: Remembered, vector: Vector) -> bool:
    """Whether a face in somebody's place is theirs, as far as the network here can tell. `vector`: its embedding."""
    return one.likeness.resembles(Likeness.of(vector)) + _expected(one) >= REUNITED


def known_again(
    questions: Sequence[Question],
    held: Mapping[str, Remembered],
    away: Sequence[Remembered],
    lately: Collection[str],
) -> list[Question]:
    """The questions about new tracks, with what is known of who is found to be meant.

    That may be who sat in the place before, or somebody who sits nowhere now: tiles move, people come back. `away`: those
    people, of whom `lately` were seen at the look before. Everybody is found at most once, where they are most alike.
    """
    people = {one.person: one for one in away}
    resembling: list[dict[str, float]] = []
    for question in questions:
        likeness, face = Likeness.of(question.vector), question.face
        found: dict[str, float] = {}
        if face.track not in held and question.before is None:
            found = {one.person: _likeness_elsewhere(one, likeness, lately) for one in away}
            before = held.get(face.succeeds or "")
            if before is not None:
                people.setdefault(before.person, before)
                found[before.person] = before.likeness.resembles(likeness) + _expected(before)
        resembling.append({person: cosine for person, cosine in found.items() if cosine >= REUNITED})
    result = list(questions)
    for index, person in enumerate(assign(resembling, REUNITED)):
        if person is not None:
            before = people[person]
            result[index] = replace(questions[index], person=person, before=before, continues=before.track)
    return result


def _expected(before: Remembered) -> float:
    """What is added to the likeness of who sat in the place before."""
    return REUNITED - LINKED[min(before.likeness.looks, len(LINKED)) - 1]


def _likeness_elsewhere(one: Remembered, likeness: Likeness, lately: Collection[str]) -> float:
    """How much a face in any place resembles somebody, less what is asked more of who was away for longer."""
    return one.likeness.resembles(likeness) - (0.0 if one.person in lately else RETURNED - REUNITED)


def joined(
    question: Question, score: Mapping[int, float], people: Sequence[Remembered], lately: Collection[str]
) -> Question | None:
    """With what is known of somebody unnamed who resembles the same student most; None where there is nobody."""
    if question.before is not None or question.face.spot_check or not score:
        return None
    likeliest = max(score, key=lambda student: score[student])
    # A student who was named is found under that name: who was merely like them is somebody else.
    named = {one.student_id for one in people if one.verdict == "named"}
    if score[likeliest] < LIKELY_PCT or likeliest in named:
        return None
    unnamed = [one for one in people if one.verdict != "named" and one.likeliest_id == likeliest]
    alike = [one for one in unnamed if _gathers(one, question, lately)]
    if not alike:
        return None
    likeness = Likeness.of(question.vector)
    before = max(alike, key=lambda one: (one.likeness.resembles(likeness), one.person))
    return replace(question, person=before.person, before=before, continues=before.track)


def found_again(
    question: Question, verdict: Verdict, people: Sequence[Remembered], lately: Collection[str]
) -> Question:
    """With what is known of the student just named, where they were seen before and sit nowhere now.

    Without a name, too, if they were likest that student by enough for a doubt, and are alike. `lately` as above.
    """
    if verdict.verdict != "named":
        return question
    known = [one for one in people if one.student_id == verdict.student_id]
    named = next((one for one in known if one.verdict == "named"), None)
    if question.before is None:
        one = named or next((one for one in known if _gathers(one, question, lately)), None)
        if one is None:
            return question
        return replace(question, person=one.person, before=one, continues=one.track)
    if named is None:
        return question
    likeness = reduce(Likeness.seen, named.likeness.vectors, question.before.likeness)
    before = replace(question.before, likeness=likeness)
    return replace(question, before=before, continues=question.continues or named.track)


def _gathers(one: Remembered, question: Question, lately: Collection[str]) -> bool:
    """Whether somebody without a name is alike enough, given that both resemble one student most."""
    enough = ALIKE if one.person in lately else RETURNED
    return one.likeness.resembles(Likeness.of(question.vector)) >= enough
