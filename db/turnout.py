"""How many came to a course: persons seen per day and per hour of the day, and what was detected in all."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, SQLColumnExpression, String, case, func, or_, select
from sqlalchemy.orm import Session

from db.lines import line_of_all
from db.people import find_course
from db.schema import AttendanceRow, IntervalRow, LookRow, SessionRow
from db.term import is_told

__all__ = ["Detections", "Turnout", "TurnoutDay", "TurnoutHour", "turnout_of"]

HOUR = timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)
WHOLE_HOUR = "2026-11-22 09:00"


@dataclass(frozen=True, slots=True)
class Detections:
    """What looks found: `heads` counted, `identified` of them, `reviewed` settled by staff. `searches`: faces compared."""

    looks: int = 0
    heads: int = 0
    identified: int = 0
    reviewed: int = 0
    searches: int = 0

    def __add__(self, other: "Detections") -> "Detections":
        return Detections(
            self.looks + other.looks,
            self.heads + other.heads,
            self.identified + other.identified,
            self.reviewed + other.reviewed,
            self.searches + other.searches,
        )


@dataclass(frozen=True, slots=True)
class TurnoutDay:
    """A day in the course's time zone. `persons`: different students seen on it."""

    on: date
    sessions: int
    persons: int
    detections: Detections


@dataclass(frozen=True, slots=True)
class TurnoutHour:
    """An hour of the day (0 to 23). `days` had class in it; `persons`: different students seen in it, those days added."""

    hour: int
    days: int
    persons: int

    @property
    def average(self) -> float:
        """Persons seen in this hour on a day that has class in it."""
        return self.persons / self.days if self.days else 0.0


@dataclass(frozen=True, slots=True)
class Turnout:
    """Days in order, of those that have a session; hours in order, of those that have class.

    A session that nobody looked at is not among them.
    """

    course: str
    title: str | None
    time_zone: str
    days: tuple[TurnoutDay, ...]
    hours: tuple[TurnoutHour, ...]

    @property
    def detections(self) -> Detections:
        return sum((day.detections for day in self.days), Detections())

    @property
    def sessions(self) -> int:
        return sum(day.sessions for day in self.days)


