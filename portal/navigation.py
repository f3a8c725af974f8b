"""What stands at the top of each page: where a user's work is."""

from dataclasses import dataclass

from flask import current_app, request

from portal.sign_in import Viewer

__all__ = ["Place", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """`parts`: the blueprints whose pages are part of it, except for the endpoints `apart`."""

    words: str
    endpoint: str
    parts: tuple[str, ...]
    roles: frozenset[str]
    apart: frozenset[str] = frozenset()

    @property
    def is_here(self) -> bool:
        return request.blueprint in self.parts and request.endpoint not in self.apart


OFFICE = frozenset({"admin", "staff"})
STAFF = OFFICE | {"instructor"}
OWN_TOKENS = frozenset({"tokens.own", "tokens.new_own", "tokens.add_own", "tokens.revoke_own"})
PLACES = (
    Place("Today", "dashboard.page", ("dashboard",), STAFF),
    Place("Sessions", "sessions.listing", ("sessions", "entries", "looks"), STAFF),
    Place("Reviews", "queue.page", ("queue", "reviews"), STAFF),
    Place("Courses", "courses.listing", ("courses", "roster", "calendar"), STAFF),
    Place("Students", "students.listing", ("students", "faces", "pictures", "erasures"), STAFF),
    Place("Reports", "reports.page", ("reports",), STAFF),
    Place("History", "history.page", ("history",), STAFF),
    Place("Admin", "admin.page", ("admin", "users", "tokens", "webhooks"), frozenset({"admin"}), OWN_TOKENS),
    Place("My attendance", "me.page", ("me", "calendar"), frozenset({"student"})),
    Place("My data", "mine.page", ("mine",), frozenset({"student"})),
)


def places(viewer: Viewer) -> list[Place]:
    """Those that are open to the viewer."""
    known = current_app.view_functions
    return [place for place in PLACES if viewer.role in place.roles and place.endpoint in known]
