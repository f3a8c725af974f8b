"""Everything on record about one student, as tables to be handed out to them: nothing of anybody else, no staff named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from db.disputes import every_dispute_of
from db.proof.trail import changes_of
from db.schema import (
    AttendanceRow,
    Consent,
    Course,
    EditRow,
    Enrolment,
    ErasureRow,
    ExcuseRow,
    FaceRow,
    IntervalRow,
    JudgementRow,
    LookRow,
    NamingRow,
    PhotoRow,
    SessionRow,
    SignIn,
    Student,
    TokenRow,
    User,
)

__all__ = ["OwnData", "own_data"]

MOST_CHANGES = 10_000

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OwnData:
    """`person`: the student's own fields. `tables`: by name, rows of plain values; times are aware."""

    person: Mapping[str, Any]
    tables: Mapping[str, Rows]


def own_data(session: Session, student_id: int) -> OwnData:
    """The number of statements does not depend on how much there is."""
    student = session.get_one(Student, student_id)
    row, meeting = AttendanceRow, SessionRow
    own = row.student_id == student_id
    sessions = (
        select(
            *(meeting.id.label("session"), Course.code.label("course"), Course.time_zone, meeting.title),
            *(meeting.starts_at, meeting.ends_at, row.status, row.joined_at, row.last_seen_at),
            *(row.minutes, row.confidence, row.source),
        )
        .join(row, row.session_id == meeting.id)
        .join(Course, Course.id == meeting.course_id)
        .where(own)
        .order_by(meeting.starts_at)
    )
    stays = (
        select(row.session_id.label("session"), IntervalRow.seen_from, IntervalRow.seen_to)
        .join(IntervalRow, IntervalRow.attendance_id == row.id)
        .where(own)
        .order_by(IntervalRow.seen_from)
    )
    tables = {
        "accounts": _of(
            session, User, User.student_id == student_id, "email", "role", "active", "created_at"
        ),
        "sign_ins": _rows(
            session,
            select(SignIn.created_at, SignIn.last_used_at, SignIn.ended_at)
            .join(User, User.id == SignIn.user_id)
            .where(User.student_id == student_id)
            .order_by(SignIn.created_at),
        ),
        "calendar_links": _rows(
            session,
            select(TokenRow.name, TokenRow.made_at, TokenRow.last_used_at, TokenRow.revoked_at)
            .join(User, User.id == TokenRow.user_id)
            .where(User.student_id == student_id)
            .order_by(TokenRow.id),
        ),
        "courses": _rows(
            session,
            select(Course.code, Course.title, Enrolment.enrolled_at)
            .join(Enrolment, Enrolment.course_id == Course.id)
            .where(Enrolment.student_id == student_id)
            .order_by(Course.code),
        ),
        "consents": _of(
            session, Consent, Consent.student_id == student_id, "note", "given_at", "withdrawn_at"
        ),
        "sessions": _rows(session, sessions),
        "stays": _rows(session, stays),
        "recognitions": _recognitions(session, student_id),
        "edits": _of(
            session,
            EditRow,
            EditRow.student_id == student_id,
            *("session_id", "status", "joined_at", "last_seen_at", "minutes", "made_at"),
        ),
        "verdicts": _of(
            session,
            JudgementRow,
            JudgementRow.student_id == student_id,
            *("session_id", "kind", "verdict", "made_at"),
        ),
        "excuses": _of(
            session,
            ExcuseRow,
            ExcuseRow.student_id == student_id,
            *("from_at", "until_at", "reason", "made_at", "withdrawn_at"),
        ),
        "disputes": [
            {
                "session": session_id,
                "text": one.text,
                "made_at": one.made_at,
                "state": one.state,
                "answer": one.answer,
                "answered_at": one.answered_at,
            }
            for session_id, one in every_dispute_of(session, student_id)
        ],
        "erasure_requests": _of(
            session,
            ErasureRow,
            ErasureRow.student_id == student_id,
            *("text", "asked_at", "outcome", "answer", "settled_at"),
        ),
        "faces": _of(
            session,
            FaceRow,
            FaceRow.student_id == student_id,
            *("face_id", "engine", "model", "photo", "photo_sha256", "quality", "indexed_at"),
        ),
        "photographs": _of(session, PhotoRow, PhotoRow.student_id == student_id, "id", "bytes", "added_at"),
        "changes": [
            {"at": one.at, "action": one.action, "by": _by(one.actor, student_id)}
            for one in changes_of(session, f"student:{student_id}", limit=MOST_CHANGES)
        ],
    }
    for face in tables["faces"]:
        # Where the file lay on the server is nobody's business.
        face["photo"] = PureWindowsPath(face["photo"]).name
    return OwnData({"student_no": student.student_no, "name": student.name, "email": student.email}, tables)


def _recognitions(session: Session, student_id: int) -> Rows:
    """Every time a face was compared and the student came out first or second. Whose face it was is not said."""
    naming = NamingRow
    query = (
        select(naming, LookRow.session_id, LookRow.taken_at)
        .join(LookRow, LookRow.id == naming.look_id)
        .where(or_(naming.student_id == student_id, naming.runner_up_id == student_id))
        .order_by(LookRow.taken_at)
    )
    found: Rows = []
    for row, session_id, taken_at in session.execute(query):
        first = row.student_id == student_id
        found.append(
            {
                "session": session_id,
                "at": taken_at,
                "place": "first" if first else "second",
                "verdict": row.verdict if first else None,
                "similarity_pct": row.similarity_pct if first else row.runner_up_pct,
                "threshold_pct": row.threshold_pct,
                "engine": row.engine,
                "model": row.model,
            }
        )
    return found


def _of(session: Session, model: type[Any], which: ColumnElement[bool], *fields: str) -> Rows:
    columns = [getattr(model, field) for field in fields]
    order = model.__mapper__.primary_key
    return _rows(session, select(*columns).where(and_(which)).order_by(*order), fields)


def _rows(session: Session, query: Any, names: Sequence[str] = ()) -> Rows:
    result = session.execute(query)
    keys = list(names) or list(result.keys())
    return [dict(zip(keys, row, strict=True)) for row in result]


def _by(actor: str, student_id: int) -> str:
    if actor == f"student:{student_id}":
        return "you"
    return "Gridroll" if actor == "system" else "staff"
