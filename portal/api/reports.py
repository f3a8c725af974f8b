"""Reports: a session's, exactly as the command line writes it, and a course's term."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields

from db.report import session_report
from db.term import term_report
from portal.api.parts import Moment, Part, described
from portal.desk import desk
from portal.report_files import as_json
from portal.session_page import SESSION
from portal.term_files import term_json

__all__ = ["part"]

part = Part(
    "reports", "Reports", "What `gridroll report --format json` and `gridroll term --format json` write."
)


class SessionReportShape(Schema):
    session = fields.Dict(metadata=described("id, course, title, starts_at, ends_at, time_zone."))
    students = fields.List(
        fields.Dict(),
        metadata=described(
            "student_no, name, status, joined_at, last_seen_at, minutes, confidence, and `intervals`: [from, to] each."
        ),
    )
    looks = fields.List(
        fields.Dict(),
        metadata=described("taken_at, trigger, headcount, identified, unknown, searches, paid, reviewed."),
    )
    reviews = fields.List(fields.Dict(), metadata=described("kind, student_no, at, state, id."))


class TermReportShape(Schema):
    course = fields.String(metadata=described("The course's code.", "MATH-101"))
    time_zone = fields.String(metadata=described("IANA name.", "Europe/Berlin"))
    sessions = fields.List(fields.Dict(), metadata=described("In order of time, with counts by status."))
    students = fields.List(
        fields.Dict(),
        metadata=described("In the order of their names; `statuses` are in the order of the sessions."),
    )


class Term(Schema):
    starts_from = Moment(metadata=described("Sessions that begin from this moment on."))
    starts_before = Moment(metadata=described("Sessions that begin before this moment."))


@part.at("GET", f"/sessions/{SESSION}/report", "reports")
@part.gives(SessionReportShape)
def session(session_id: int) -> ResponseReturnValue:
    """The report of a session."""
    desk().follow(session_id)
    with desk().database.reading() as reading:
        return _whole(as_json(session_report(reading, session_id)))


@part.at("GET", "/courses/<course:code>/term", "reports")
@part.takes(Term, "query")
@part.gives(TermReportShape)
def term(wanted: Mapping[str, Any], code: str) -> ResponseReturnValue:
    """Who came to which session of a course, and how often."""
    with desk().database.reading() as reading:
        return _whole(
            term_json(
                term_report(
                    reading, code, desk().now(), wanted.get("starts_from"), wanted.get("starts_before")
                )
            )
        )


def _whole(values: dict[str, Any]) -> ResponseReturnValue:
    # As it is, in its order: the schemas only describe it.
    text = json.dumps(values, ensure_ascii=False) + "\n"
    return Response(text, content_type="application/json")
