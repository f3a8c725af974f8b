"""From an observation to names in the ledger: ask, decide, remember, store."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.audit import Change
from db.database import Database
from db.face_cache import CachedFace, FaceCache
from db.ingest import LookWriter
from db.judgements import drop_expired, known_faces, rulings_of
from db.ledger import catch_up
from db.looks import NewLook, NewNaming, NewSighting, tracks_before
from db.people import cached_faces, face_stamps, roster_of, with_faces
from db.sessions import find_session
from db.settings import Settings
from db.stored_look import StoredLook, stored_look
from db.tracks import Tracks
from recognizer.asking import Asker, Group, seated
from recognizer.decision import Policies, Policy, Verdict, assign, decide
from recognizer.engine import Answer, FaceEngine
from recognizer.evidence import Evidence
from recognizer.known import Judged
from recognizer.memory import IdentityMemory, Remembered
from recognizer.observation import Observation, Receipt
from recognizer.reunion import Question, found_again, joined

__all__ = ["Verifier"]

PAID_LOOKS = 3
"""Different looks at one person that are searched for where every search is billed; then staff are asked."""
KEPT = 64
"""Looks whose conclusions are kept while they cannot be stored."""


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """`searched`: whether the engine was asked; `paid`: searches a provider bills."""

    question: Question
    remembered: Remembered
    searched: bool
    paid: int = 0


class Verifier:
    """Turns observations into sightings and names, and folds the ledger.

    Safe to share between threads; the same observation is handed in by one at a time, else it may be searched for twice.
    """

    def __init__(
        self,
        database: Database,
        cache: FaceCache,
        engine: FaceEngine,
        settings: Settings,
        evidence: Evidence | None = None,
    ) -> None:
        self._database = database
        self._evidence = evidence or Evidence()
        self._engine = engine
        self._memory = IdentityMemory(cache)
        self._policies = Policies(settings)
        self._asker = Asker(engine, self._policies)
        self._writer = LookWriter(database)
        self._unfinished: dict[tuple[int, str], list[_Conclusion]] = {}
        self._guard = threading.Lock()
        with database.writing() as session:
            drop_expired(session)

    def verify(self, observation: Observation, changes: tuple[Change, ...] = ()) -> Receipt:
        """Identify the faces asked about and store the look; when this returns, it is durable.

        `changes`: put on record together with the look, once like it.
        An observation that was stored before gets the answer of then: nothing is paid again, and searched again only
        where the memory lacks what was found, because the program was killed before it could write it. One that could not
        be stored may be handed in again, and is not searched for again.
        Raises NotFoundError for a session that is none, and the stores' and the engine's errors.
        """
        key = (observation.session_id, observation.uid)
        with self._database.reading() as session:
            group = self._group(session, observation)
            stored = stored_look(session, *key)
        tracks = {
            track for face in observation.faces for track in (face.track, face.succeeds) if track is not None
        }
        held = group.memory.recall(tracks)
        conclusions = self._unfinished.get(key)
        if conclusions is None:
            conclusions = (
                self._conclude(observation, held, group)
                if stored is None
                else self._forgotten(observation, held, group, stored)
            )
            self._keep(key, conclusions)
        searches = sum(conclusion.searched for conclusion in conclusions)
        paid = sum(conclusion.paid for conclusion in conclusions)
        if stored is None:
            crops = {conclusion.remembered.person: conclusion.question.crop for conclusion in conclusions}
            new = self._stored(observation, conclusions, held, searches, paid)
            self._writer.put(replace(new, evidence=tuple(self._evidence.keep(crops)), changes=changes))
        # Should this be cut short, whoever reads the ledger next folds it first.
        catch_up(self._database, observation.session_id)
        # The memory is written last: should this fail, the next look asks again, and the ledger is right all the same.
        fresh = {conclusion.question.face.track: conclusion.remembered for conclusion in conclusions}
        self._memory.remember(observation.session_id, fresh.values())
        self._forget_erased(observation.session_id)
        with self._guard:
            self._unfinished.pop(key, None)
        self._evidence.tend()
        faces = {**held, **fresh}
        continues = {
            conclusion.question.face.track: conclusion.question.continues
            for conclusion in conclusions
            if conclusion.question.continues is not None
        }
        if stored is not None:
            faces = _as_of_then(faces, stored)
            known_as = {
                face.track: faces[face.track].person for face in observation.faces if face.track in faces
            }
            continues = {track: person for track, person in known_as.items() if track != person}
        receipt = self._receipt(observation, faces, group)
        embedded = sum(conclusion.question.embedded for conclusion in conclusions)
        return replace(receipt, searches=searches, paid=paid, continues=continues, embedded=embedded)

    def _forget_erased(self, session_id: int) -> None:
        """Forget whose faces were removed while looks were under way: what they wrote came after the removal.

        Asked after the writing, so that either this sees the removal, or the removal sees what was written.
        """
        faced = self._memory.faced(session_id)
        with self._database.reading() as session:
            erased = faced - with_faces(session, faced)
        for student_id in erased:
            self._memory.forget(session_id, student_id)

    def _keep(self, key: tuple[int, str], conclusions: list[_Conclusion]) -> None:
        with self._guard:
            self._unfinished[key] = conclusions
            while len(self._unfinished) > KEPT:
                del self._unfinished[next(iter(self._unfinished))]

    def _forgotten(
        self, observation: Observation, held: Mapping[str, Remembered], group: Group, stored: StoredLook
    ) -> list[_Conclusion]:
        """What was concluded at a stored look, of those faces of which the memory knows less than was found by then."""
        lacking = set()
        for face in observation.faces:
            person = stored.people.get(face.box_xyxy, "")
            one = held.get(face.track)
            if person in stored.asked and (one is None or one.concluded_at < observation.taken_at):
                lacking.add(face.track)
        if not lacking or self._engine.bills:
            return []
        again = self._conclude(observation, held, group)
        return [conclusion for conclusion in again if conclusion.question.face.track in lacking]

    def _group(self, session: Session, observation: Observation) -> Group:
        session_id = observation.session_id
        row = find_session(session, session_id)
        students = roster_of(session, row.course_id)
        stamps = face_stamps(session, students, self._engine.collections)
        memory = self._memory.look(session_id, stamps, lambda lacking: cached_faces(session, lacking))
        tracks = Tracks((), rulings_of(session, session_id), students.keys())
        known = known_faces(session, students.keys(), datetime.now(UTC))
        judged = Judged(tracks, known, self._policies.local)
        lately = frozenset[str]()
        if any(face.crop is not None for face in observation.faces):
            lately = tracks_before(session, session_id, observation.taken_at)
        return Group({key: student.name for key, student in students.items()}, memory, judged, lately)

    def _conclude(
        self, observation: Observation, held: Mapping[str, Remembered], group: Group
    ) -> list[_Conclusion]:
        questions, people = self._asker.questions(observation, held, group)
        open_ones = [question for question in questions if not self._is_settled(question)]
        at = observation.taken_at
        conclusions = [self._again(question, at) for question in questions if self._is_settled(question)]
        if not open_ones:
            return conclusions
        answers = self._search(open_ones, observation, group)
        scores = [_by_student(answer, group.memory.faces) for answer in answers]
        for index, (question, score) in enumerate(zip(open_ones, scores, strict=True)):
            one = joined(question, score, people, group.lately)
            if one is None:
                continue
            open_ones[index] = one
            people = [other for other in people if other.person != one.person]
            if not self._engine.bills:
                (again,) = self._search([one], observation, group)
                answers[index] = replace(again, paid=again.paid + answers[index].paid)
                scores[index] = _by_student(again, group.memory.faces)
        taken = seated(observation, held)
        guests: dict[int, tuple[Verdict, str]] = {}
        comparable: list[dict[int, float]] = []
        sought: list[int] = []
        for index, (question, answer) in enumerate(zip(open_ones, answers, strict=True)):
            policy = self._policies.of(answer.engine)
            allowed = group.judged.allowed(question.person, question.likeness, scores[index], policy)
            guest = group.judged.guest(question.likeness, allowed)
            if guest is not None:
                guests[index] = guest
            scores[index] = {} if guest is not None else allowed
            elsewhere = _without_taken(scores[index], taken, question, policy)
            comparable.append(self._policies.comparable(elsewhere, answer.engine))
            sought.append(
                len(group.names) - sum(tracks != {question.face.track} for tracks in taken.values())
            )
        for index, chosen in enumerate(assign(comparable, self._policies.local.weak_pct)):
            question, answer, score = open_ones[index], answers[index], scores[index]
            policy = self._policies.of(answer.engine).among(sought[index])
            if index in guests:
                conclusions.append(_concluded(question, answer, *guests[index], {}, group, policy, at))
                continue
            views = question.likeness.views if policy.mirrors else question.likeness.looks
            verdict = decide(score, chosen, views, question.asked, policy)
            expected = question.face.track if question.face.spot_check else question.face.succeeds
            verdict = _confirm(held.get(expected or "") or question.before, verdict)
            found = found_again(question, verdict, people, group.lately)
            verdict = _claim(verdict, score, policy)
            conclusions.append(_concluded(found, answer, verdict, "", score, group, policy, at))
        return conclusions

    def _search(self, questions: Sequence[Question], observation: Observation, group: Group) -> list[Answer]:
        probes = [question.probe for question in questions]
        return self._engine.search(probes, group.memory.faces.keys(), observation.session_id)

    def _is_settled(self, question: Question) -> bool:
        """Whether the memory alone answers: the same picture again, or one that it would cost too much to look up."""
        before = question.before
        if before is None or not self._engine.bills:
            return question.adds_nothing
        paid_enough = before.likeness.looks >= PAID_LOOKS
        return question.adds_nothing or paid_enough or before.verdict in {"named", "guest"}

    def _again(self, question: Question, at: datetime) -> _Conclusion:
        """What was concluded before, of a face that was not searched for. Asked often enough, it is left to staff."""
        before = question.before
        assert before is not None
        verdict = before.verdict
        enough = self._engine.bills and before.likeness.looks >= PAID_LOOKS
        if verdict == "pending" and (enough or question.asked >= self._policies.local.max_looks):
            verdict = "unknown" if before.student_id is None else "doubtful"
        person = replace(
            before,
            track=question.face.track,
            verdict=verdict,
            asked=question.asked,
            likeness=question.likeness,
            concluded_at=at,
        )
        return _Conclusion(question, person, searched=False)

    def _stored(
        self,
        observation: Observation,
        conclusions: Sequence[_Conclusion],
        held: Mapping[str, Remembered],
        searches: int,
        paid: int,
    ) -> NewLook:
        people = {track: one.person for track, one in held.items()} | {
            conclusion.question.face.track: conclusion.remembered.person for conclusion in conclusions
        }
        return NewLook(
            session_id=observation.session_id,
            uid=observation.uid,
            began_at=observation.began_at,
            taken_at=observation.taken_at,
            trigger=observation.trigger,
            headcount=observation.headcount,
            searches=searches,
            paid=paid,
            sightings=tuple(
                NewSighting(people.get(face.track, face.track), face.box_xyxy, face.cue)
                for face in observation.faces
            ),
            namings=tuple(self._naming(conclusion.remembered) for conclusion in conclusions),
        )

    def _naming(self, person: Remembered) -> NewNaming:
        policy = self._policies.of(person.engine)
        return NewNaming(
            track=person.person,
            verdict=person.verdict,
            student_id=person.student_id,
            face_id=person.face_id,
            similarity_pct=person.similarity_pct,
            runner_up_id=person.runner_up_id,
            runner_up_pct=person.runner_up_pct,
            threshold_pct=person.threshold_pct,
            looks=person.likeness.looks,
            engine=person.engine,
            model=person.model,
            margin_pct=policy.margin_pct,
        )

    def _receipt(self, observation: Observation, faces: Mapping[str, Remembered], group: Group) -> Receipt:
        names, guests, wanted = {}, {}, set()
        for seen in observation.faces:
            face = faces.get(seen.track)
            ruled, excluded = group.judged.tracks.ruling(seen.track if face is None else face.person)
            if face is None or (face.verdict == "pending" and ruled is None):
                wanted.add(seen.track)
            elif face.verdict == "guest":
                guests[seen.track] = face.guest
            elif face.verdict == "named" and face.student_id in group.names.keys() - excluded:
                names[seen.track] = group.names[face.student_id or 0]
        return Receipt(observation.uid, observation.headcount, 0, 0, names, frozenset(wanted), guests=guests)


def _as_of_then(faces: Mapping[str, Remembered], stored: StoredLook) -> dict[str, Remembered]:
    """The people of a stored look with the verdicts of then: an agent that starts again goes the same way."""
    found = {}
    for track, one in faces.items():
        if told := stored.verdicts.get(one.person):
            verdict, student_id = told
            found[track] = replace(one, verdict=verdict, student_id=student_id)
    return found


def _without_taken(
    score: Mapping[int, float], taken: Mapping[int, frozenset[str]], question: Question, policy: Policy
) -> dict[int, float]:
    """The scores without students who sit elsewhere at this very look, unless the likeness leaves no doubt."""
    return {
        student: percent
        for student, percent in score.items()
        if not taken.get(student, frozenset()) - {question.face.track} or percent >= policy.sure_pct
    }


def _claim(verdict: Verdict, score: Mapping[int, float], policy: Policy) -> Verdict:
    """A face left without a name only because another one of the look has it: who it would have been is a doubt."""
    likely = max(score, key=lambda student: (score[student], -student), default=None)
    if verdict.student_id is not None or likely is None or score[likely] < policy.match_pct:
        return verdict
    doubtful = "doubtful" if verdict.verdict == "unknown" else verdict.verdict
    return replace(verdict, verdict=doubtful, student_id=likely)


def _confirm(before: Remembered | None, verdict: Verdict) -> Verdict:
    """Who was expected there is confirmed on weaker evidence than it takes to give a new name.

    Expected is who a spot check verifies, and who sat in the same place at the look before: a head box that is a
    little off makes a face look like somebody else's for a moment.
    """
    likely = before is not None and before.verdict == "named" and verdict.student_id == before.student_id
    return replace(verdict, verdict="named") if likely else verdict


def _concluded(
    question: Question,
    answer: Answer,
    verdict: Verdict,
    guest: str,
    score: Mapping[int, float],
    group: Group,
    policy: Policy,
    at: datetime,
) -> _Conclusion:
    likeliest = max(score, key=lambda student: score[student], default=None)
    behind = (
        candidate.face_id
        for candidate in answer.candidates
        if (face := group.memory.faces.get(candidate.face_id)) and face.student_id == verdict.student_id
    )
    person = Remembered(
        track=question.face.track,
        person=question.person,
        verdict=verdict.verdict,
        student_id=verdict.student_id,
        likeliest_id=likeliest,
        similarity_pct=verdict.similarity_pct,
        runner_up_id=verdict.runner_up_id,
        runner_up_pct=verdict.runner_up_pct,
        face_id=next(behind, None),
        engine=answer.engine,
        model=answer.model,
        asked=question.asked,
        likeness=question.likeness,
        template=answer.template,
        threshold_pct=policy.match_pct,
        concluded_at=at,
        guest=guest,
    )
    return _Conclusion(question, person, searched=True, paid=answer.paid)


def _by_student(answer: Answer, faces: Mapping[str, CachedFace]) -> dict[int, float]:
    """The best similarity of each student of the roster; a student may have several faces indexed."""
    best: dict[int, float] = {}
    for candidate in answer.candidates:
        face = faces.get(candidate.face_id)
        if face is not None:
            best[face.student_id] = max(best.get(face.student_id, 0.0), candidate.similarity_pct)
    return best
