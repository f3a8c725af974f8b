"""Where in the queue somebody is: the filter, the order and the page, as addresses and forms carry them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.queue import CANDIDATES, PAGE, Wanted

__all__ = ["Place", "number_of", "place_of"]

LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """`course`, `kind`: empty for all. `order`: `oldest` or `certain`."""

    course: str = ""
    kind: str = ""
    session: int | None = None
    order: str = "oldest"
    page: int = 1

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            self.course or None, self.kind or None, self.session, self.order == "certain", self.page
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.course or self.kind or self.session)

    def query(self, **more: str | int | None) -> dict[str, Any]:
        """For `url_for`, and for the hidden fields of forms; what goes without saying is left out."""
        own = {
            "course": self.course or None,
            "kind": self.kind or None,
            "session": self.session,
            "order": None if self.order == "oldest" else self.order,
            "page": None if self.page == 1 else self.page,
        }
        return {name: value for name, value in (own | more).items() if value is not None}

    def pages(self, total: int) -> int:
        """How many there are, at least one."""
        reachable = min(total, CANDIDATES) if self.order == "certain" else total
        return max(1, -(-reachable // PAGE))


def place_of(given: Mapping[str, str]) -> Place:
    """What cannot be is as if it had not been given: an address that somebody cut short still leads to the queue."""
    return Place(
        course=given.get("course", ""),
        kind=given.get("kind", ""),
        session=number_of(given, "session"),
        order="certain" if given.get("order") == "certain" else "oldest",
        page=min(number_of(given, "page") or 1, 100_000),
    )


def number_of(given: Mapping[str, str], name: str) -> int | None:
    """A number from 1 that the ledger can hold; None for anything else."""
    text = given.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    return int(text) if 0 < int(text) <= LARGEST else None
