"""Whose pages these are: the student who is signed in."""

from dataclasses import dataclass

from flask import abort

from portal.sign_in import viewer

__all__ = ["Person", "person"]


@dataclass(frozen=True, slots=True)
class Person:
    """`actor`: under which name the audit chain keeps what they do."""

    user_id: int
    student_id: int
    student_no: str
    name: str
    email: str
    actor: str


def person() -> Person:
    """The signed-in student. Not found for an account without a record."""
    user = viewer()
    if user is None or user.student_id is None or user.student_no is None:
        abort(404)
    return Person(user.user_id, user.student_id, user.student_no, user.name or "", user.email, user.actor)
