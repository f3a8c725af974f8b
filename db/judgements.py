"""Staff's verdicts: kept with who, when and why, and read back as the rules and the recogniser want them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM, note
from db.doubts import DISPUTE, Dispute
from db.errors import NotFoundError
from db.proof import note_record
from db.schema import DisputeRow, JudgementRow, LookRow, NamingRow, ReviewRow
from db.tracks import GUEST, IS_STUDENT, NAMED, Ruling

__all__ = [
    "KnownFace",
    "drop_expired",
    "find_review",
    "find_reviews",
    "forget_answers",
    "forget_guest",
    "forget_templates",
    "known_faces",
    "rulings_by_session",
    "rulings_of",
]


@dataclass(frozen=True, slots=True)
class KnownFace:
    """A face staff judged, to be known again. `student_id`: who it is not; None for a guest, whose name is `name`."""

    template: bytes
    student_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class NewJudgement:
    """A verdict to be kept. See `JudgementRow` for the fields."""

    session_id: int
    subject: str
    kind: str
    verdict: str
    student_id: int | None
    name: str
    since: datetime | None
    made_by: str
    made_at: datetime
    reason: str
    template: bytes | None
    expires_at: datetime


def record_judgement(session: Session, new: NewJudgement) -> bool:
    """Keep a verdict; returns False where the last one on the subject says the same.

    Faces kept for earlier verdicts on the subject that the new one contradicts are removed.
    """
    held = session.scalars(
        select(JudgementRow)
        .where(JudgementRow.session_id == new.session_id, JudgementRow.subject == new.subject)
        .order_by(JudgementRow.id)
    ).all()
    if held and says_the_same(held[-1], new.verdict, new.student_id, new.name, new.reason, new.kind):
        return False
    for row in held:
        if new.verdict == IS_STUDENT or (new.verdict == row.verdict == GUEST):
            row.template = None
    row = JudgementRow(
        session_id=new.session_id,
        subject=new.subject,
        kind=new.kind,
        verdict=new.verdict,
        student_id=new.student_id,
        name=new.name,
        since=new.since,
        made_by=new.made_by,
        made_at=new.made_at,
        reason=new.reason,
        template=new.template,
        expires_at=None if new.template is None else new.expires_at,
    )
    session.add(row)
    session.flush()
    after = {"verdict": new.verdict, "student": new.student_id, "about": new.subject, "kind": new.kind}
    note_record(session, new.made_by, "judgement.made", row, None, after, _for_good(new.kind, new.reason))
    return True


def _for_good(kind: str, reason: str) -> str:
    """What of a reason the chain holds. A student's answer is a letter to them and is emptied with its record."""
    return "" if kind == DISPUTE else reason


def forget_answers(session: Session, disputes: Collection[DisputeRow], actor: str) -> int:
    """Empty what was answered to these disputes; returns how many answers that were."""
    emptied = 0
    for dispute in disputes:
        subject = Dispute(dispute.id, dispute.student_id, dispute.made_at).subject
        rows = session.scalars(
            select(JudgementRow).where(
                JudgementRow.session_id == dispute.session_id, JudgementRow.subject == subject
            )
        ).all()
        for row in rows:
            row.reason = ""
            session.flush()
            note_record(session, actor, "judgement.emptied", row)
        emptied += len(rows)
        session.execute(
            update(ReviewRow)
            .where(ReviewRow.session_id == dispute.session_id, ReviewRow.subject == subject)
            .values(reason="")
        )
    return emptied


def says_the_same(
    row: JudgementRow, verdict: str, student_id: int | None, name: str, reason: str, kind: str
) -> bool:
    """Whether a verdict repeats one. An answer to a dispute is its words: others are another answer."""
    if (row.kind, row.verdict, row.student_id, row.name) != (kind, verdict, student_id, name):
        return False
    return kind != DISPUTE or row.reason == reason


def settle_review(
    session: Session,
    review: ReviewRow,
    state: str,
    student_id: int | None,
    made_by: str,
    made_at: datetime,
    reason: str,
) -> None:
    """Close a review as `ReviewRow.state` says; one settled already is settled anew. `student_id`: who it is, if anybody."""
    before = {"state": review.state, "student": review.settled_student_id}
    after = {"state": state, "student": student_id}
    if before == after and (review.kind != DISPUTE or review.reason == reason):
        return
    review.state, review.settled_student_id = state, student_id
    review.settled_by, review.settled_at, review.reason = made_by, made_at, reason
    subject = f"session:{review.session_id}/review:{review.id}"
    lasting = _for_good(review.kind, reason)
    note(session, made_by, "review.settled", subject, before, after | {"kind": review.kind}, lasting)


