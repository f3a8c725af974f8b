"""The audit chain: every change that matters is a row that holds the hash of the row before it.

Whoever alters, removes or inserts a row breaks the chain from there on. Rows are collected while a transaction runs and
appended at its end, so that the chain's head, which all writers share, is held for as short a time as possible, and
nobody waits for a session while holding it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.errors import DatabaseError
from db.schema import AuditHead, AuditRow

__all__ = ["SYSTEM", "Change", "note", "row_hash", "seal"]

SYSTEM = "system"
"""Actor of what the machine does by itself."""

_PENDING = "gridroll_audit"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `before` and `after`: JSON objects, None for what was not there; ids and states, never anybody's name.

    `action`: noun and participle, as `entry.edited`. `subject`: what it is about, as `session:3/student:17`.
    """

    actor: str
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str


def note(
    session: Session,
    actor: str,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Put a change on record, together with all else that the writing transaction does. See `Change`."""
    pending: list[Change] = session.info.setdefault(_PENDING, [])
    pending.append(Change(actor, action, subject, before, after, reason))


def seal(session: Session) -> None:
    """Append what was noted to the chain. `Database.writing` calls this last of all.

    Raises DatabaseError where the head of the chain is gone.
    """
    pending: list[Change] = session.info.pop(_PENDING, [])
    if not pending:
        return
    session.flush()
    head = session.scalar(select(AuditHead).where(AuditHead.id == 1).with_for_update())
    if head is None:
        raise DatabaseError("the head of the audit chain is missing; restore the database from a backup")
    now, rows = datetime.now(UTC), []
    for change in pending:
        detail = canonical({"before": change.before, "after": change.after, "reason": change.reason})
        row: dict[str, Any] = {
            "seq": head.seq + 1,
            "at": now,
            "actor": change.actor,
            "action": change.action,
            "subject": change.subject,
            "detail": detail,
            "detail_sha256": hashlib.sha256(detail.encode()).hexdigest(),
            "prev": head.hash,
        }
        row["hash"] = row_hash(**{key: row[key] for key in row if key != "detail"})
        rows.append(row)
        head.seq, head.hash = row["seq"], row["hash"]
    session.execute(insert(AuditRow), rows)


def canonical(value: Mapping[str, Any]) -> str:
    """JSON that is the same for the same values: keys sorted, no spaces, times in ISO 8601 UTC."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def row_hash(
    seq: int, at: datetime, actor: str, action: str, subject: str, detail_sha256: str, prev: str
) -> str:
    """SHA-256, in hex, of a row's canonical JSON. The detail enters by its own hash."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [seq, moment, actor, action, subject, detail_sha256, prev]
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{value!r} has no place in the audit chain")
