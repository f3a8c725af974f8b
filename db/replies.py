"""Requests that are sent twice are done once: whose turn it is to answer one, and what was answered."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from db.errors import GridrollError
from db.schema import ReplyRow
from db.upsert import upsert

__all__ = [
    "Claim",
    "LostClaimError",
    "Reply",
    "claim_reply",
    "drop_old_replies",
    "find_reply",
    "forget_replies",
    "give_back",
    "keep_reply",
    "reply_key",
]

KEPT = timedelta(hours=24)
"""For how long a request sent again gets the answer of the first one."""

LONGEST_TURN = timedelta(minutes=2)
"""After so long, whoever was to answer is taken for dead, and the next one may."""


class LostClaimError(GridrollError):
    """Whoever answers took so long that somebody else does by now."""

    transient = True


@dataclass(frozen=True, slots=True)
class Claim:
    """The turn to answer a request. `key`: 64 hex digits; `turn`: whose it is."""

    key: str
    turn: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request under this key was, and what it was answered. `status`: None: it is being answered."""

    request_sha256: str
    status: int | None
    body: str


def reply_key(token_id: int, key: str) -> str:
    """Keys are their token's own: two programs may choose the same."""
    return hashlib.sha256(f"{token_id}/{key}".encode()).hexdigest()


def claim_reply(session: Session, claim: Claim, request_sha256: str, now: datetime) -> Reply | None:
    """Take the turn to answer: None. Or learn what is or was answered under this key: of two at once, one has the turn."""
    key, turn = claim.key, claim.turn
    fresh = {"key_hash": key, "request_sha256": request_sha256, "body": turn, "made_at": now}
    upsert(session, ReplyRow, [fresh], ["key_hash"])
    row = session.scalars(select(ReplyRow).where(ReplyRow.key_hash == key).with_for_update()).one()
    outdated = row.made_at <= now - KEPT or (row.status is None and row.made_at <= now - LONGEST_TURN)
    if outdated:
        row.request_sha256, row.status, row.body, row.made_at = request_sha256, None, turn, now
    if row.status is None and row.body == turn:
        return None
    return Reply(row.request_sha256, row.status, row.body or "")


def find_reply(session: Session, claim: Claim) -> str | None:
    """What was answered in this very turn; None: nothing yet. Raises LostClaimError where the turn is somebody else's."""
    row = session.scalars(
        select(ReplyRow).where(ReplyRow.key_hash == claim.key).with_for_update()
    ).one_or_none()
    if row is None or (row.status is None and row.body != claim.turn):
        raise LostClaimError("the answer took too long and somebody else gives it; send the request again")
    return None if row.status is None else row.body or ""


def keep_reply(session: Session, claim: Claim, status: int, body: str) -> None:
    """Keep the answer, in the transaction that does what was asked: one is on record exactly where the other is."""
    session.execute(
        update(ReplyRow)
        .where(ReplyRow.key_hash == claim.key, ReplyRow.status.is_(None), ReplyRow.body == claim.turn)
        .values(status=status, body=body)
    )


def give_back(session: Session, claim: Claim) -> None:
    """Let the next request of this key be answered: nothing was done."""
    session.execute(
        delete(ReplyRow).where(
            ReplyRow.key_hash == claim.key, ReplyRow.status.is_(None), ReplyRow.body == claim.turn
        )
    )


def drop_old_replies(session: Session, now: datetime) -> None:
    session.execute(delete(ReplyRow).where(ReplyRow.made_at <= now - KEPT))


def forget_replies(session: Session, values: Collection[str]) -> int:
    """Drop the answers in which one of these texts stands as a value; returns how many there were."""
    told = {json.dumps(value, ensure_ascii=plain) for value in values if value for plain in (True, False)}
    if not told:
        return 0
    held = or_(*(func.instr(ReplyRow.body, one) > 0 for one in sorted(told)))
    # Found first: a deletion that has to look for its rows would lock them all.
    keys = session.scalars(select(ReplyRow.key_hash).where(held)).all()
    if keys:
        session.execute(delete(ReplyRow).where(ReplyRow.key_hash.in_(keys)))
    return len(keys)
