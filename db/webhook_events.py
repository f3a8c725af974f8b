"""What webhooks are told: read from the audit chain, row by row, and from the clock.

The chain has a row for every change, in the transaction of the change, in the order of the commits and without gaps. So
nothing that writes to the ledger needs to know of webhooks, and none can be forgotten.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import ColumnElement, and_, func, select, tuple_, update
from sqlalchemy.orm import Session

from db.schema import (
    AttendanceRow,
    AuditHead,
    AuditRow,
    Course,
    DeliveryRow,
    DueRow,
    SessionRow,
    Student,
    User,
    WebhookRow,
)
from db.upsert import upsert
from db.webhooks import WAITING

__all__ = ["body_of", "renumber_told", "sessions_ended", "tell_changes", "tell_ended", "webhooks_behind"]

MOST_ROWS = 500
"""Rows of the chain that are read at once."""

TOLD_LATE = timedelta(hours=24)
"""How long after its end a session is still told of: a portal may have been stopped meanwhile."""

LONGEST_SESSION = timedelta(hours=24)

ACTIONS = {
    "entry.edited": "entry.changed",
    "ledger.folded": "entry.changed",
    "review.opened": "review.opened",
    "review.reopened": "review.opened",
    "review.settled": "review.settled",
}
SUBJECT = re.compile(r"session:(\d+)(?:/(student|review):(\d+))?")


@dataclass(slots=True)
class _Happened:
    """An event before it is put into words. `students`: whose entries changed, by id."""

    event: str
    seq: int
    at: datetime
    by: str
    session_id: int
    students: set[int] = field(default_factory=set)
    review: Mapping[str, Any] = field(default_factory=dict)


def webhooks_behind(session: Session) -> list[int]:
    """The webhooks that something happened for, maybe. Whose user was deactivated is told nothing."""
    head = select(AuditHead.seq).where(AuditHead.id == 1).scalar_subquery()
    query = select(WebhookRow.id).join(User).where(_lives(), WebhookRow.told_seq != head)
    return list(session.scalars(query))


def tell_changes(session: Session, webhook_id: int, now: datetime) -> bool:
    """Put what happened since into messages for a webhook. Returns whether there may be more.

    Of two portals that do so at once, one does it and the other's work is for nothing.
    """
    hook = session.get(WebhookRow, webhook_id)
    head = session.scalar(select(AuditHead.seq).where(AuditHead.id == 1)) or 0
    if hook is None or hook.ended_at is not None or hook.told_seq == head:
        return False
    told = hook.told_seq
    # After a restore the chain may be shorter than what was told of it.
    until = min(told + MOST_ROWS, head) if told < head else head
    moved = session.execute(
        update(WebhookRow)
        .where(WebhookRow.id == webhook_id, WebhookRow.told_seq == told)
        .values(told_seq=until)
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount or until <= told:  # type: ignore[attr-defined]
        return until < head
    rows = session.scalars(
        select(AuditRow)
        .where(AuditRow.seq > told, AuditRow.seq <= until, AuditRow.action.in_(ACTIONS))
        .order_by(AuditRow.seq)
    ).all()
    wanted = frozenset(hook.events.split())
    happened = [one for one in _happened(rows) if one.event in wanted]
    _store(session, hook, happened, now)
    return until < head


def tell_ended(session: Session, now: datetime) -> None:
    """Put the sessions that ended lately into messages, once each, when their ledgers are up to date."""
    upsert(session, DeliveryRow, sessions_ended(session, now), ["uid"])


def sessions_ended(session: Session, now: datetime) -> list[dict[str, Any]]:
    """The messages about ended sessions that are not on record yet."""
    hooks = [
        hook
        for hook in session.scalars(select(WebhookRow).join(User).where(_lives()))
        if "session.ended" in hook.events.split()
    ]
    if not hooks:
        return []
    since = now - TOLD_LATE
    meetings = session.execute(
        select(SessionRow, Course.code)
        .join(Course, Course.id == SessionRow.course_id)
        .outerjoin(DueRow, DueRow.session_id == SessionRow.id)
        .where(
            SessionRow.starts_at > since - LONGEST_SESSION,
            SessionRow.ends_at > since,
            SessionRow.ends_at <= now,
            DueRow.session_id.is_(None),
        )
        .order_by(SessionRow.ends_at)
    ).all()
    fresh = []
    for hook in hooks:
        for row, code in meetings:
            if hook.course_id in {None, row.course_id} and row.ends_at > hook.made_at:
                uid = _uid(hook.id, f"session/{row.id}/{row.ends_at.isoformat()}")
                data = {
                    **_session(row, code),
                    "starts_at": _text(row.starts_at),
                    "ends_at": _text(row.ends_at),
                }
                fresh.append(
                    _row(hook.id, uid, "session.ended", body_of(uid, "session.ended", row.ends_at, data), now)
                )
    uids = [one["uid"] for one in fresh]
    held: set[str] = set()
    for start in range(0, len(uids), 400):
        query = select(DeliveryRow.uid).where(DeliveryRow.uid.in_(uids[start : start + 400]))
        held |= set(session.scalars(query))
    return [one for one in fresh if one["uid"] not in held]


def _lives() -> ColumnElement[bool]:
    return and_(WebhookRow.ended_at.is_(None), User.active.is_(True))


def body_of(uid: str, event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """A message as it is sent and signed."""
    return json.dumps({"id": uid, "event": event, "at": _text(at), "data": data}, ensure_ascii=False)


def renumber_told(session: Session, old: str, new: str) -> int:
    """Write another number into the messages that hold a student's, whether sent or not; returns how many there were."""
    query = select(DeliveryRow).where(func.instr(DeliveryRow.body, json.dumps(old, ensure_ascii=False)) > 0)
    count = 0
    for row in session.scalars(query).all():
        body = json.loads(row.body)
        entries = [one for one in body.get("data", {}).get("entries", ()) if one["student_no"] == old]
        for one in entries:
            one["student_no"] = new
        if entries:
            row.body = json.dumps(body, ensure_ascii=False)
            count += 1
    session.flush()
    return count


