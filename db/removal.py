"""What of a student leaves the ledger: with their consent the photographs, on their removal all that says who it was.

Attendance stays, of a number without a person. See docs/decisions/028-the-student-s-word.md.
"""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.accounts import set_active
from db.due import mark_course_due
from db.erasures import CARRIED_OUT
from db.errors import NotFoundError
from db.evidence.claims import condemn
from db.judgements import forget_answers
from db.proof import note_record
from db.replies import forget_replies
from db.schema import (
    AuditRow,
    Consent,
    DisputeRow,
    Enrolment,
    ErasureRow,
    ExcuseRow,
    PhotoRow,
    Student,
    User,
)
from db.tokens import forget_tokens
from db.webhook_events import renumber_told

__all__ = ["REMOVED_NAME", "anonymise", "forget_photographs", "proofs_of_removal"]

REMOVED_NAME = "Removed student"
REMOVAL = "student.anonymised"


def forget_photographs(session: Session, student_id: int) -> int:
    """Remove a student's kept photographs; their blobs go at the next purge. Returns how many there were."""
    digests = session.scalars(select(PhotoRow.digest).where(PhotoRow.student_id == student_id)).all()
    if digests:
        session.execute(delete(PhotoRow).where(PhotoRow.student_id == student_id))
        session.flush()
        condemn(session, digests)
    return len(digests)


def anonymise(
    session: Session, student_id: int, erased: Mapping[str, int], actor: str, reason: str
) -> dict[str, int]:
    """Take away who a student was: name, number, address, what they wrote, places on rosters, their account.

    Faces, photographs and crops are gone by now. `erased`: how many of each there were, by word. Returns the counts of all
    that was removed, as they stand in the audit chain. The ledgers concerned are due. Raises NotFoundError for a student
    who is none, or was removed before.
    """
    student = session.get(Student, student_id, with_for_update=True)
    if student is None or student.removed_at is not None:
        raise NotFoundError(f"there is no student {student_id} who could be removed")
    counts = {
        **erased,
        "texts": _forget_texts(session, student_id, actor),
        "accounts": _close_accounts(session, student_id, actor),
        "courses": _leave_courses(session, student_id, actor),
    }
    number = f"removed-{student.id}"
    counts["messages"] = forget_replies(session, (student.student_no, student.name, student.email))
    counts["messages"] += renumber_told(session, student.student_no, number)
    student.name, student.student_no, student.email = REMOVED_NAME, number, ""
    student.removed_at = datetime.now(UTC)
    session.flush()
    note_record(session, actor, REMOVAL, student, None, counts, reason)
    return counts


def proofs_of_removal(session: Session, student_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """What was removed of these students, as the audit chain tells; those who were not removed are left out."""
    subjects = {f"student:{student_id}": student_id for student_id in student_ids}
    query = select(AuditRow.subject, AuditRow.detail).where(
        AuditRow.subject.in_(subjects), AuditRow.action == REMOVAL
    )
    return {
        subjects[subject]: {
            what: count for what, count in json.loads(detail)["after"].items() if isinstance(count, int)
        }
        for subject, detail in session.execute(query)
    }


def _forget_texts(session: Session, student_id: int, actor: str) -> int:
    """What they wrote, what they were answered, why they were excused, and what is noted of their consents."""
    emptied = 0
    disputes = session.scalars(select(DisputeRow).where(DisputeRow.student_id == student_id)).all()
    emptied += forget_answers(session, disputes, actor)
    for dispute in disputes:
        if dispute.text:
            dispute.text = ""
            note_record(session, actor, "dispute.emptied", dispute)
            emptied += 1
    for wish in session.scalars(select(ErasureRow).where(ErasureRow.student_id == student_id)).all():
        said = bool(wish.text or wish.answer)
        wish.text, wish.answer = "", None
        emptied += said
        if wish.outcome is None:
            wish.outcome, wish.settled_by, wish.settled_at = CARRIED_OUT, actor, datetime.now(UTC)
            session.flush()
            note_record(session, actor, "erasure.settled", wish, None, {"outcome": CARRIED_OUT})
        elif said:
            session.flush()
            note_record(session, actor, "erasure.emptied", wish)
    for excuse in session.scalars(select(ExcuseRow).where(ExcuseRow.student_id == student_id)).all():
        if excuse.reason:
            excuse.reason = ""
            note_record(session, actor, "excuse.emptied", excuse)
            emptied += 1
    for consent in session.scalars(select(Consent).where(Consent.student_id == student_id)).all():
        if consent.note:
            consent.note = ""
            session.flush()
            note_record(session, actor, "consent.emptied", consent)
    return emptied


def _close_accounts(session: Session, student_id: int, actor: str) -> int:
    users = session.scalars(select(User).where(User.student_id == student_id)).all()
    for user in users:
        set_active(session, user, False, actor)
        forget_tokens(session, user, actor)
        # No hash of any password, and an address that no mail reaches.
        user.email, user.name, user.password_hash = f"removed-{user.id}@invalid", None, "!"
        user.totp_secret = user.totp_step = None
        session.flush()
        note_record(session, actor, "user.anonymised", user)
    return len(users)


def _leave_courses(session: Session, student_id: int, actor: str) -> int:
    places = session.scalars(select(Enrolment).where(Enrolment.student_id == student_id)).all()
    for place in places:
        note_record(session, actor, "enrolment.removed", place)
        session.delete(place)
        mark_course_due(session, place.course_id)
    session.flush()
    return len(places)
