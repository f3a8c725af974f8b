"""Other programs that are told of events: who they are, and what was or is still to be sent to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM
from db.errors import GridrollError, NotFoundError
from db.proof import note_record
from db.schema import AuditHead, Course, DeliveryRow, User, WebhookRow

__all__ = [
    "DELIVERED",
    "EVENTS",
    "GIVEN_UP",
    "RETRY_AFTER",
    "WAITING",
    "Delivery",
    "add_delivery",
    "add_webhook",
    "claim_delivery",
    "count_deliveries",
    "drop_old_deliveries",
    "due_deliveries",
    "end_webhook",
    "finish_delivery",
    "last_deliveries",
    "list_webhooks",
    "send_again",
]

EVENTS = {
    "session.ended": "A session’s planned time is over",
    "entry.changed": "Entries changed, by the machine or by staff",
    "review.opened": "A doubt waits for staff",
    "review.settled": "Staff settled a doubt",
}
"""What a webhook may be told of, in words for people."""

TEST = "webhook.test"
WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given_up"

RETRY_AFTER = (
    *(timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15)),
    *(timedelta(hours=1), timedelta(hours=3), timedelta(hours=6), timedelta(hours=14)),
)
"""Pauses between attempts, a day together; after the last attempt a message is given up."""

LEASE = timedelta(seconds=60)
"""For how long whoever sends a message keeps it from others: longer than sending can take."""

KEPT = timedelta(days=30)
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to be sent now. `secret`: sealed; `attempts`: this one included."""

    id: int
    webhook_id: int
    url: str
    secret: str
    uid: str
    event: str
    body: str
    attempts: int


def add_webhook(
    session: Session,
    url: str,
    secret: str,
    events: Collection[str],
    user: User,
    now: datetime,
    course: Course | None = None,
    actor: str = SYSTEM,
) -> WebhookRow:
    """Tell a program of what happens from now on. `secret`: sealed. `course`: of that one only; None: of all.

    Raises GridrollError for events that are none, and for an address that is told of the same course already.
    """
    unknown = sorted(set(events) - EVENTS.keys())
    if unknown or not events:
        raise GridrollError(
            f"event {', '.join(unknown) or 'none'} cannot be; take some of {', '.join(EVENTS)}"
        )
    if len(url) > 500:
        raise GridrollError(f"the address has {len(url)} characters; at most 500 fit")
    course_id = None if course is None else course.id
    same = select(WebhookRow.id).where(WebhookRow.url == url, WebhookRow.ended_at.is_(None))
    same = same.where(WebhookRow.course_id.is_(None) if course is None else WebhookRow.course_id == course_id)
    if session.scalar(same) is not None:
        raise GridrollError(f"{url} is told of this already; end that webhook first, or take another address")
    head = session.scalar(select(AuditHead.seq).where(AuditHead.id == 1))
    row = WebhookRow(
        url=url,
        secret=secret,
        events=" ".join(event for event in EVENTS if event in events),
        user_id=user.id,
        course_id=course_id,
        made_at=now,
        told_seq=head or 0,
    )
    session.add(row)
    session.flush()
    note_record(session, actor, "webhook.added", row, None, {"events": row.events, "course": course_id})
    return row


def end_webhook(session: Session, webhook_id: int, now: datetime, actor: str = SYSTEM) -> bool:
    """Tell it nothing more, not even what waits. Returns False where it has ended. Raises NotFoundError."""
    row = session.get(WebhookRow, webhook_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"there is no webhook {webhook_id}")
    if row.ended_at is not None:
        return False
    row.ended_at = now
    session.flush()
    note_record(session, actor, "webhook.ended", row)
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.webhook_id == webhook_id, DeliveryRow.state == WAITING)
        .values(state=GIVEN_UP, ended_at=now, error="the webhook was ended")
    )
    return True


def list_webhooks(session: Session) -> Sequence[WebhookRow]:
    """Those that have not ended, the newest first, with their users and courses."""
    query = (
        select(WebhookRow)
        .options(joinedload(WebhookRow.user), joinedload(WebhookRow.course))
        .where(WebhookRow.ended_at.is_(None))
        .order_by(WebhookRow.id.desc())
    )
    return session.scalars(query).all()


def count_deliveries(session: Session) -> dict[int, dict[str, int]]:
    """How many messages of each state each webhook has."""
    counts: dict[int, dict[str, int]] = {}
    row = DeliveryRow
    query = select(row.webhook_id, row.state, func.count()).group_by(row.webhook_id, row.state)
    for webhook_id, state, count in session.execute(query):
        counts.setdefault(webhook_id, {})[state] = count
    return counts


