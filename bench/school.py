"""An invented school: 2,000 students in 200 courses, their sessions over a term, and what the agents saw in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import insert

from db.database import Database
from db.looks import NewLook, NewNaming, NewSighting
from db.people import RosterLine, enrol, make_course
from db.schema import EngineCallRow, FaceRow, SignIn, User
from db.sessions import start_session

__all__ = ["FACES", "LOOKS", "MINUTES", "TERM_DAYS", "Meeting", "School", "make_school"]

STUDENTS, COURSES, LARGE = 2000, 200, 300
LARGE_SESSIONS = 60
FACES, LOOKS, MINUTES = 25, 40, 45
"""A look sees a gallery of five by five; a class of more shows its pages in turn."""

TERM_BEGINS, TERM_DAYS = datetime(2026, 9, 7, tzinfo=UTC), 84
SIGN_INS, CALLS = 10_000, 50
"""Sign-ins on record, and calls to a provider for each session."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A session, and the roster's students in it."""

    session_id: int
    starts_at: datetime
    roster: tuple[int, ...]

    def looks(self, count: int = LOOKS) -> Iterator[NewLook]:
        """What an agent hands in, in order of time: 25 faces each, every new one asked about at two looks."""
        rng = Random(self.session_id)
        seats = self._seats(rng)
        times = sorted(rng.uniform(0.2, MINUTES - 0.2) for _ in range(count))
        asked: dict[str, list[str]] = {}
        for number, minute in enumerate(times):
            first = number * FACES % len(seats)
            shown = [_occupant(seat, minute) for seat in seats[first : first + FACES]]
            taken_at = self.starts_at + timedelta(minutes=minute)
            namings = []
            for track, student in shown:
                told = asked.setdefault(track, [])
                if len(told) < 2:
                    told.append("pending" if not told else _verdict(rng))
                    namings.append(_naming(rng, track, student, told[-1], len(told)))
            yield NewLook(
                session_id=self.session_id,
                uid=f"{taken_at:%y%m%d%H%M%S%f}-{number:05d}",
                began_at=taken_at - timedelta(seconds=1),
                taken_at=taken_at,
                trigger="headcount" if namings else "none",
                headcount=FACES,
                searches=len(namings),
                paid=0,
                sightings=tuple(
                    NewSighting(track, (380 * (place % 5), 200 * (place // 5), 380 * (place % 5) + 90, 290))
                    for place, (track, _) in enumerate(shown)
                ),
                namings=tuple(namings),
            )

    def _seats(self, rng: Random) -> list[list[tuple[float, str, int]]]:
        """The tiles: who sits in each, from which minute on. In one of five somebody comes or comes again."""
        count = max(len(self.roster) * 5 // 6 // FACES, 1) * FACES
        students = rng.sample(self.roster, len(self.roster))
        away = students[count:]
        seats = []
        for place, student in enumerate(students[:count]):
            seat = [(0.0, f"{self.session_id:010d}0000000-{place}", student)]
            if rng.random() < 0.2:
                other = away.pop() if away else student
                seat.append((rng.uniform(1, MINUTES), f"{self.session_id:010d}0000001-{place}", other))
            seats.append(seat)
        return seats


@dataclass(frozen=True, slots=True)
class School:
    """`large`: code of the course of 300, `student_id`: of somebody in it. `token_hash`: of a sign-in that holds."""

    meetings: tuple[Meeting, ...]
    large: str
    student_id: int
    token_hash: str


def make_school(
    database: Database,
    sessions: int,
    students: int = STUDENTS,
    courses: int = COURSES,
    large: int = LARGE,
    large_sessions: int = LARGE_SESSIONS,
    begins: datetime = TERM_BEGINS,
) -> School:
    """Make people, courses and so many sessions, in order of time. None of them was looked at yet.

    `large`: students of the first course, which meets `large_sessions` times; each of the others has 26 to 40 students
    and as many sessions as any other. `begins`: the first day of a term of 12 weeks.
    """
    rng = Random(1)
    with database.writing() as session:
        lines = [
            RosterLine(f"S{n:05d}", f"Student {n:05d}", f"s{n:05d}@school.example", "", "")
            for n in range(students)
        ]
        rosters: dict[str, tuple[int, ...]] = {}
        dealt = 0
        for number in range(courses):
            size = large if number == 0 else rng.randint(26, 40)
            # Dealt out in turn, so that nobody is without a course.
            members = [lines[(dealt + place) % students] for place in range(size)]
            dealt += size
            course = make_course(session, f"C-{number:03d}", "Europe/Berlin")
            rosters[course.code] = tuple(student.id for student in enrol(session, course, members))
        everybody = sorted({student for roster in rosters.values() for student in roster})
        session.execute(insert(FaceRow), [_face(student) for student in everybody])
        meetings = []
        for code, starts_at in _timetable(rng, list(rosters), sessions, large_sessions, begins):
            row = start_session(session, code, "A lesson", starts_at, MINUTES)
            meetings.append(Meeting(row.id, starts_at, rosters[code]))
    first = next(iter(rosters))
    token_hash = _add_accounts(database, everybody)
    _add_calls(database, meetings)
    return School(tuple(meetings), first, rosters[first][0], token_hash)


def _timetable(
    rng: Random, codes: Sequence[str], sessions: int, large: int, begins: datetime
) -> list[tuple[str, datetime]]:
    """Which course meets when, over the term."""
    courses = [codes[0]] * large + [codes[1 + n % (len(codes) - 1)] for n in range(sessions - large)]
    days = [n * TERM_DAYS // large for n in range(large)]
    days += [rng.randrange(TERM_DAYS) for _ in range(sessions - large)]
    held = [
        (begins + timedelta(days=day, hours=rng.randint(8, 16)), code)
        for day, code in zip(days, courses, strict=True)
    ]
    return [(code, starts_at) for starts_at, code in sorted(held)]


def _add_accounts(database: Database, students: Sequence[int]) -> str:
    now = datetime.now(UTC)
    user = {"password_hash": "none", "role": "student", "active": True, "created_at": now}
    with database.writing() as session:
        session.execute(
            insert(User),
            [
                user | {"id": n + 1, "email": f"s{n}@school.example", "student_id": one}
                for n, one in enumerate(students)
            ],
        )
        session.execute(
            insert(SignIn),
            [
                {
                    "token_hash": f"{n:064x}",
                    "user_id": 1 + n % len(students),
                    "created_at": now,
                    "last_used_at": now,
                }
                for n in range(SIGN_INS)
            ],
        )
    return f"{SIGN_INS // 2:064x}"


def _add_calls(database: Database, meetings: Sequence[Meeting]) -> None:
    call = {"engine": "rekognition", "operation": "search", "attempts": 1, "billed": 1, "price_micros": 1000}
    with database.writing() as session:
        for meeting in meetings:
            mine = call | {"currency": "USD", "outcome": "ok", "session_id": meeting.session_id}
            session.execute(
                insert(EngineCallRow),
                [mine | {"at": meeting.starts_at + timedelta(seconds=n)} for n in range(CALLS)],
            )


def _face(student_id: int) -> dict[str, object]:
    photo = {"engine": "local", "model": "m", "photo": "p.jpg", "photo_sha256": "0" * 64}
    return photo | {"face_id": f"{student_id:032x}", "student_id": student_id, "indexed_at": TERM_BEGINS}


def _occupant(seat: Sequence[tuple[float, str, int]], minute: float) -> tuple[str, int]:
    """Track and student in a tile at a minute."""
    return next((track, student) for since, track, student in reversed(seat) if since <= minute)


def _verdict(rng: Random) -> str:
    """Of a track asked about for the second time: nearly all have a name then."""
    chance = rng.random()
    return "named" if chance < 0.96 else "doubtful" if chance < 0.99 else "unknown"


def _naming(rng: Random, track: str, student: int, verdict: str, looks: int) -> NewNaming:
    sure = 97 + 3 * rng.random() if verdict == "named" else 70 + 20 * rng.random()
    who = None if verdict in {"pending", "unknown"} else student
    return NewNaming(track, verdict, who, f"{student:032x}", sure, None, None, 94.0, looks, "local", "m", 1.0)
