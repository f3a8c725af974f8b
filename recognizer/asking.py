"""What is asked of a look: each face shown, with what is known already of whom it may show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from recognizer.decision import Policies
from recognizer.embedding import embed
from recognizer.engine import FaceEngine
from recognizer.known import Judged
from recognizer.memory import Recollection, Remembered
from recognizer.observation import Observation, SeenFace
from recognizer.reunion import Question, is_still, known_again

__all__ = ["Asker", "Group", "seated"]

MIRROR_ADDS_PCT = 10.0
"""What the mirror image adds to a similarity at most: seldom more than 7, on photographs."""


@dataclass(frozen=True, slots=True)
class Group:
    """The roster of a session: names by student id, what staff said of faces, and what is remembered.

    `lately`: who was seen at the look before.
    """

    names: Mapping[int, str]
    memory: Recollection
    judged: Judged
    lately: frozenset[str]


class Asker:
    """Makes questions of observations. `engine`: who will be asked. `policies`: what a name takes."""

    def __init__(self, engine: FaceEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies

    def questions(
        self, observation: Observation, held: Mapping[str, Remembered], group: Group
    ) -> tuple[list[Question], list[Remembered]]:
        """The faces asked about, each with what is known of the person: under the same track, in the same place
        before, or anywhere in the session. And who else was seen before, and sits nowhere now."""
        shown = [(face, face.crop) for face in observation.faces if face.crop is not None]
        if not shown:
            return [], []
        unseen = iter(embed([crop for face, crop in shown if not _recalls(face, held)]))
        questions = []
        for face, crop in shown:
            known = held.get(face.track)
            person = face.track if known is None else known.person
            if known is not None and _recalls(face, held):
                latest = known.likeness.vectors[-1]
                questions.append(Question(face, crop, latest, person, known, recalled=True))
                continue
            vector = next(unseen)
            afresh = face.spot_check and not (self._engine.bills and known and is_still(known, vector))
            questions.append(Question(face, crop, vector, person, None if afresh else known))
        if all(face.track in held and held[face.track].verdict == "named" for face, _ in shown):
            return questions, []
        here = {held[face.track].person for face in observation.faces if face.track in held}
        absent = group.names.keys() - seated(observation, held).keys()
        before = [
            held[face.succeeds] for face in observation.faces if face.succeeds in held and face.succeeds
        ]
        lately = group.memory.recall(group.lately - here).values()
        students = group.memory.recall_students(absent, group.names)
        ruled = group.judged.tracks.ruling
        away = {
            one.person: one
            for one in (*students, *lately, *before)
            # What staff said of somebody without a name holds for the place where they said it.
            if one.person not in here and (one.verdict == "named" or not any(ruled(one.person)))
        }
        again = known_again(
            questions, held, [one for one in away.values() if one.verdict == "named"], group.lately
        )
        found = {question.person for question in again}
        unnamed = [one for one in away.values() if one.verdict != "named" and one.person not in found]
        again = self._mirrored(known_again(again, held, unnamed, group.lately))
        found = {question.person for question in again}
        return again, [one for one in away.values() if one.person not in found]

    def _mirrored(self, questions: list[Question]) -> list[Question]:
        """With the mirror images of faces without a name that look as they did when they were asked about before.

        Only where that may give a name. Where every search is billed, such a face is not searched for again.
        """
        if self._engine.bills:
            return questions
        places = [place for place, question in enumerate(questions) if self._may_gain(question)]
        mirrors = embed([questions[place].crop for place in places], mirrored=True) if places else ()
        for place, mirror in zip(places, mirrors, strict=True):
            question = questions[place]
            assert question.before is not None
            # Which look a recalled one repeats, its mirror image tells.
            vector = question.before.likeness.nearest(mirror) if question.recalled else question.vector
            if question.before.likeness.lacks_mirror(vector):
                questions[place] = replace(question, vector=vector, mirror=mirror)
        return questions

    def _may_gain(self, question: Question) -> bool:
        """Whether the mirror image is new, and may be what a name lacks."""
        before = question.before
        if before is None or before.verdict in {"named", "guest"} or before.similarity_pct is None:
            return False
        policy = self._policies.of(before.engine)
        if not policy.mirrors or before.similarity_pct < policy.match_pct - MIRROR_ADDS_PCT:
            return False
        if question.recalled:
            return not before.likeness.mirrored.all()
        return before.likeness.lacks_mirror(question.vector)


def seated(observation: Observation, held: Mapping[str, Remembered]) -> dict[int, frozenset[str]]:
    """The students named before who are seen at this look, and under which tracks."""
    seats: dict[int, frozenset[str]] = {}
    for face in observation.faces:
        one = held.get(face.track)
        if one is not None and one.verdict == "named" and one.student_id is not None:
            seats[one.student_id] = seats.get(one.student_id, frozenset()) | {face.track}
    return seats


def _recalls(face: SeenFace, held: Mapping[str, Remembered]) -> bool:
    """Whether nothing new is to be seen of a face without a name: its mirror image at most."""
    return face.repeats and face.track in held and held[face.track].verdict == "pending"
