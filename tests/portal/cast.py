"""The people, looks and passwords of the portal's tests."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from db.accounts import add_user
from db.database import Database
from db.instructors import add_instructor
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import RosterLine, enrol, make_course
from db.schema import FaceRow, SessionRow, Student
from db.sessions import start_session
from db.timetable import NewSlot, add_slot
from portal.passwords import hash_password

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
ADMIN, STAFF = "admin@example.edu", "stella@example.edu"
INSTRUCTOR, OTHER_INSTRUCTOR = "ines@example.edu", "otto@example.edu"
STUDENT_A, STUDENT_B = "ada@example.edu", "ben@example.edu"
COURSE, OTHER_COURSE = "MATH-101", "CHEM-7"
ZONE = "Europe/Berlin"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Nine o'clock in Berlin, in winter."""

LATER = datetime(2027, 3, 1, tzinfo=UTC)
MONDAYS = NewSlot(0, "09:00", 45, "2026-03-02", "2026-06-29")
"""A timetable that plans nothing any more."""


class Seen(NamedTuple):
    """One look of a script: minutes after the start, and track → student id, None for a face nobody knows."""

    minute: float
    heads: Mapping[str, int | None]
    similarity_pct: Mapping[str, float] = {}


def roster_line(number: str, name: str, email: str) -> RosterLine:
    return RosterLine(number, name, email, "", "")


def add_accounts(writing: Session, *students: str) -> None:
    """Admin, staff, an instructor of the course and one of another, and an account for each of these students."""
    add_user(writing, ADMIN, "admin", PASSWORD_HASH)
    add_user(writing, STAFF, "staff", PASSWORD_HASH)
    for course, email in ((COURSE, INSTRUCTOR), (OTHER_COURSE, OTHER_INSTRUCTOR)):
        user = add_user(writing, email, "instructor", PASSWORD_HASH)
        add_instructor(writing, make_course(writing, course, ZONE), user)
    for email in students:
        add_user(writing, email, "student", PASSWORD_HASH)


def record(writing: Session, row: SessionRow, script: Iterable[Seen]) -> None:
    """Store the looks and fold them. A face is asked about when its track is new, or when nobody knew it before."""
    named: dict[str, int | None] = {}
    before: int | None = None
    looks: list[NewLook] = []
    for number, seen in enumerate(script):
        asked = {track: who for track, who in seen.heads.items() if track not in named}
        named |= asked
        trigger = "headcount" if len(seen.heads) != before else "tile" if asked else "none"
        before = len(seen.heads)
        taken_at = row.starts_at + timedelta(minutes=seen.minute)
        looks.append(
            NewLook(
                session_id=row.id,
                uid=f"look-{number:04}",
                began_at=taken_at - timedelta(seconds=1),
                taken_at=taken_at,
                trigger=trigger,
                headcount=len(seen.heads),
                searches=len(asked),
                paid=0,
                sightings=tuple(
                    NewSighting(track, box_xyxy(place)) for place, track in enumerate(seen.heads)
                ),
                namings=tuple(
                    naming(track, who, seen.similarity_pct.get(track, 97.0)) for track, who in asked.items()
                ),
            )
        )
    record_looks(writing, looks)
    refold(writing, row)