def find_review(session: Session, review_id: int) -> ReviewRow:
    """Raises NotFoundError."""
    row = session.get(ReviewRow, review_id)
    if row is None:
        raise NotFoundError(f"there is no review {review_id}; 'gridroll reviews list SESSION' shows them")
    return row


def find_reviews(session: Session, review_ids: Collection[int]) -> Sequence[ReviewRow]:
    """Those of these reviews that are there, oldest first."""
    query = select(ReviewRow).where(ReviewRow.id.in_(review_ids)).order_by(ReviewRow.at, ReviewRow.id)
    return session.scalars(query).all()


def reviews_of(session: Session, session_id: int) -> Sequence[ReviewRow]:
    """All reviews of one session in order of time, open and settled."""
    query = (
        select(ReviewRow)
        .options(
            *(
                joinedload(ReviewRow.student),
                joinedload(ReviewRow.rival),
                joinedload(ReviewRow.settled_student),
            )
        )
        .where(ReviewRow.session_id == session_id)
        .order_by(ReviewRow.at, ReviewRow.id)
    )
    return session.scalars(query).all()


def rulings_of(session: Session, session_id: int) -> list[Ruling]:
    """All verdicts of one session as the rules want them."""
    return rulings_by_session(session, [session_id]).get(session_id, [])


def rulings_by_session(session: Session, session_ids: Sequence[int] | Select[int]) -> dict[int, list[Ruling]]:
    """`rulings_of` several sessions; those without any are left out."""
    row = JudgementRow
    columns = (row.subject, row.kind, row.verdict, row.student_id, row.since, row.made_at, row.id)
    found: dict[int, list[Ruling]] = defaultdict(list)
    for number, subject, kind, verdict, student_id, since, made_at, key in session.execute(
        select(row.session_id, *columns).where(row.session_id.in_(session_ids))
    ):
        found[number].append(Ruling(subject, kind, verdict, student_id, since, made_at, key))
    return found


def known_faces(session: Session, roster: Collection[int], now: datetime) -> list[KnownFace]:
    """The faces judged in any session that have not expired: guests, and who is not one of these students."""
    row = JudgementRow
    query = select(row.id, row.template, row.student_id, row.name).where(
        row.template.is_not(None),
        row.expires_at > now,
        or_(row.verdict == GUEST, row.student_id.in_(roster)),
    )
    # Sorted here: asked for their order, SQLite reads all verdicts there ever were.
    found = sorted(session.execute(query), key=lambda one: one.id)
    return [
        KnownFace(template, student_id, name)
        for _, template, student_id, name in found
        if template is not None
    ]


def forget_templates(session: Session, student_id: int) -> int:
    """Remove every judged face that concerns a student: who is not them, and what is known to be theirs.

    Returns how many there were.
    """
    theirs = select(JudgementRow.session_id, JudgementRow.subject).where(
        JudgementRow.verdict == IS_STUDENT, JudgementRow.student_id == student_id
    )
    named = (
        select(LookRow.session_id, NamingRow.track)
        .join(NamingRow, NamingRow.look_id == LookRow.id)
        .where(NamingRow.verdict == NAMED, NamingRow.student_id == student_id)
    )
    own = {tuple(row) for query in (theirs, named) for row in session.execute(query)}
    forgotten = 0
    for row in session.scalars(select(JudgementRow).where(JudgementRow.template.is_not(None))):
        if row.student_id == student_id or (row.session_id, row.subject) in own:
            row.template = None
            forgotten += 1
    return forgotten


def forget_guest(session: Session, name: str, actor: str = SYSTEM) -> int:
    """Remove a guest's name and faces from all verdicts; returns how many there were."""
    rows = session.scalars(
        select(JudgementRow).where(JudgementRow.verdict == GUEST, JudgementRow.name == name)
    ).all()
    for row in rows:
        row.name, row.template = "", None
        note(session, actor, "guest.forgotten", f"session:{row.session_id}/judgement:{row.id}")
    return len(rows)


def drop_expired(session: Session, now: datetime | None = None) -> None:
    """Remove the faces whose time is over; the verdicts stay."""
    expired = session.scalars(
        select(JudgementRow.id).where(
            JudgementRow.expires_at <= (now or datetime.now(UTC)), JudgementRow.template.is_not(None)
        )
    ).all()
    if expired:
        session.execute(update(JudgementRow).where(JudgementRow.id.in_(expired)).values(template=None))
        note(
            session, SYSTEM, "templates.expired", "judgements", {"templates": len(expired)}, {"templates": 0}
        )
