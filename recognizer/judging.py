"""Settling reviews: staff say who a face is, who it is not, or that it is a guest."""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.database import Database
from db.doubts import CUES, DISPUTE, HEADCOUNT, IDENTITY, TWO_TILES
from db.errors import GridrollError, NotFoundError, StoreError
from db.face_cache import FaceCache
from db.judgements import NewJudgement, find_review, find_reviews, record_judgement, settle_review
from db.ledger import refold
from db.people import roster_of
from db.reviews import ReviewConflictError, refuse_changed
from db.schema import ReviewRow
from db.sessions import find_session, lock_session
from db.settings import Settings
from db.tracks import ACCEPTED, DISMISSED, EXPLAINED, GUEST, IS_STUDENT, NOT_ACCEPTED, NOT_STUDENT
from recognizer.errors import RecognizerError
from recognizer.memory import IdentityMemory, Remembered

__all__ = ["Judging", "Settlement"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Who settles a review and why. `by`: an e-mail address, or whoever was at the keyboard.

    `mark`: of the review as they read it (`db.reviews.review_mark`); None: whatever it is by now.
    """

    by: str
    reason: str = ""
    mark: str | None = None


class Judging:
    """Keeps staff's verdicts, folds the ledger anew and tells the identity memory. Saying the same again changes nothing.

    Each method returns what the review's session is. Raises NotFoundError, RecognizerError and ReviewConflictError.
    Without the cache (None, or its server is away) a verdict holds for its session and is not known again elsewhere.
    """

    def __init__(self, database: Database, cache: FaceCache | None, settings: Settings) -> None:
        self._database = database
        self._memory = None if cache is None else IdentityMemory(cache)
        self._known_for = timedelta(days=settings.judgement_days)

    def confirm(self, review_id: int, student_no: str | None, settlement: Settlement) -> int:
        """It is the student: the suspected one, or `student_no`. In two tiles: both are. Of a headcount: it is explained."""
        with self._database.reading() as session:
            review = _no_dispute(find_review(session, review_id))
            if review.kind == HEADCOUNT and student_no is not None:
                raise RecognizerError(f"review {review_id} is about a headcount; leave --student away")
            student_id = None if review.kind == HEADCOUNT else self._student(session, review, student_no)
        if review.kind == HEADCOUNT:
            return self._judge(review, EXPLAINED, None, settlement, "confirmed")
        if student_id is None:
            raise RecognizerError(f"review {review_id} suspects nobody; say who it is with --student NO")
        state = "confirmed" if student_id == review.student_id else "reassigned"
        return self._judge(review, IS_STUDENT, student_id, settlement, state)

    def confirm_all(self, marks: Mapping[int, str], settlement: Settlement) -> frozenset[int]:
        """Each is the one student whom it suspects. `marks`: of the reviews as they were read, by their numbers.

        Returns those that are left as they are: others changed or settled them meanwhile, or they suspect nobody, or
        two. Each session is folded once.
        """
        with self._database.reading() as session:
            rows = find_reviews(session, marks)
        sure = [row for row in rows if row.kind not in {HEADCOUNT, DISPUTE} and row.rival_id is None]
        by_session: dict[int, list[_Verdict]] = defaultdict(list)
        for row in sure:
            if row.student_id is not None:
                one = _Verdict(row, IS_STUDENT, row.student_id, "confirmed", marks[row.id])
                by_session[row.session_id].append(one)
        left = set(marks)
        for session_id, verdicts in sorted(by_session.items()):
            refused = self._judge_all(session_id, verdicts, settlement)
            left -= {one.review.id for one in verdicts} - refused.keys()
        return frozenset(left)

    def reject(self, review_id: int, student_no: str | None, settlement: Settlement) -> int:
        """It is not the student, here and wherever the face turns up; where none is suspected: nobody of the roster."""
        with self._database.reading() as session:
            review = _about_a_face(find_review(session, review_id))
            student_id = self._student(session, review, student_no)
        return self._judge(review, NOT_STUDENT, student_id, settlement, "not_this_person")

    def dismiss(self, review_id: int, settlement: Settlement) -> int:
        """The doubt is not worth settling: what the machine said stands, and nobody is spared for it any more."""
        with self._database.reading() as session:
            review = _no_dispute(find_review(session, review_id))
        return self._judge(review, DISMISSED, review.student_id, settlement, "dismissed")

    def guest(self, review_id: int, name: str, settlement: Settlement) -> int:
        """It is somebody who may be there without being enrolled, here and wherever the face turns up."""
        name = " ".join(name.split())
        if not 0 < len(name) <= 200:
            raise RecognizerError(f"a guest's name of {len(name)} characters cannot be; give 1 to 200")
        with self._database.reading() as session:
            review = _about_a_face(find_review(session, review_id))
        return self._judge(review, GUEST, None, settlement, "guest", name)

    def answer(self, review_id: int, accepted: bool, settlement: Settlement) -> int:
        """A student's dispute is right, or the entry stands. The reason is the answer that the student reads.

        What being right means for the entry is for staff to edit.
        """
        with self._database.reading() as session:
            review = find_review(session, review_id)
        if review.kind != DISPUTE:
            raise RecognizerError(f"review {review_id} is no dispute; confirm, reject or dismiss it")
        if not settlement.reason.strip():
            raise RecognizerError("an answer needs words, the student reads them; say why")
        verdict = ACCEPTED if accepted else NOT_ACCEPTED
        return self._judge(review, verdict, review.student_id, settlement, verdict)

    def _student(self, session: Session, review: ReviewRow, student_no: str | None) -> int | None:
        if student_no is None:
            return review.student_id
        row = find_session(session, review.session_id)
        roster = roster_of(session, row.course_id)
        found = next((key for key, student in roster.items() if student.student_no == student_no), None)
        if found is None:
            # The same of a number that nobody has and of one of another course: who that is, is not told here.
            raise NotFoundError(
                f"no student {student_no!r} is on the roster of {row.course.code}; import it with them, "
                "or name them as a guest"
            )
        return found

    def _judge(
        self,
        review: ReviewRow,
        verdict: str,
        student_id: int | None,
        settlement: Settlement,
        state: str,
        name: str = "",
    ) -> int:
        one = _Verdict(review, verdict, student_id, state, settlement.mark, name)
        for error in self._judge_all(review.session_id, [one], settlement).values():
            raise error
        return review.session_id

    def _judge_all(
        self, session_id: int, verdicts: Sequence["_Verdict"], settlement: Settlement
    ) -> dict[int, GridrollError]:
        """Keep verdicts on one session in one transaction, folding it once; returns why some were refused, by review."""
        subjects = {subject for one in verdicts if not one.silent for subject in one.subjects}
        held = self._recall(session_id, subjects) if subjects else {}

        def store(session: Session) -> dict[int, GridrollError]:
            lock_session(session, session_id)
            refused: dict[int, GridrollError] = {}
            for one in verdicts:
                try:
                    refuse_changed(
                        session,
                        one.review.id,
                        one.mark,
                        one.verdict,
                        one.student_id,
                        one.name,
                        settlement.reason,
                    )
                except (ReviewConflictError, NotFoundError) as error:  # nothing of it has been written yet
                    refused[one.review.id] = error
                else:
                    self._keep(session, one, settlement, held)
            if len(refused) < len(verdicts):
                session.flush()
                refold(session, find_session(session, session_id))
            return refused

        refused = self._database.transact(store)
        told = [one for one in verdicts if one.review.id not in refused and not one.silent]
        self._remember(
            session_id,
            [one.told(held[subject]) for one in told for subject in one.subjects if subject in held],
        )
        return refused

    def _keep(
        self,
        session: Session,
        one: "_Verdict",
        settlement: Settlement,
        held: Mapping[str, Remembered],
    ) -> None:
        now = datetime.now(UTC)
        for subject in one.subjects:
            seen = held.get(subject)
            record_judgement(
                session,
                NewJudgement(
                    session_id=one.review.session_id,
                    subject=subject,
                    kind=one.review.kind,
                    verdict=one.verdict,
                    student_id=one.student_id,
                    name=one.name,
                    since=one.review.at if one.review.kind in IDENTITY else None,
                    made_by=settlement.by,
                    made_at=now,
                    reason=settlement.reason,
                    template=seen.likeness.to_bytes() if seen is not None and one.lasting else None,
                    expires_at=now + self._known_for,
                ),
            )
        said = one.student_id if one.verdict == IS_STUDENT else None
        settled = find_review(session, one.review.id)
        settle_review(session, settled, one.state, said, settlement.by, now, settlement.reason)

    def _recall(self, session_id: int, subjects: Collection[str]) -> dict[str, Remembered]:
        if self._memory is None:
            return {}
        try:
            return self._memory.recall(session_id, subjects)
        except StoreError as error:
            _log.warning("a verdict holds for its session only: %s", error)
            return {}

    def _remember(self, session_id: int, people: Collection[Remembered]) -> None:
        if self._memory is None or not people:
            return
        try:
            self._memory.remember(session_id, people)
        except StoreError as error:
            _log.warning("a verdict is stored, but not remembered for later looks: %s", error)


def _no_dispute(review: ReviewRow) -> ReviewRow:
    if review.kind == DISPUTE:
        raise RecognizerError(
            f"review {review.id} is a student's dispute; 'gridroll reviews answer {review.id}' answers it"
        )
    return review


def _about_a_face(review: ReviewRow) -> ReviewRow:
    _no_dispute(review)
    if review.kind == HEADCOUNT:
        raise RecognizerError(
            f"review {review.id} is about a headcount, not a face; 'confirm' settles it once it is explained"
        )
    return review


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is said of a review, as `NewJudgement` and `ReviewRow.state` have it; `mark` as in `Settlement`."""

    review: ReviewRow
    verdict: str
    student_id: int | None
    state: str
    mark: str | None
    name: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        review = self.review
        both = review.kind == TWO_TILES and self.verdict in {IS_STUDENT, DISMISSED}
        return (review.subject, *([review.beside] if both and review.beside is not None else []))

    @property
    def silent(self) -> bool:
        """Whether it does not concern the memory. A dismissal does only where it takes back what staff said before."""
        return self.verdict in {EXPLAINED, ACCEPTED, NOT_ACCEPTED} or (
            self.verdict == DISMISSED and self.review.state in {"open", "dismissed"}
        )

    @property
    def lasting(self) -> bool:
        """Whether it is about the face, not only about this track.

        Who is on a still picture may well come in person: such a verdict is about this track and no other face.
        """
        return self.verdict in {GUEST, NOT_STUDENT} and self.review.kind not in CUES

    def told(self, before: Remembered) -> Remembered:
        """What the memory knows of somebody after the verdict."""
        if self.verdict == IS_STUDENT:
            return replace(before, verdict="named", student_id=self.student_id, guest="")
        if self.verdict == GUEST:
            return replace(before, verdict="guest", student_id=None, guest=self.name)
        if self.verdict == DISMISSED:
            return replace(before, verdict="pending", student_id=None, guest="")
        likeliest = before.likeliest_id if self.lasting else None
        return replace(before, verdict="unknown", student_id=None, likeliest_id=likeliest, guest="")
