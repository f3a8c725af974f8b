"""Finding a student among those of a session's course, by what somebody has typed so far."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.names import name_order
from db.schema import Enrolment, SessionRow, Student

__all__ = ["Classmate", "classmates", "matching"]


@dataclass(frozen=True, slots=True)
class Classmate:
    student_no: str
    name: str


def classmates(session: Session, session_id: int) -> list[Classmate]:
    """Everybody on the roster of the session's course, in the order of their names."""
    query = (
        select(Student.student_no, Student.name)
        .join(Enrolment, Enrolment.student_id == Student.id)
        .join(SessionRow, SessionRow.course_id == Enrolment.course_id)
        .where(SessionRow.id == session_id)
    )
    found = [Classmate(*row) for row in session.execute(query)]
    return sorted(found, key=lambda one: (name_order(one.name), one.student_no))


def matching(people: Iterable[Classmate], typed: str, limit: int = 10) -> list[Classmate]:
    """Those whose name has a word for each word typed that begins so, or whose number has it in it; the best first.

    Case and accents do not matter. With nothing typed, the first ones.
    """
    words = name_order(typed)[0].split()
    ranked = []
    for place, one in enumerate(people):
        rank = _rank(one, words)
        if rank is not None:
            ranked.append((rank, place, one))
    return [one for _, _, one in sorted(ranked, key=lambda found: found[:2])[:limit]]


def _rank(one: Classmate, words: list[str]) -> int | None:
    """0 where the name itself begins with what was typed, 1 where its parts do, 2 for the number; None: not at all."""
    name, number = name_order(one.name)[0], one.student_no.casefold()
    if name.startswith(" ".join(words)):
        return 0
    parts = name.replace("-", " ").split()
    if all(any(part.startswith(word) for part in (*parts, *name.split())) for word in words):
        return 1
    return 2 if len(words) == 1 and words[0] in number else None
