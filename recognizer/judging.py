"""Settling reviews: staff say who a face is, who it is not, or that it is a guest."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.database import Database
from db.doubts import CUES, DISPUTE, HEADCOUNT, IDENTITY, TWO_TILES
from db.errors import StoreError
from db.face_cache import FaceCache
from db.judgements import NewJudgement, find_review, record_judgement, settle_review
from db.ledger import refold
from db.people import find_student, roster_of
from db.reviews import refuse_changed
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
        student = find_student(session, student_no)
        row = find_session(session, review.session_id)
        if student.id not in roster_of(session, row.course_id):
            raise RecognizerError(
                f"{student.name} ({student_no}) is not on the roster of {row.course.code}; "
                "import it with them, or name them as a guest"
            )
        return student.id

    def _judge(
        self,
        review: ReviewRow,
        verdict: str,
        student_id: int | None,
        settlement: Settlement,
        state: str,
        name: str = "",
    ) -> int:
        subjects = [review.subject]
        if review.kind == TWO_TILES and verdict in {IS_STUDENT, DISMISSED} and review.beside is not None:
            subjects.append(review.beside)
        # A dismissal concerns the memory only where it takes back what staff said before.
        silent = verdict in {EXPLAINED, ACCEPTED, NOT_ACCEPTED} or (
            verdict == DISMISSED and review.state in {"open", "dismissed"}
        )
        held = {} if silent else self._recall(review.session_id, subjects)
        # Who is on a still picture may well come in person: such a verdict is about this track and no other face.
        lasting = verdict in {GUEST, NOT_STUDENT} and review.kind not in CUES

        def store(session: Session) -> None:
            lock_session(session, review.session_id)
            now = datetime.now(UTC)
            refuse_changed(session, review.id, settlement.mark, verdict, student_id, name, settlement.reason)
            for subject in subjects:
                seen = held.get(subject)
                record_judgement(
                    session,
                    NewJudgement(
                        session_id=review.session_id,
                        subject=subject,
                        kind=review.kind,
                        verdict=verdict,
                        student_id=student_id,
                        name=name,
                        since=review.at if review.kind in IDENTITY else None,
                        made_by=settlement.by,
                        made_at=now,
                        reason=settlement.reason,
                        template=seen.likeness.to_bytes() if seen is not None and lasting else None,
                        expires_at=now + self._known_for,
                    ),
                )
            said = student_id if verdict == IS_STUDENT else None
            settled = find_review(session, review.id)
            settle_review(session, settled, state, said, settlement.by, now, settlement.reason)
            session.flush()
            refold(session, find_session(session, review.session_id))

        self._database.transact(store)
        self._remember(
            review.session_id, [_now(one, verdict, student_id, name, lasting) for one in held.values()]
        )
        return review.session_id

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


def _now(before: Remembered, verdict: str, student_id: int | None, name: str, lasting: bool) -> Remembered:
    """What the memory knows of somebody after the verdict. `lasting`: it is about the face, not only about this track."""
    if verdict == IS_STUDENT:
        return replace(before, verdict="named", student_id=student_id, guest="")
    if verdict == GUEST:
        return replace(before, verdict="guest", student_id=None, guest=name)
    if verdict == DISMISSED:
        return replace(before, verdict="pending", student_id=None, guest="")
    likeliest = before.likeliest_id if lasting else None
    return replace(before, verdict="unknown", student_id=None, likeliest_id=likeliest, guest="")
