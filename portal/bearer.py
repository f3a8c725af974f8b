"""The program that sends a request: who it is by its token, and what that opens."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import g, request

from db.instructors import course_ids_of
from db.tokens import find_token, touch_token
from portal.desk import desk

__all__ = ["Bearer", "bearer", "hash_token", "new_token"]

PREFIX = "grl_"
"""What every token begins with, so that it is known for one wherever it turns up."""

LONGEST = 200
TOUCHED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bearer:
    """`courses`: the ids of those that the token reaches; None: all. `email`, `role`: of the user whose token it is."""

    token_id: int
    name: str
    scopes: frozenset[str]
    user_id: int
    email: str
    role: str
    courses: frozenset[int] | None


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """As 64 hex digits. A token is random and long: a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer() -> Bearer | None:
    """Whose token the request brings in `Authorization: Bearer`, read once per request; None: none that holds."""
    if "bearer" not in g:
        given = request.authorization
        brought = given is not None and given.type == "bearer" and given.token
        g.bearer = _load(given.token) if given is not None and given.token and brought else None
    found: Bearer | None = g.bearer
    return found


def _load(token: str) -> Bearer | None:
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        return None
    database, now = desk().database, desk().now()
    with database.reading() as reading:
        row = find_token(reading, hash_token(token), now)
        if row is None or row.user.role == "student":
            return None
        courses = course_ids_of(reading, row.user_id) if row.user.role == "instructor" else None
    if row.course_id is not None:
        courses = frozenset({row.course_id}) & (courses if courses is not None else {row.course_id})
    if row.last_used_at is None or now - row.last_used_at > TOUCHED_EVERY:
        token_id = row.id
        database.transact(lambda writing: touch_token(writing, token_id, now, TOUCHED_EVERY))
    user = row.user
    scopes = frozenset(row.scopes.split())
    return Bearer(row.id, row.name, scopes, user.id, user.email, user.role, courses)
