"""A month's costs as a page shows them: by course, and by session."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from db.budget import month_of
from db.costs import CostLine, Costs

__all__ = ["Bill", "bills_by_course", "bills_by_session", "month_after", "month_before", "month_words"]


@dataclass(frozen=True, slots=True)
class Bill:
    """What calls of one course or session cost. `session_id` and `course`: None for what no session asked for."""

    session_id: int | None
    course: str | None
    title: str | None
    calls: int
    failed: int
    billed: int
    refused: int
    price: Decimal


def bills_by_course(costs: Costs) -> list[Bill]:
    """The dearest first."""
    return _bills(costs.lines, by_session=False)


def bills_by_session(costs: Costs) -> list[Bill]:
    """The dearest first."""
    return _bills(costs.lines, by_session=True)


def _bills(lines: Sequence[CostLine], *, by_session: bool) -> list[Bill]:
    grouped: dict[tuple[str | None, int | None], list[CostLine]] = defaultdict(list)
    for line in lines:
        grouped[line.course, line.session_id if by_session else None].append(line)
    bills = [
        Bill(
            session_id,
            course,
            found[0].title if by_session else None,
            sum(line.calls for line in found),
            sum(line.failed for line in found),
            sum(line.billed for line in found),
            sum(line.refused for line in found),
            sum((line.price for line in found), Decimal(0)),
        )
        for (course, session_id), found in grouped.items()
    ]
    return sorted(bills, key=lambda bill: (-bill.price, bill.course or "", bill.session_id or 0))


def month_before(month: str) -> str:
    begins = date.fromisoformat(f"{month}-01")
    return f"{begins.year - (begins.month == 1):04}-{(begins.month + 10) % 12 + 1:02}"


def month_after(month: str, now: datetime) -> str | None:
    """None for the current month and later ones."""
    if month >= month_of(now):
        return None
    begins = date.fromisoformat(f"{month}-01")
    return f"{begins.year + (begins.month == 12):04}-{begins.month % 12 + 1:02}"


def month_words(month: str) -> str:
    """e.g. `November 2026`."""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"
