"""What the portal and the agents ask the ledger, timed as a whole and statement by statement."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from bench.school import Meeting, School
from db.accounts import find_sign_in
from db.budget import Budget, allowance
from db.costs import month_costs, session_costs
from db.database import Database
from db.due import due_sessions
from db.judgements import known_faces
from db.looks import find_look, tracks_before
from db.own_record import courses_of, own_marks
from db.people import cached_faces, indexed_faces, roster_of
from db.report import own_entries, session_report
from db.session_list import list_sessions
from db.sessions import find_session
from db.term import term_report

__all__ = ["Question", "Timed", "own_record", "questions", "timed", "watching"]

RUNS = 15
PRICE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Question:
    """Something asked of the ledger. `limit_ms`: what it may take on MariaDB, None for what has no limit of its own."""

    name: str
    ask: Callable[[Session], object]
    limit_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds, medians: all of it with the objects made of the rows, and each statement until its rows were there.

    `processor_ms`: of this program, not of a server. SQLite finds rows as they are read, so its statements say little.
    """

    name: str
    total_ms: float
    processor_ms: float
    limit_ms: float | None
    statements: tuple[tuple[str, float], ...]

    @property
    def statements_ms(self) -> float:
        return sum(spent for _, spent in self.statements)

    @property
    def holds(self) -> bool:
        return self.limit_ms is None or self.total_ms < self.limit_ms


def questions(school: School, held: Sequence[Meeting]) -> list[Question]:
    """The busiest ones. `held`: sessions that were looked at."""
    large = next(one for one in reversed(held) if len(one.roster) == max(len(any_.roster) for any_ in held))
    small = next(one for one in reversed(held) if len(one.roster) < len(large.roster))
    now = small.starts_at + timedelta(days=400)
    return [
        Question("session page, class of 300", lambda reading: _page(reading, large.session_id), 50),
        Question("session page, class of 30", lambda reading: _page(reading, small.session_id), 50),
        Question("term report, 300 students", lambda reading: term_report(reading, school.large, now), 1000),
        Question("list of sessions", lambda reading: list_sessions(reading, now)),
        Question("student's page", lambda reading: own_record(reading, school.student_id)),
        Question("sign-in", lambda reading: _sign_in(reading, school.token_hash)),
        Question("what a look asks, class of 30", lambda reading: _before_a_look(reading, small)),
        Question("costs of a month", lambda reading: month_costs(reading, "2026-10", "USD", PRICE)),
    ]


def own_record(reading: Session, student_id: int) -> None:
    """What a student's own page asks."""
    marks = own_marks(reading, student_id)
    courses_of(reading, student_id)
    own_entries(reading, student_id, [mark.session_id for mark in marks[:20]], "", "")


def timed(database: Database, question: Question, runs: int = RUNS) -> Timed:
    """Ask so many times, after once to warm up."""
    totals, processor, statements = [], [], defaultdict[int, list[float]](list)
    texts: list[str] = []
    for run in range(runs + 1):
        with watching(database) as seen:
            begun, used = time.perf_counter(), time.process_time()
            with database.reading() as reading:
                question.ask(reading)
            spent, used = time.perf_counter() - begun, time.process_time() - used
        if not run:
            texts = [text for text, _, _ in seen]
            continue
        totals.append(spent * 1000)
        processor.append(used * 1000)
        for place, (_, _, spent_s) in enumerate(seen):
            statements[place].append(spent_s * 1000)
    each = tuple((text, median(statements[place])) for place, text in enumerate(texts))
    return Timed(question.name, median(totals), median(processor), question.limit_ms, each)


@contextmanager
def watching(database: Database) -> Iterator[list[tuple[str, Any, float]]]:
    """The statements that are run meanwhile, with their parameters and seconds."""
    seen: list[tuple[str, Any, float]] = []
    begun = [0.0]

    def before(*_: Any) -> None:
        begun[0] = time.perf_counter()

    def after(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters, time.perf_counter() - begun[0]))

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "after_cursor_execute", after)


def _page(reading: Session, session_id: int) -> None:
    """As the portal's page of a session asks, once no fold is due."""
    due_sessions(reading)
    session_report(reading, session_id)
    session_costs(reading, session_id, "USD", PRICE)
    allowance(reading, Budget("USD", Decimal(1), None), session_id)


def _sign_in(reading: Session, token_hash: str) -> None:
    assert find_sign_in(reading, token_hash, timedelta(days=1), timedelta(days=1)) is not None


def _before_a_look(reading: Session, meeting: Meeting) -> None:
    """As the recogniser asks at each look."""
    row = find_session(reading, meeting.session_id)
    students = roster_of(reading, row.course_id)
    faces = indexed_faces(reading, students.keys())
    cached_faces(reading, [face.face_id for face in faces])
    known_faces(reading, students.keys(), meeting.starts_at)
    tracks_before(reading, meeting.session_id, meeting.starts_at + timedelta(hours=1))
    find_look(reading, meeting.session_id, "no such look")
