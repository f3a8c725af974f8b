"""The queue of open reviews: of all sessions that somebody reaches, the oldest or the likeliest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, desc, func, select
from sqlalchemy.orm import Session, joinedload

from db.report import ReviewLine, review_lines
from db.schema import Course, LookRow, NamingRow, ReviewRow, SessionRow

__all__ = [
    "CANDIDATES",
    "PAGE",
    "Meeting",
    "OpenCount",
    "Queue",
    "QueueLine",
    "Wanted",
    "find_lines",
    "meetings_in_doubt",
    "open_counts",
    "queue_of",
]

PAGE = 50
"""Reviews on one page."""

CANDIDATES = 150
"""Likeness is compared among so many of the oldest: it has to be looked up for each of them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews, None for any. `certain`: those most alike to whom they suspect first, else the oldest."""

    course: str | None = None
    kind: str | None = None
    session_id: int | None = None
    certain: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A review with its session. `track`, `beside`: what it is about. `similarity_pct`: to whom it suspects, at best."""

    review: ReviewLine
    track: str
    beside: str | None
    student_ids: tuple[int, ...]
    session_id: int
    title: str
    course: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    similarity_pct: float | None


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue. `total`: how many open reviews there are; 0 also behind the last page."""

    lines: tuple[QueueLine, ...]
    total: int


@dataclass(frozen=True, slots=True)
class OpenCount:
    course: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """A session with open reviews."""

    id: int
    title: str
    starts_at: datetime
    time_zone: str
    count: int


def queue_of(session: Session, courses: Collection[int] | None, wanted: Wanted) -> Queue:
    """A page of open reviews in these courses; None: in all."""
    row = ReviewRow
    query = select(row.id.label("id"), func.count().over().label("total"))
    query = query.join(SessionRow, SessionRow.id == row.session_id)
    query = query.where(row.state == "open", *_reach(courses))
    if wanted.course is not None:
        query = query.join(Course, Course.id == SessionRow.course_id).where(Course.code == wanted.course)
    if wanted.kind is not None:
        query = query.where(row.kind == wanted.kind)
    if wanted.session_id is not None:
        query = query.where(row.session_id == wanted.session_id)
    query = query.order_by(row.at, row.id)
    past = PAGE * (wanted.page - 1)
    if not wanted.certain:
        ids = query.limit(PAGE).offset(past).subquery()
        page = _lines_query(ids.c.total).join(ids, ids.c.id == row.id).order_by(row.at, row.id)
    else:
        ids = query.limit(CANDIDATES).subquery()
        page = _lines_query(ids.c.total).join(ids, ids.c.id == row.id)
        # Both databases put what has no likeness last when they count down.
        page = page.order_by(desc("similarity"), row.at, row.id).limit(PAGE).offset(past)
    found = session.execute(page).all()
    return Queue(_lines(session, found), found[0].total if found else 0)


def find_lines(
    session: Session, review_ids: Collection[int], courses: Collection[int] | None
) -> dict[int, QueueLine]:
    """Those of these reviews, open and settled, that are there and in these courses; None: in any."""
    if not review_ids:
        return {}
    query = _lines_query().where(ReviewRow.id.in_(review_ids), *_reach(courses))
    lines = _lines(session, session.execute(query.order_by(ReviewRow.at, ReviewRow.id)).all())
    return {line.review.id: line for line in lines}


def open_counts(session: Session, courses: Collection[int] | None) -> list[OpenCount]:
    """How many reviews are open, by course and kind."""
    query = (
        select(Course.code, ReviewRow.kind, func.count())
        .join(SessionRow, SessionRow.id == ReviewRow.session_id)
        .join(Course, Course.id == SessionRow.course_id)
        .where(ReviewRow.state == "open", *_reach(courses))
        .group_by(Course.code, ReviewRow.kind)
        .order_by(Course.code, ReviewRow.kind)
    )
    return [OpenCount(code, kind, count) for code, kind, count in session.execute(query)]


def meetings_in_doubt(
    session: Session, courses: Collection[int] | None, course: str, limit: int = 100
) -> list[Meeting]:
    """The sessions of a course that have open reviews, oldest first."""
    query = (
        select(SessionRow.id, SessionRow.title, SessionRow.starts_at, Course.time_zone, func.count())
        .join(ReviewRow, ReviewRow.session_id == SessionRow.id)
        .join(Course, Course.id == SessionRow.course_id)
        .where(ReviewRow.state == "open", Course.code == course, *_reach(courses))
        .group_by(SessionRow.id, SessionRow.title, SessionRow.starts_at, Course.time_zone)
        .order_by(SessionRow.starts_at, SessionRow.id)
        .limit(limit)
    )
    return [Meeting(*found) for found in session.execute(query).all()]


def _reach(courses: Collection[int] | None) -> list[ColumnElement[bool]]:
    return [] if courses is None else [SessionRow.course_id.in_(courses)]


def _similarity() -> ScalarSelect[float | None]:
    """How much the face of a review resembled whom it suspects, at best."""
    return (
        select(func.max(NamingRow.similarity_pct))
        .join(LookRow, LookRow.id == NamingRow.look_id)
        .where(
            LookRow.session_id == ReviewRow.session_id,
            NamingRow.track == ReviewRow.subject,
            NamingRow.student_id == ReviewRow.student_id,
        )
        .correlate(ReviewRow)
        .scalar_subquery()
    )


def _lines_query(*more: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    people = (ReviewRow.student, ReviewRow.rival, ReviewRow.settled_student)
    return (
        select(ReviewRow, SessionRow, _similarity().label("similarity"))
        .add_columns(*more)
        .join(SessionRow, SessionRow.id == ReviewRow.session_id)
        .options(*(joinedload(one) for one in people), joinedload(SessionRow.course))
    )


def _lines(session: Session, found: Collection[Row[*tuple[Any, ...]]]) -> tuple[QueueLine, ...]:
    reviews = review_lines(session, [one[0] for one in found])
    return tuple(
        QueueLine(
            review=review,
            track=row.subject,
            beside=row.beside,
            student_ids=tuple(one for one in (row.student_id, row.rival_id) if one is not None),
            session_id=meeting.id,
            title=meeting.title,
            course=meeting.course.code,
            time_zone=meeting.course.time_zone,
            starts_at=meeting.starts_at,
            ends_at=meeting.ends_at,
            similarity_pct=similarity,
        )
        for review, (row, meeting, similarity, *_) in zip(reviews, found, strict=True)
    )
