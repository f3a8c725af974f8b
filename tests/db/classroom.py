"""A session with two students, for the tests of the ledger."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from db.database import Database
from db.edits import NewEdit, edit_entry
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import RosterLine, enrol, make_course
from db.schema import AttendanceRow, FaceRow, IntervalRow, LookRow, ReviewRow, SightingRow, Student
from db.sessions import find_session, start_session
from tests.conftest import START

__all__ = ["Classroom"]


class Classroom:
    """A session with Ann and Ben on its roster."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            course = make_course(session, "BIO", "Europe/Berlin")
            lines = [
                RosterLine(no, name, f"{no}@x.example".lower(), "", "")
                for no, name in [("A", "Ann"), ("B", "Ben")]
            ]
            self.ann, self.ben = (student.id for student in enrol(session, course, lines))
            self.id = start_session(session, "BIO", "Cells", START, 45).id

    def new(self, minute: float, *tracks: str, namings: tuple[NewNaming, ...] = (), uid: str = "") -> NewLook:
        taken_at = START + timedelta(minutes=minute)
        return NewLook(
            session_id=self.id,
            uid=uid or f"look-{minute}",
            began_at=taken_at - timedelta(seconds=1),
            taken_at=taken_at,
            trigger="headcount",
            headcount=len(tracks),
            searches=len(namings),
            paid=0,
            sightings=tuple(NewSighting(track, (0, 0, 9, 9)) for track in tracks),
            namings=namings,
        )

    def look(self, minute: float, *tracks: str, namings: tuple[NewNaming, ...] = (), uid: str = "") -> bool:
        (stored,) = self.looks([self.new(minute, *tracks, namings=namings, uid=uid)])
        return stored

    def looks(self, looks: Iterable[NewLook]) -> list[bool]:
        """Store looks, and fold the ledger once."""
        with self.database.writing() as session:
            stored = record_looks(session, list(looks))
            refold(session, find_session(session, self.id))
        return stored

    def edit(
        self, student_no: str, by: str = "al@x.example", reason: str = "seen there", **fields: Any
    ) -> None:
        with self.database.writing() as session:
            edit_entry(session, NewEdit(self.id, student_no, reason, by, **fields))
            refold(session, find_session(session, self.id))

    def enrol_faces(self) -> None:
        """Have both known to an engine: who is not cannot be absent."""
        with self.database.writing() as session:
            for student in (self.ann, self.ben):
                session.add(
                    FaceRow(
                        face_id=f"face-{student}",
                        student_id=student,
                        engine="local",
                        model="m",
                        photo="p.png",
                        photo_sha256="0" * 64,
                        indexed_at=START,
                    )
                )

    def statuses(self) -> dict[str, str]:
        with self.database.reading() as session:
            query = select(Student.name, AttendanceRow.status).join(AttendanceRow.student)
            return {name: status for name, status in session.execute(query)}  # noqa: C416 - dict() knows no row

    def naming(self, track: str, verdict: str, student: int | None, pct: float = 97.0) -> NewNaming:
        return NewNaming(track, verdict, student, None, pct, None, None, 90.0, 2, "local", "m")

    def named(self, track: str, student: int) -> tuple[NewNaming, ...]:
        return (self.naming(track, "named", student),)

    def counts(self) -> list[int]:
        with self.database.reading() as session:
            tables = (LookRow, SightingRow, AttendanceRow, IntervalRow, ReviewRow)
            return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]

    def versions(self) -> list[int]:
        with self.database.reading() as session:
            return list(session.scalars(select(AttendanceRow.version).order_by(AttendanceRow.student_id)))
