"""Long lists, a page at a time."""

from dataclasses import dataclass

from flask import request, url_for

__all__ = ["Pager", "page_number"]

LARGEST = 10_000


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page of a list stands: lines `first` to `last` of `total`. `earlier`, `later`: page numbers, None at the ends."""

    first: int
    last: int
    total: int
    earlier: int | None
    later: int | None

    @classmethod
    def of(cls, number: int, per_page: int, total: int) -> "Pager":
        last = min(number * per_page, total)
        first = min((number - 1) * per_page + 1, last)
        # From beyond the end, back to the last page there is.
        earlier = min(number - 1, -(-total // per_page)) or None
        return cls(first, last, total, earlier, number + 1 if last < total else None)

    def url(self, number: int, anchor: str | None = None) -> str:
        """The address of another page of the same list."""
        assert request.endpoint is not None
        kept = {name: value for name, value in request.args.items() if name != "page" and value}
        named = {**kept, **(request.view_args or {}), "page": None if number == 1 else number}
        return url_for(request.endpoint, **named, _anchor=anchor)


def page_number() -> int:
    """Which page was asked for; the first one where that is no number."""
    text = request.args.get("page", "1")
    known = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST))
    return min(max(int(text), 1), LARGEST) if known else 1
