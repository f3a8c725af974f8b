"""Attendance: who was at a session, and writing over an entry."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask import g, make_response, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf, Range
from sqlalchemy.orm import Session

from db.edits import EditConflictError, NewEdit
from db.entries import LONGEST_REASON, entry_sheet, save_entry
from db.presence import STATUSES
from db.replies import Claim
from db.report import StudentLine, session_report
from portal.api.cursors import Window, slice_of, text_key
from portal.api.parts import Moment, Part, described, listed
from portal.api.problems import ProblemError
from portal.api.repeats import do
from portal.bearer import bearer
from portal.desk import desk
from portal.session_page import SESSION

__all__ = ["part"]

part = Part(
    "attendance",
    "Attendance",
    "The ledger's entries: who was there, from when to when, and how sure that is.",
)

ENTRY = f"/sessions/{SESSION}/attendance/<string(maxlength=64):student_no>"


class Stay(Schema):
    seen_from = Moment(metadata=described("The first look that saw the student."))
    seen_to = Moment(metadata=described("The last look that saw them."))


class EntryShape(Schema):
    student_no = fields.String(metadata=described("Names the student in addresses.", "2026-1001"))
    name = fields.String(metadata=described("The student's full name.", "Ada Adams"))
    status = fields.String(validate=OneOf(STATUSES), metadata=described("As it counts.", "present"))
    machine_status = fields.String(
        validate=OneOf(STATUSES), metadata=described("What it would be without staff.", "late")
    )
    joined_at = Moment(allow_none=True, metadata=described("First seen; null: never."))
    last_seen_at = Moment(allow_none=True, metadata=described("Last seen; null: never."))
    minutes = fields.Float(metadata=described("Minutes present.", 43.5))
    confidence = fields.Float(
        allow_none=True,
        metadata=described("How sure the names behind it are, 0 to 1; null: nobody was named.", 0.97),
    )
    source = fields.String(
        validate=OneOf(("system", "staff")), metadata=described("Whose word holds.", "system")
    )
    remark = fields.String(metadata=described("For staff.", ""))
    version = fields.Integer(metadata=described("1, and one more for each edit.", 1))
    enrolled = fields.Boolean(metadata=described("Whether the student is on the roster still."))
    intervals = fields.List(fields.Nested(Stay), metadata=described("Each stay."))


class EditShape(Schema):
    """What is null or left out is left to the machine; nothing but a reason hands the entry back to it."""

    status = fields.String(load_default=None, allow_none=True, validate=OneOf(STATUSES))
    joined_at = Moment(load_default=None, allow_none=True)
    last_seen_at = Moment(load_default=None, allow_none=True)
    minutes = fields.Float(load_default=None, allow_none=True, validate=Range(0, 24 * 60))
    remark = fields.String(load_default="", validate=Length(max=500))
    reason = fields.String(
        required=True,
        validate=Length(1, LONGEST_REASON),
        metadata=described("Why; staff read it, the student does not.", "was there by telephone"),
    )
    version = fields.Integer(
        load_default=None,
        validate=Range(1),
        metadata=described("Of the entry as it was read. Or send it as If-Match.", 1),
    )


@part.at("GET", f"/sessions/{SESSION}/attendance", "attendance")
@part.takes(Window, "query")
@part.gives(listed(EntryShape, "Entries"))
def listing(wanted: Mapping[str, Any], session_id: int) -> dict[str, Any]:
    """The entries of a session, in the order of the students' numbers."""
    after = text_key(wanted["cursor"])
    desk().follow(session_id)

    def read(limit: int) -> Sequence[StudentLine]:
        with desk().database.reading() as reading:
            students = session_report(reading, session_id).students
        behind = (line for line in students if after is None or line.student_no > after)
        return sorted(behind, key=lambda line: line.student_no)[:limit]

    return slice_of(wanted, read, lambda line: (line.student_no,))


@part.at("GET", ENTRY, "attendance")
@part.gives(EntryShape)
def one(session_id: int, student_no: str) -> ResponseReturnValue:
    """One entry. Its ETag is its version."""
    desk().follow(session_id)
    with desk().database.reading() as reading:
        line = entry_sheet(reading, session_id, student_no).line
    answer = make_response(EntryShape().dump(line))
    answer.set_etag(str(line.version))
    return answer


@part.at("PUT", ENTRY, "attendance:edit")
@part.takes(EditShape)
@part.gives(EntryShape)
def write(wanted: Mapping[str, Any], session_id: int, student_no: str) -> ResponseReturnValue:
    """Write over an entry, whole, from the version on that was read; whoever was slower gets 409 and what is there."""
    caller = bearer()
    assert caller is not None
    version, by_etag = _version(wanted)
    claim: Claim | None = g.get("claim")
    new = NewEdit(
        session_id=session_id,
        student_no=student_no,
        reason=wanted["reason"].strip(),
        made_by=caller.email,
        status=wanted["status"],
        joined_at=wanted["joined_at"],
        last_seen_at=wanted["last_seen_at"],
        minutes=wanted["minutes"],
        remark=" ".join(wanted["remark"].split()),
        expected_version=version,
        uid="" if claim is None else str(uuid5(NAMESPACE_URL, f"gridroll/reply/{claim.key}/{claim.turn}")),
    )

    def work(writing: Session) -> Mapping[str, Any]:
        save_entry(writing, new)
        shown: Mapping[str, Any] = EntryShape().dump(entry_sheet(writing, session_id, student_no).line)
        return shown

    try:
        answer = do(work)
    except EditConflictError as error:
        raise ProblemError(412 if by_etag else 409, str(error), version=error.version) from error
    answer.set_etag(str((answer.get_json(silent=True) or {}).get("version", version)))
    return answer


def _version(wanted: Mapping[str, Any]) -> tuple[int, bool]:
    """The version that the program read, and whether it came as an ETag. Raises ProblemError."""
    tags = list(request.if_match.as_set()) if request.if_match else []
    if wanted["version"] is None and len(tags) == 1 and tags[0].isascii() and tags[0].isdecimal():
        return int(tags[0][:9]), True
    if wanted["version"] is None:
        told = "give the version that was read, here or as If-Match"
        raise ProblemError(422, f"version: {told}", errors=[{"field": "version", "detail": told}])
    found: int = wanted["version"]
    return found, False
