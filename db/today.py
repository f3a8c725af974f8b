"""What staff need at a glance: the sessions of today, what is open, and how far a new installation has come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from db.report import CAME, SessionLine
from db.schema import AttendanceRow, Course, Enrolment, FaceRow, LookRow, ReviewRow, SessionRow

__all__ = [
    "FirstSteps",
    "LastLook",
    "OpenReviews",
    "first_steps",
    "last_looks",
    "open_reviews",
    "sessions_today",
]

AROUND = timedelta(hours=38)
"""No time zone's today begins or ends further away, and no session lasts more than a day."""


@dataclass(frozen=True, slots=True)
class LastLook:
    """The newest look of a session. `looks`: how many there are; `usual_s`: seconds between two of them, None for one."""

    id: int
    taken_at: datetime
    headcount: int
    identified: int
    unknown: int
    reviewed: int
    looks: int
    usual_s: float | None


@dataclass(frozen=True, slots=True)
class OpenReviews:
    """Of one session."""

    session_id: int
    course: str
    title: str
    time_zone: str
    starts_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Whether there is anybody on a roster, a face, a session, and a look."""

    roster: bool
    faces: bool
    session: bool
    look: bool

    @property
    def are_done(self) -> bool:
        return self.roster and self.session and self.look


def sessions_today(
    session: Session, now: datetime, courses: Collection[int] | None = None
) -> list[SessionLine]:
    """Those that run, and those that begin today by their course's clock, in order of time; None: of all courses.

    `looks` is left at 0: see `last_looks`.
    """
    row, reviews = SessionRow, ReviewRow
    enrolled = select(func.count()).where(Enrolment.course_id == row.course_id).scalar_subquery()
    came = select(func.count()).where(AttendanceRow.session_id == row.id, AttendanceRow.status.in_(CAME))
    still_open = select(func.count()).where(reviews.session_id == row.id, reviews.state == "open")
    query = (
        select(
            *(row.id, Course.code, row.title, Course.time_zone, row.starts_at, row.ends_at),
            enrolled.label("students"),
            came.scalar_subquery().label("came"),
            still_open.scalar_subquery().label("open"),
        )
        .join(Course, Course.id == row.course_id)
        .where(row.starts_at > now - AROUND, row.starts_at < now + AROUND)
        .order_by(row.starts_at, row.id)
    )
    if courses is not None:
        query = query.where(row.course_id.in_(courses))
    found: Sequence[Any] = session.execute(query).all()
    return [
        SessionLine(
            *(one.id, one.code, one.title, one.time_zone, one.starts_at, one.ends_at),
            *(one.students, 0, one.came, one.open),
        )
        for one in found
        if one.starts_at <= now < one.ends_at or _is_today(one.starts_at, now, one.time_zone)
    ]


def last_looks(session: Session, session_ids: Collection[int]) -> dict[int, LastLook]:
    """The newest look of each of these sessions that has any."""
    look = LookRow
    newest = (
        select(
            look.session_id,
            func.max(look.taken_at).label("taken_at"),
            func.min(look.taken_at).label("first_at"),
            func.count().label("looks"),
        )
        .where(look.session_id.in_(session_ids))
        .group_by(look.session_id)
        .subquery()
    )
    query = (
        select(look, newest.c.first_at, newest.c.looks)
        .join(newest, and_(look.session_id == newest.c.session_id, look.taken_at == newest.c.taken_at))
        .order_by(look.uid)
    )
    return {
        row.session_id: LastLook(
            *(row.id, row.taken_at, row.headcount, row.identified, row.unknown, row.reviewed, looks),
            (row.taken_at - first_at).total_seconds() / (looks - 1) if looks > 1 else None,
        )
        for row, first_at, looks in session.execute(query)
    }


def open_reviews(
    session: Session, courses: Collection[int] | None = None, limit: int = 10
) -> tuple[list[OpenReviews], int]:
    """The newest sessions with open reviews, and how many are open in all sessions; None: of all courses."""
    row, count = SessionRow, func.count()
    query = (
        select(
            *(row.id, Course.code, row.title, Course.time_zone, row.starts_at, count.label("open")),
            func.sum(count).over().label("total"),
        )
        .select_from(ReviewRow)
        .join(row, row.id == ReviewRow.session_id)
        .join(Course, Course.id == row.course_id)
        .where(ReviewRow.state == "open")
        .group_by(row.id, Course.code, row.title, Course.time_zone, row.starts_at)
        .order_by(row.starts_at.desc(), row.id.desc())
        .limit(limit)
    )
    if courses is not None:
        query = query.where(row.course_id.in_(courses))
    found: Sequence[Any] = session.execute(query).all()
    return [OpenReviews(*one[:6]) for one in found], int(found[0].total) if found else 0


def first_steps(session: Session) -> FirstSteps:
    there = (Enrolment.id, FaceRow.face_id, SessionRow.id, LookRow.id)
    found: Any = session.execute(select(*(select(one).limit(1).exists() for one in there))).one()
    return FirstSteps(*map(bool, found))


def _is_today(moment: datetime, now: datetime, time_zone: str) -> bool:
    there = ZoneInfo(time_zone)
    return moment.astimezone(there).date() == now.astimezone(there).date()
