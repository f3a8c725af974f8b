"""The audit chain for people: what was changed, by whom, when and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.schema import AuditRow

__all__ = ["Noted", "begins", "changes_of", "noted_of", "wording"]

UNREAD = frozenset({"digest", "uid"})
"""For machines: what a record is checked by."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A row of the chain. `before`, `after`: None for what was not there."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str
    hash: str


def changes_of(
    session: Session,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[Noted]:
    """The last changes, oldest first, at most `limit`.

    `subject`: of it and of all that belongs to it; one that ends in `:` or `/` is how subjects begin. `action`: one, or
    the noun of several.
    """
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
    if subject is not None:
        below = begins(AuditRow.subject, subject if subject.endswith((":", "/")) else f"{subject}/")
        query = query.where(or_(AuditRow.subject == subject, below))
    if actor is not None:
        query = query.where(AuditRow.actor == actor)
    if action is not None:
        query = query.where(or_(AuditRow.action == action, begins(AuditRow.action, f"{action}.")))
    if since is not None:
        query = query.where(AuditRow.at >= since)
    return [noted_of(row) for row in reversed(session.scalars(query).all())]


def wording(noted: Noted) -> str:
    """What changed in a line, as `status present → late`; empty where the action says it all."""
    before, after = noted.before or {}, noted.after or {}
    parts = []
    for key in sorted((before.keys() | after.keys()) - UNREAD):
        old, new = _shown(before.get(key)), _shown(after.get(key))
        what = f"student {key}" if key.isdecimal() else key  # an entry, by whose it is
        if key not in before:
            parts.append(f"{what} {new}")
        elif key not in after:
            parts.append(f"{what} {old} →" if noted.after is not None else f"{what} {old}")
        elif old != new:
            parts.append(f"{what} {old} → {new}")
    return ", ".join(parts)


def begins(column: Any, beginning: str) -> Any:
    """Whether a column's text begins so."""
    # A range of the index on both databases; LIKE is none on SQLite, where it also takes a for A.
    return column.between(beginning, beginning + "\U0010ffff")


def noted_of(row: AuditRow) -> Noted:
    try:
        detail = json.loads(row.detail)
        before, after, reason = detail["before"], detail["after"], detail["reason"]
    except (ValueError, TypeError, KeyError):  # 'gridroll audit verify' says so; this shows what can be shown
        before, after, reason = None, {"unreadable": row.detail}, ""
    return Noted(row.seq, row.at, row.actor, row.action, row.subject, before, after, reason, row.hash)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
