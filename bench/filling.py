"""What the portal's benchmark shows: a term that ended yesterday, a session under way, and a timetable of what comes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import select

from bench.intake import hand_in
from bench.school import FACES, LOOKS, MINUTES, TERM_DAYS, Meeting, School, make_school
from db.accounts import add_user, find_user
from db.database import Database
from db.ingest import LookWriter
from db.instructors import add_instructor
from db.ledger import catch_up
from db.people import find_course
from db.schema import Course, LookRow, PlannedRow, ReviewRow, Student
from db.sessions import start_session
from db.timetable import NewSlot, add_slot
from portal.passwords import hash_password

__all__ = ["PASSWORD", "filled"]

PASSWORD = "a password of the benchmark's"


def filled(database: Database, sightings: int) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What paths name, and the address of somebody of each role."""
    now = datetime.now(UTC)
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=TERM_DAYS)
    school = make_school(database, sightings // FACES // LOOKS, begins=begins)
    hand_in(database, school.meetings)
    emails = {"admin": "admin@school.example", "instructor": "ines@school.example"}
    with database.writing() as session:
        for role, email in emails.items():
            add_user(session, email, role, hash_password(PASSWORD))
        teacher = find_user(session, emails["instructor"])
        assert teacher is not None
        add_instructor(session, find_course(session, school.large), teacher)
        student = session.get_one(Student, school.student_id)
        account = find_user(session, "s0@school.example")
        assert account is not None
        assert account.student_id == school.student_id
        account.password_hash = hash_password(PASSWORD)
        words = {"course": school.large, "student": student.student_no, "user": str(teacher.id)}
    words |= _coming(database, school, now) | {"running": _under_way(database, school, now)}
    catch_up(database)
    return words | _words(database, school), emails | {"student": "s0@school.example"}


def _coming(database: Database, school: School, now: datetime) -> dict[str, str]:
    """Give every course a timetable, which plans the weeks to come. Returns what is the large course's."""
    rng = Random(2)
    with database.reading() as session:
        codes = list(session.scalars(select(Course.code).order_by(Course.code)))
    last_day = (now + timedelta(days=60)).date().isoformat()
    slots = {}
    for code in codes:
        begins = f"{rng.randint(8, 17):02d}:15"
        slot = NewSlot(rng.randrange(7), begins, MINUTES, now.date().isoformat(), last_day)
        with database.writing() as session:
            slots[code] = add_slot(session, find_course(session, code), slot, "bench", now)
    of_slot = select(PlannedRow.session_id).where(PlannedRow.slot_id == slots[school.large])
    with database.reading() as session:
        planned = session.scalars(of_slot.order_by(PlannedRow.week.desc()).limit(1)).one()
    return {"slot": str(slots[school.large]), "planned": str(planned)}


def _under_way(database: Database, school: School, now: datetime) -> str:
    """A session of the large course that began half an hour ago."""
    starts_at = now - timedelta(minutes=30)
    roster = max((one.roster for one in school.meetings), key=len)
    with database.writing() as session:
        meeting = Meeting(
            start_session(session, school.large, "Now", starts_at, MINUTES).id, starts_at, roster
        )
    writer = LookWriter(database)
    for look in meeting.looks():
        if look.taken_at < now:
            writer.put(look)
    return str(meeting.session_id)


def _words(database: Database, school: School) -> dict[str, str]:
    most = max(len(one.roster) for one in school.meetings)
    large = next(one for one in reversed(school.meetings) if len(one.roster) == most)
    small = next(one for one in reversed(school.meetings) if len(one.roster) < most)
    with database.reading() as session:
        look = select(LookRow.id).where(LookRow.session_id == large.session_id).order_by(LookRow.id)
        review = session.scalars(select(ReviewRow).where(ReviewRow.state == "open").limit(1)).one()
        return {
            "session": str(small.session_id),
            "large": str(large.session_id),
            "entry": session.get_one(Student, small.roster[0]).student_no,
            "look": str(session.scalars(look.offset(LOOKS // 2).limit(1)).one()),
            "review": str(review.id),
            "reviewed": str(review.session_id),
        }