def last_deliveries(session: Session, limit: int = 50) -> Sequence[DeliveryRow]:
    """The newest messages of all webhooks."""
    return session.scalars(select(DeliveryRow).order_by(DeliveryRow.id.desc()).limit(limit)).all()


def add_delivery(session: Session, webhook_id: int, event: str, body: str, uid: str, now: datetime) -> None:
    """Have a message sent. Raises NotFoundError for a webhook that is none or has ended."""
    row = session.get(WebhookRow, webhook_id)
    if row is None or row.ended_at is not None:
        raise NotFoundError(f"there is no webhook {webhook_id}, or it has ended")
    fresh = {"uid": uid or str(uuid4()), "event": event, "body": body, "state": WAITING, "attempts": 0}
    session.add(DeliveryRow(webhook_id=webhook_id, made_at=now, next_at=now, **fresh))
    session.flush()


def send_again(session: Session, delivery_id: int, now: datetime) -> int:
    """Have a message sent once more, and as often as a new one; returns its webhook. Raises NotFoundError."""
    row = session.get(DeliveryRow, delivery_id, with_for_update=True)
    hook = None if row is None else session.get(WebhookRow, row.webhook_id)
    if row is None or hook is None or hook.ended_at is not None:
        raise NotFoundError(f"there is no message {delivery_id}, or its webhook has ended")
    row.state, row.attempts, row.next_at, row.ended_at = WAITING, 0, now, None
    session.flush()
    return row.webhook_id


def due_deliveries(
    session: Session, now: datetime, per_webhook: int = 100
) -> dict[int, list[tuple[int, datetime]]]:
    """The messages to be sent now, by webhook and in their order: id, and since when, by which they are claimed.

    Of each webhook the oldest, `per_webhook` at most: however many wait for one, those of others are among them.
    """
    row = DeliveryRow
    place = func.row_number().over(partition_by=row.webhook_id, order_by=(row.next_at, row.id))
    waiting = (
        select(row.webhook_id, row.id, row.next_at, place.label("place"))
        .where(row.state == WAITING, row.next_at <= now)
        .subquery()
    )
    query = (
        select(waiting.c.webhook_id, waiting.c.id, waiting.c.next_at)
        .where(waiting.c.place <= per_webhook)
        .order_by(waiting.c.next_at, waiting.c.id)
    )
    due: dict[int, list[tuple[int, datetime]]] = {}
    for webhook_id, key, next_at in session.execute(query):
        due.setdefault(webhook_id, []).append((key, next_at))
    return due


def claim_delivery(session: Session, delivery_id: int, next_at: datetime, now: datetime) -> Delivery | None:
    """Take a message to be sent; None where another portal took it. Who dies over it leaves it to be sent again."""
    row = DeliveryRow
    taken = session.execute(
        update(row)
        .where(row.id == delivery_id, row.state == WAITING, row.next_at == next_at)
        .values(next_at=now + LEASE, attempts=row.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]
        return None
    found = session.execute(
        select(
            *(row.id, row.webhook_id, WebhookRow.url, WebhookRow.secret, row.uid, row.event, row.body),
            row.attempts,
        )
        .join(WebhookRow, WebhookRow.id == row.webhook_id)
        .where(row.id == delivery_id)
    ).one()
    return Delivery(*found)


def finish_delivery(
    session: Session, delivery: Delivery, now: datetime, status_code: int | None, error: str | None
) -> str:
    """Keep what came of an attempt; `error` None: it was taken. Returns the message's state from then on."""
    values: dict[str, object] = {"status_code": status_code, "error": error and error[:LONGEST_ERROR]}
    state = WAITING
    if error is None:
        state = DELIVERED
    elif delivery.attempts > len(RETRY_AFTER):
        state = GIVEN_UP
    else:
        values["next_at"] = now + RETRY_AFTER[delivery.attempts - 1]
    values |= {"state": state, "ended_at": None if state == WAITING else now}
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery.id, DeliveryRow.state == WAITING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return state


def drop_old_deliveries(session: Session, now: datetime) -> None:
    """Forget messages that were delivered or given up long ago."""
    row = DeliveryRow
    session.execute(
        delete(row).where(row.state != WAITING, row.next_at < now - KEPT, row.ended_at < now - KEPT)
    )