def _happened(rows: Sequence[AuditRow]) -> list[_Happened]:
    """What these rows tell of. Entries that changed in one transaction, by an edit and by folding, are one event."""
    found: list[_Happened] = []
    changed: dict[tuple[int, datetime], _Happened] = {}
    for row in rows:
        match = SUBJECT.fullmatch(row.subject)
        if match is None:
            continue
        session_id, key = int(match[1]), int(match[3] or 0)
        detail = json.loads(row.detail)
        after = detail.get("after") or {}
        event = ACTIONS[row.action]
        if event != "entry.changed":
            review = {"review_id": key, "kind": after.get("kind"), "state": after.get("state")}
            found.append(_Happened(event, row.seq, row.at, row.actor, session_id, review=review))
            continue
        one = changed.get((session_id, row.at))
        if one is None:
            one = changed[session_id, row.at] = _Happened(event, row.seq, row.at, row.actor, session_id)
            found.append(one)
        if row.action == "entry.edited":
            one.by = row.actor
            one.students.add(key)
        else:
            one.students |= {int(student) for student in after}
    return found


def _store(session: Session, hook: WebhookRow, happened: Collection[_Happened], now: datetime) -> None:
    if not happened:
        return
    meetings = {
        row.id: (row, code)
        for row, code in session.execute(
            select(SessionRow, Course.code)
            .join(Course, Course.id == SessionRow.course_id)
            .where(SessionRow.id.in_({one.session_id for one in happened}))
        )
    }
    pairs = {(one.session_id, student) for one in happened for student in one.students}
    entries = _entries(session, pairs)
    fresh = []
    for one in happened:
        row, code = meetings.get(one.session_id, (None, ""))
        if row is None or hook.course_id not in {None, row.course_id}:
            continue
        data: dict[str, Any] = {**_session(row, code), "by": one.by, **one.review}
        if one.event == "entry.changed":
            data["entries"] = [
                entries[one.session_id, student]
                for student in sorted(one.students)
                if (one.session_id, student) in entries
            ]
        uid = _uid(hook.id, f"audit/{one.seq}")
        fresh.append(_row(hook.id, uid, one.event, body_of(uid, one.event, one.at, data), now))
    upsert(session, DeliveryRow, fresh, ["uid"])


def _entries(session: Session, pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    """The entries as they are now, by session and student id. Numbers, never names: a message may be kept for long."""
    row, found = AttendanceRow, {}
    keys = sorted(pairs)
    columns = (row.session_id, row.student_id, Student.student_no, row.status, row.source, row.version)
    for start in range(0, len(keys), 400):
        query = (
            select(*columns)
            .join(Student, Student.id == row.student_id)
            .where(tuple_(row.session_id, row.student_id).in_(keys[start : start + 400]))
        )
        for session_id, student_id, number, status, source, version in session.execute(query):
            told = {"student_no": number, "status": status, "source": source, "version": version}
            found[session_id, student_id] = told
    return found


def _session(row: SessionRow, code: str) -> dict[str, Any]:
    return {"session_id": row.id, "course": code, "title": row.title}


def _row(webhook_id: int, uid: str, event: str, body: str, now: datetime) -> dict[str, Any]:
    return {
        "webhook_id": webhook_id,
        "uid": uid,
        "event": event,
        "body": body,
        "state": WAITING,
        "attempts": 0,
        "made_at": now,
        "next_at": now,
    }


def _uid(webhook_id: int, what: str) -> str:
    """The same for the same event, whoever puts it into words and however often."""
    return str(uuid5(NAMESPACE_URL, f"gridroll/webhook/{webhook_id}/{what}"))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
