"""Sessions: which there are, one of them, and planning one."""

from collections.abc import Mapping
from typing import Any

from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields
from marshmallow.validate import Length, Range
from sqlalchemy.orm import Session

from db.catalogue import sessions_after
from db.report import SessionLine, session_line
from db.sessions import start_session
from portal.api.cursors import Window, moment_and_id, slice_of
from portal.api.own import own_course
from portal.api.parts import Moment, Part, described, listed
from portal.api.repeats import do
from portal.bearer import bearer
from portal.desk import desk
from portal.session_page import SESSION

__all__ = ["part"]

part = Part("sessions", "Sessions", "Class meetings, planned, running and past.")


class SessionShape(Schema):
    id = fields.Integer(metadata=described("Names the session in addresses.", 12))
    course = fields.String(metadata=described("The course's code.", "MATH-101"))
    title = fields.String(metadata=described("What the session is called.", "Week 3: limits"))
    time_zone = fields.String(metadata=described("The course's time zone.", "Europe/Berlin"))
    starts_at = Moment(metadata=described("Planned beginning."))
    ends_at = Moment(metadata=described("Planned end."))
    students = fields.Integer(metadata=described("Students on the roster.", 16))
    looks = fields.Integer(metadata=described("Looks taken so far.", 60))
    present = fields.Integer(metadata=described("Students seen, whatever their status.", 14))
    open_reviews = fields.Integer(metadata=described("Doubts that nobody has settled.", 2))


class Wanted(Window):
    course = fields.String(metadata=described("Of this course only, by its code.", "MATH-101"))
    starts_from = Moment(metadata=described("That begin from this moment on."))
    starts_before = Moment(metadata=described("That begin before this moment."))


class Plan(Schema):
    course = fields.String(
        required=True, validate=Length(1, 64), metadata=described("The course's code.", "MATH-101")
    )
    title = fields.String(
        load_default="",
        validate=Length(max=200),
        metadata=described("Left out: the course's code.", "Week 3: limits"),
    )
    starts_at = Moment(required=True, metadata=described("With its offset from UTC."))
    minutes = fields.Float(
        required=True,
        validate=Range(0, 24 * 60, min_inclusive=False),
        metadata=described("How long it is planned to last.", 90),
    )


@part.at("GET", "/sessions", "sessions")
@part.takes(Wanted, "query")
@part.gives(listed(SessionShape, "Sessions"))
def listing(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Sessions, the newest first."""
    caller, after = bearer(), moment_and_id(wanted["cursor"])
    assert caller is not None

    def read(limit: int) -> list[SessionLine]:
        with desk().database.reading() as reading:
            return sessions_after(
                reading,
                after,
                limit,
                caller.courses,
                wanted.get("course"),
                wanted.get("starts_from"),
                wanted.get("starts_before"),
            )

    return slice_of(wanted, read, lambda line: (line.starts_at, line.id))


@part.at("POST", "/sessions", "sessions")
@part.takes(Plan)
@part.gives(SessionShape, 201, "The session as it was planned.")
def plan(wanted: Mapping[str, Any]) -> ResponseReturnValue:
    """Plan a session of a course."""
    caller = bearer()
    assert caller is not None

    def work(writing: Session) -> Mapping[str, Any]:
        course = own_course(writing, caller, wanted["course"])
        row = start_session(
            writing,
            course.code,
            wanted["title"].strip(),
            wanted["starts_at"],
            wanted["minutes"],
            caller.email,
        )
        shown: Mapping[str, Any] = SessionShape().dump(session_line(writing, row.id))
        return shown

    return do(work, 201)


@part.at("GET", f"/sessions/{SESSION}", "sessions")
@part.gives(SessionShape)
def one(session_id: int) -> SessionLine:
    """One session."""
    desk().follow(session_id)
    with desk().database.reading() as reading:
        return session_line(reading, session_id)
