"""Changes of the settings: noted when a program that takes attendance or keeps records starts with others than the last."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import note
from db.database import Database
from db.schema import AuditRow
from db.settings import Settings

__all__ = ["note_settings", "shown_settings", "shown_value"]

SUBJECT = "settings"
ELSEWHERE = frozenset({"home", "portal_host", "portal_port"})
"""Where a program runs, which differs by machine and changes nobody's attendance."""

SECRET = re.compile(r"(^|_)(keys?|password|secret|token)(_|$)")


def note_settings(database: Database, settings: Settings, actor: str) -> None:
    """Put on the chain in what the settings differ from those noted last. Safe to repeat."""
    with database.reading() as session:
        if _known(session) == shown_settings(settings):
            return
    with database.writing() as session:
        known, now = _known(session), shown_settings(settings)
        alike = {key for key in known.keys() & now.keys() if known[key] == now[key]}
        if changed := (known.keys() | now.keys()) - alike:
            before = {key: known.get(key) for key in changed} if known else None
            note(session, actor, "settings.changed", SUBJECT, before, {key: now.get(key) for key in changed})


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values. Of a secret only whether it is set, of an address no user, password or parameter."""
    values = settings.model_dump(mode="json", exclude=set(ELSEWHERE))
    return {key: shown_value(key, value) for key, value in values.items()}


def shown_value(key: str, value: Any) -> Any:
    """One of them."""
    if SECRET.search(key):
        return "set" if value else ""
    if key.endswith("_url") and isinstance(value, str):
        return _address(value)
    return value


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "set" if url else ""
    if not parts.scheme:
        return url.partition("?")[0].rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _known(session: Session) -> dict[str, Any]:
    """The settings as the chain has them; empty where it has none."""
    known: dict[str, Any] = {}
    query = select(AuditRow.detail).where(AuditRow.subject == SUBJECT).order_by(AuditRow.seq)
    for detail in session.scalars(query):
        known |= json.loads(detail)["after"]
    return {key: value for key, value in known.items() if value is not None or key in Settings.model_fields}
