"""The key figures of a session, and of a student's record."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from db.report import SessionLine, SessionReport, StudentLine
from portal.wording import STATUSES

__all__ = ["Figures", "Share", "figures", "is_running", "share"]

CAME = frozenset({"present", "late", "left_early"})
OPEN_ENDED = frozenset({"excused", "unverified"})


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of one session.

    `statuses`: students by status, in the order of `STATUSES`, statuses of nobody included. `balanced`: looks where
    every head has a name or was settled by staff. `searches`: faces sent to recognition, `paid` those a provider bills, `heads` what naming
    every head at every look would have sent.
    """

    statuses: Mapping[str, int]
    students: int
    looks: int
    balanced: int
    searches: int
    paid: int
    heads: int
    open_reviews: int

    @property
    def saved(self) -> float | None:
        """Share of the faces that recognition was spared, 0 to 1; None where there was none to spare."""
        return None if not self.heads else max(0.0, 1 - self.searches / self.heads)


@dataclass(frozen=True, slots=True)
class Share:
    """`attended` of `counted` sessions; excused, unverified and running ones are not counted."""

    attended: int
    counted: int

    @property
    def value(self) -> float | None:
        return self.attended / self.counted if self.counted else None


def figures(report: SessionReport) -> Figures:
    found = Counter(student.status for student in report.students)
    return Figures(
        statuses={word: found[word] for word in (*STATUSES, *sorted(found.keys() - STATUSES.keys()))},
        students=len(report.students),
        looks=len(report.looks),
        balanced=sum(look.is_verified for look in report.looks),
        searches=sum(look.searches for look in report.looks),
        paid=sum(look.paid for look in report.looks),
        heads=sum(look.headcount for look in report.looks),
        open_reviews=sum(review.state == "open" for review in report.reviews),
    )


def share(record: Iterable[tuple[SessionLine, StudentLine]], now: datetime) -> Share:
    counted = [
        entry.status in CAME
        for session, entry in record
        if entry.status not in OPEN_ENDED and not is_running(session, now)
    ]
    return Share(sum(counted), len(counted))


def is_running(session: SessionLine, now: datetime) -> bool:
    return session.starts_at <= now < session.ends_at
