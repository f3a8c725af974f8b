"""From an observation to names in the ledger: ask, decide, remember, store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from db.database import Database
from db.face_cache import CachedFace, FaceCache
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, find_look, record_look
from db.people import cached_faces, indexed_faces, roster_of
from db.sessions import find_session
from db.settings import Settings
from recognizer.decision import Policy, Verdict, assign, decide
from recognizer.engine import Answer, FaceEngine, Probe
from recognizer.memory import IdentityMemory, Remembered
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace

__all__ = ["Verifier"]


@dataclass(frozen=True, slots=True)
class _Class:
    """The roster of a session: names by student id, and whose the roster's faces are."""

    names: Mapping[int, str]
    faces: Mapping[str, CachedFace]


@dataclass(frozen=True, slots=True)
class _Question:
    """A face asked about. `before`: what is remembered of it; None at its first look, and for a spot check.

    A spot check asks afresh: averaged with earlier looks, another person in the tile would hide.
    """

    face: SeenFace
    crop: FaceCrop
    before: Remembered | None

    @property
    def looks(self) -> int:
        return 1 if self.before is None else self.before.looks + 1

    @property
    def probe(self) -> Probe:
        return Probe(self.crop, None if self.before is None else self.before.template)


@dataclass(frozen=True, slots=True)
class _Conclusion:
    question: _Question
    answer: Answer
    verdict: Verdict

    @property
    def remembered(self) -> Remembered:
        # The template serves to conclude. Once that is done it is somebody's biometrics kept for nothing.
        template = self.answer.template if self.verdict.verdict == "pending" else None
        return Remembered(self.verdict.verdict, self.verdict.student_id, self.question.looks, template)


class Verifier:
    """Turns observations into sightings and names, and folds the ledger. Safe to share between threads."""

    def __init__(self, database: Database, cache: FaceCache, engine: FaceEngine, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._engine = engine
        self._memory = IdentityMemory(cache)
        self._policy = Policy(
            match_pct=settings.match_threshold_pct,
            weak_pct=settings.weak_threshold_pct,
            margin_pct=settings.match_margin_pct,
            sure_pct=settings.sure_threshold_pct,
            max_looks=settings.max_looks_per_face,
        )

    def verify(self, observation: Observation) -> Receipt:
        """Identify the faces asked about and store the look; when this returns, it is durable.

        An observation that was stored before is answered from memory: nothing is searched or paid again.
        Raises NotFoundError for a session that is none, and the stores' and the engine's errors.
        """
        with self._database.reading() as session:
            group = self._group(session, observation.session_id)
            known = find_look(session, observation.session_id, observation.uid) is not None
        tracks = {
            track for face in observation.faces for track in (face.track, face.succeeds) if track is not None
        }
        held = self._memory.recall(observation.session_id, tracks)
        conclusions = [] if known else self._ask(observation, held, group)
        paid = len(conclusions) if self._engine.paid else 0
        with self._database.writing() as session:
            row = find_session(session, observation.session_id)
            if record_look(session, self._stored(observation, conclusions, group, paid)):
                refold(session, row)
        # The memory is written last: should this fail, the next look asks again, and the ledger is right all the same.
        fresh = {conclusion.question.face.track: conclusion.remembered for conclusion in conclusions}
        self._memory.remember(observation.session_id, fresh)
        return self._receipt(observation, {**held, **fresh}, group, len(conclusions), paid)

    def _group(self, session: Session, session_id: int) -> _Class:
        row = find_session(session, session_id)
        students = roster_of(session, row.course_id)
        owners = {
            face.face_id: face.student_id
            for face in indexed_faces(session, students.keys())
            if face.engine == self._engine.name
        }
        faces = self._cache.find(owners, lambda lacking: cached_faces(session, lacking))
        return _Class({key: student.name for key, student in students.items()}, faces)

    def _ask(
        self, observation: Observation, held: Mapping[str, Remembered], group: _Class
    ) -> list[_Conclusion]:
        questions = [
            _Question(face, face.crop, None if face.spot_check else held.get(face.track))
            for face in observation.faces
            if face.crop is not None
        ]
        if not questions:
            return []
        answers = self._engine.search([question.probe for question in questions], among=group.faces.keys())
        scores = [_by_student(answer, group.faces) for answer in answers]
        conclusions = []
        for question, answer, score, chosen in zip(
            questions, answers, scores, assign(scores, self._policy.weak_pct), strict=True
        ):
            verdict = decide(score, chosen, question.looks, self._policy)
            expected = question.face.track if question.face.spot_check else question.face.succeeds
            verdict = self._confirm(held.get(expected or ""), verdict)
            conclusions.append(_Conclusion(question, answer, verdict))
        return conclusions

    def _confirm(self, before: Remembered | None, verdict: Verdict) -> Verdict:
        """Who was expected there is confirmed on weaker evidence than it takes to give a new name.

        Expected is who a spot check verifies, and who sat in the same place at the look before: a head box that is a
        little off makes a face look like somebody else's for a moment.
        """
        likely = before is not None and before.verdict == "named" and verdict.student_id == before.student_id
        return replace(verdict, verdict="named") if likely else verdict

    def _stored(
        self, observation: Observation, conclusions: Sequence[_Conclusion], group: _Class, paid: int
    ) -> NewLook:
        return NewLook(
            session_id=observation.session_id,
            uid=observation.uid,
            began_at=observation.began_at,
            taken_at=observation.taken_at,
            trigger=observation.trigger,
            headcount=observation.headcount,
            searches=len(conclusions),
            paid=paid,
            sightings=tuple(NewSighting(face.track, face.box_xyxy) for face in observation.faces),
            namings=tuple(self._naming(conclusion, group) for conclusion in conclusions),
        )

    def _naming(self, conclusion: _Conclusion, group: _Class) -> NewNaming:
        verdict = conclusion.verdict
        behind = (
            candidate.face_id
            for candidate in conclusion.answer.candidates
            if (face := group.faces.get(candidate.face_id)) and face.student_id == verdict.student_id
        )
        return NewNaming(
            track=conclusion.question.face.track,
            verdict=verdict.verdict,
            student_id=verdict.student_id,
            face_id=next(behind, None),
            similarity_pct=verdict.similarity_pct,
            runner_up_id=verdict.runner_up_id,
            runner_up_pct=verdict.runner_up_pct,
            threshold_pct=self._policy.match_pct,
            looks=conclusion.question.looks,
            engine=self._engine.name,
            model=self._engine.model,
        )

    def _receipt(
        self,
        observation: Observation,
        faces: Mapping[str, Remembered],
        group: _Class,
        searches: int,
        paid: int,
    ) -> Receipt:
        names, wanted = {}, set()
        for seen in observation.faces:
            face = faces.get(seen.track)
            if face is None or face.verdict == "pending":
                wanted.add(seen.track)
            elif face.verdict == "named" and face.student_id is not None and face.student_id in group.names:
                names[seen.track] = group.names[face.student_id]
        return Receipt(observation.uid, observation.headcount, searches, paid, names, frozenset(wanted))


def _by_student(answer: Answer, faces: Mapping[str, CachedFace]) -> dict[int, float]:
    """The best similarity of each student of the roster; a student may have several faces indexed."""
    best: dict[int, float] = {}
    for candidate in answer.candidates:
        face = faces.get(candidate.face_id)
        if face is not None:
            best[face.student_id] = max(best.get(face.student_id, 0.0), candidate.similarity_pct)
    return best