def box_xyxy(place: int) -> tuple[int, int, int, int]:
    """Where a head is in a grid of five columns, in pixels."""
    left, top = 110 + 256 * (place % 5), 30 + 144 * (place // 5)
    return left, top, left + 64, top + 80


def naming(track: str, who: int | None, similarity_pct: float) -> NewNaming:
    verdict = "unknown" if who is None else "named" if similarity_pct >= 90 else "doubtful"
    return NewNaming(track, verdict, who, None, similarity_pct, None, None, 90.0, 1, "local", "test")


def index_faces(writing: Session, students: Iterable[Student]) -> None:
    """Rows as enrolling leaves them: whose face nobody knows is never called absent."""
    for student in students:
        if writing.get(FaceRow, student.student_no) is None:
            face = {"engine": "local", "model": "m", "photo": "p.jpg", "photo_sha256": "0" * 64}
            writing.add(FaceRow(face_id=student.student_no, student_id=student.id, indexed_at=START, **face))
    writing.flush()


def class_of_two(database: Database) -> int:
    """Ada from the start, Ben five minutes late and gone early, a stranger at the end; returns the session's id."""
    with database.writing() as writing:
        course = make_course(writing, COURSE, ZONE)
        ada, ben = enrol(
            writing,
            course,
            [roster_line("S-1", "Ada Adams", STUDENT_A), roster_line("S-2", "Ben Brown", STUDENT_B)],
        )
        index_faces(writing, [ada, ben])
        add_accounts(writing, STUDENT_A, STUDENT_B)
        row = start_session(writing, COURSE, "Limits", START, 45)
        add_slot(writing, course, MONDAYS, INSTRUCTOR, LATER)
        both = {"t1": ada.id, "t2": ben.id}
        script = [Seen(minute, {"t1": ada.id}) for minute in (0, 2, 4)]
        script += [Seen(minute, both) for minute in range(6, 25, 2)]
        script += [Seen(minute, {"t1": ada.id}) for minute in range(26, 43, 2)]
        script += [Seen(44, {"t1": ada.id, "t3": None})]
        record(writing, row, script)
        return row.id


NAMES = (
    "Ada Adams", "Ben Brown", "Chiara Conti", "Dmitri Dvořák", "Elif Erdoğan", "Fatima Farouk", "Goran Grgić",
    "Hannah Hoffmann", "Ibrahim Issa", "João Jardim", "Keiko Kobayashi", "Léa Lefèvre",
    "Maximiliane von Mühlenberg-Oberbergen", "Nnamdi Nwosu", "Olga Orlova", "Priya Patel",
)  # fmt: skip


def class_of_sixteen(
    database: Database,
    starts_at: datetime = START,
    title: str = "Week 3: limits and continuity",
    looks: int = 60,
    until_min: float = 45,
    seed: int = 7,
) -> int:
    """Sixteen students, 45 minutes, and all that can happen in them; returns the session's id."""
    rng = random.Random(seed)
    with database.writing() as writing:
        course = make_course(writing, COURSE, ZONE)
        students = enrol(
            writing,
            course,
            [
                roster_line(f"2026-{1001 + index}", name, f"{name.split()[0].lower()}@example.edu")
                for index, name in enumerate(NAMES)
            ],
        )
        index_faces(writing, students)
        row = start_session(writing, COURSE, title, starts_at, 45)
        minutes = sorted(rng.uniform(0.2, until_min - 0.2) for _ in range(looks))
        record(writing, row, [_look(minute, students) for minute in minutes])
        return row.id


def class_in_doubt(
    database: Database, starts_at: datetime = START, title: str = "Week 5: doubts", students: int = 12
) -> int:
    """Everybody is most like themselves, but not enough to be named; and a stranger. Returns the session's id."""
    with database.writing() as writing:
        course = make_course(writing, COURSE, ZONE)
        enrolled = enrol(
            writing,
            course,
            [
                roster_line(f"2026-{1001 + index}", name, f"{name.split()[0].lower()}@example.edu")
                for index, name in enumerate(NAMES[:students])
            ],
        )
        index_faces(writing, enrolled)
        row = start_session(writing, COURSE, title, starts_at, 45)
        heads: dict[str, int | None] = {f"t{index:02}": one.id for index, one in enumerate(enrolled)}
        similar = {track: 80.0 + index / 2 for index, track in enumerate(heads)}
        # One a minute, so that each doubt has a time of its own.
        script = [
            Seen(minute, dict(list(heads.items())[: minute + 1]), similar) for minute in range(len(heads))
        ]
        script += [Seen(minute, heads | {"stranger": None}, similar) for minute in (30, 32)]
        record(writing, row, script)
        return row.id


STAYS_MIN: dict[int, list[tuple[float, float]]] = {
    2: [(13.5, 45)],
    4: [(1.5, 45)],
    5: [(0, 28)],
    6: [(0, 17), (22, 45)],
    8: [(18, 45)],
    10: [(0, 9), (12, 30), (36, 45)],
    13: [],
    14: [(0, 9)],
}
"""From minute to minute, for the students who were not there all the time."""


def _look(minute: float, students: list[Student]) -> Seen:
    heads: dict[str, int | None] = {}
    similar: dict[str, float] = {}
    for index, student in enumerate(students):
        for number, (begin, end) in enumerate(STAYS_MIN.get(index, [(0, 45)])):
            if begin <= minute <= end:
                track = f"t{index}-{number}"
                heads[track] = student.id
                # The engine never gets sure about Olga.
                similar[track] = 84.0 if index == 14 else 91.0 + index / 2
    if 20 < minute < 26:
        heads["stranger"] = None
    return Seen(minute, heads, similar)