def turnout_of(
    session: Session,
    course_code: str,
    now: datetime,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> Turnout:
    """Of the sessions that begin from `from_at` on and before `until_at`; None: no limit. `now`: see `db.term.is_told`.

    A person was seen where a look recognised them; what staff wrote over an entry changes nothing here. The number of
    statements does not depend on how many there are. Raises NotFoundError for a course that is none.
    """
    course = find_course(session, course_code)
    zone = ZoneInfo(course.time_zone)
    row = SessionRow
    query = select(row.id, row.starts_at, row.ends_at).where(row.course_id == course.id, is_told(now))
    if from_at is not None:
        query = query.where(row.starts_at >= from_at)
    if until_at is not None:
        query = query.where(row.starts_at < until_at)
    meetings = session.execute(query.order_by(row.starts_at, row.id)).all()
    found = _detections(session, [one.id for one in meetings])
    seen_on: dict[date, set[str]] = defaultdict(set)
    seen_in: dict[tuple[date, int], set[str]] = defaultdict(set)
    for students, hours in _seen(session, meetings, zone):
        for on, hour in hours:
            seen_on[on] |= students
            seen_in[on, hour] |= students
    held: dict[date, list[Detections]] = defaultdict(list)
    taught: dict[int, set[date]] = defaultdict(set)
    for one in meetings:
        # Where nobody looked, none can have been seen: such a session would only thin out the others.
        if one.id not in found:
            continue
        held[one.starts_at.astimezone(zone).date()].append(found[one.id])
        for on, hour in _hours(one.starts_at, one.ends_at, zone, closed=False):
            taught[hour].add(on)
    for on, hour in seen_in:
        taught[hour].add(on)
    return Turnout(
        course.code,
        course.title,
        course.time_zone,
        tuple(
            TurnoutDay(on, len(held[on]), len(seen_on[on]), sum(held[on], Detections()))
            for on in sorted(held.keys() | seen_on.keys())
        ),
        tuple(
            TurnoutHour(hour, len(days), sum(len(seen_in.get((on, hour), ())) for on in days))
            for hour, days in sorted(taught.items())
        ),
    )


def _hours(
    begins: datetime, ends: datetime, zone: ZoneInfo, *, closed: bool = True
) -> Iterator[tuple[date, int]]:
    """The days and hours of the zone's clock that a span touches. `closed`: its end belongs to it."""
    moment = begins.astimezone(zone)
    while True:
        yield moment.date(), moment.hour
        # Counted in UTC: a clock that is set back shows an hour twice.
        moment = (moment.replace(minute=0, second=0, microsecond=0).astimezone(UTC) + HOUR).astimezone(zone)
        if moment > ends or (moment == ends and not closed):
            return


def _detections(session: Session, ids: Sequence[int]) -> dict[int, Detections]:
    row = LookRow
    columns = (
        *(row.session_id, func.count(), func.sum(row.headcount), func.sum(row.identified)),
        *(func.sum(row.reviewed), func.sum(row.searches)),
    )
    query = select(*columns).where(row.session_id.in_(ids)).group_by(row.session_id)
    return {key: Detections(*map(int, sums)) for key, *sums in session.execute(query)}


def _seen(
    session: Session, meetings: Sequence[Row[int, datetime, datetime]], zone: ZoneInfo
) -> Iterator[tuple[set[str], Collection[tuple[date, int]]]]:
    """Students, and the days and hours in which looks recognised them; as often as need be."""
    entry, stay = AttendanceRow, IntervalRow
    hours_of = _Hours(zone)
    exact = _exactness(zone, [moment for _, *both in meetings for moment in both])
    by_staff = entry.source == "staff"
    written, long = set(), set()
    joined_at = case((by_staff, None), else_=entry.joined_at)
    first_and_last = _spans(joined_at, entry.last_seen_at, exact, func.max(case((by_staff, 1), else_=0)))
    for session_id, first, last, line, has_staff in session.execute(
        first_and_last.where(entry.session_id.in_([one.id for one in meetings]))
    ):
        if first is None:  # by staff, or not seen at all
            written |= {session_id} if has_staff else set()
            continue
        hours = hours_of[first, last]
        if len(hours) <= 2:
            yield set(line.split(",")), hours
        else:  # somebody may have been away for the whole of an hour between
            long.add(session_id)
    if not (written or long):
        return
    stays = (
        _spans(stay.seen_from, stay.seen_to, exact)
        .join(stay, stay.attendance_id == entry.id)
        .where(entry.session_id.in_(written | long), or_(by_staff, entry.session_id.in_(long)))
    )
    for _, first, last, line in session.execute(stays):
        yield set(line.split(",")), hours_of[first, last]


def _exactness(zone: ZoneInfo, moments: Iterable[datetime]) -> str:
    """A moment in UTC, written no more exactly than hours of the zone's clock take: so that many of a class's are alike."""
    offsets = {moment.astimezone(zone).utcoffset() or timedelta(0) for moment in moments}
    for step, written in ((HOUR, "2026-11-22 09"), (TEN_MINUTES, "2026-11-22 09:1")):
        if not any(offset % step for offset in offsets):
            return written
    return "2026-11-22 09:15"


def _spans(
    begins: SQLColumnExpression[Any],
    ends: SQLColumnExpression[Any],
    exact: str,
    *others: SQLColumnExpression[Any],
) -> Select[*tuple[Any, ...]]:
    """Sessions, from when until when, who has that in common in one line, and `others`."""
    entry = AttendanceRow
    first, last = (func.substr(at, 1, len(exact), type_=String()) for at in (begins, ends))
    # Of as many rows as a course has in a term, the driver alone would take most of a page's time.
    line = line_of_all(entry.student_id, separator=",")
    return select(entry.session_id, first, last, line, *others).group_by(entry.session_id, first, last)


class _Hours(dict[tuple[str, str], tuple[tuple[date, int], ...]]):
    """The days and hours of the zone's clock from one moment in UTC, as `_spans` tells it, to another; both belong to it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __missing__(self, span: tuple[str, str]) -> tuple[tuple[date, int], ...]:
        begins, ends = (datetime.fromisoformat(f"{text}{WHOLE_HOUR[len(text) :]}+00:00") for text in span)
        self[span] = found = tuple(_hours(begins, ends, self._zone))
        return found
