"""Reviews: what the machine is unsure of, and staff's answers."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf, Range

from db.catalogue import ReviewItem, review_item, reviews_after
from db.doubts import DISPUTE, HEADCOUNT
from db.errors import GridrollError, NotFoundError, StoreError
from db.reviews import ReviewConflictError
from portal.api.cursors import Window, moment_and_id, slice_of
from portal.api.parts import Moment, Part, described, listed
from portal.api.problems import ProblemError
from portal.bearer import bearer
from portal.desk import desk
from portal.session_page import SESSION
from recognizer.judging import Judging, Settlement

__all__ = ["part"]

part = Part("reviews", "Reviews", "Doubts for staff to settle; the machine marks nobody absent on one.")

REVIEW = f"/sessions/{SESSION}/reviews/<int(max={2**63 - 1}):review_id>"
FACE_ANSWERS = ("confirm", "reassign", "not_this_person", "guest", "dismiss")
HEADCOUNT_ANSWERS = ("confirm", "dismiss")
DISPUTE_ANSWERS = ("accept", "decline")


class ReviewShape(Schema):
    id = fields.Integer(metadata=described("Names the review in addresses.", 8))
    session_id = fields.Integer(metadata=described("Whose review it is.", 12))
    course = fields.String(metadata=described("The course's code.", "MATH-101"))
    kind = fields.String(metadata=described("What kind of doubt it is.", "low_similarity"))
    at = Moment(metadata=described("The look at which the doubt began."))
    state = fields.String(
        metadata=described(
            "`open`, `confirmed`, `reassigned`, `not_this_person`, `guest` or `dismissed`; of a dispute `open`, "
            "`accepted` (the student is right) or `not_accepted` (the entry stands).",
            "open",
        )
    )
    student_no = fields.String(allow_none=True, metadata=described("Whom it may concern.", "2026-1001"))
    student_name = fields.String(allow_none=True)
    rival_no = fields.String(allow_none=True, metadata=described("A second student it may concern."))
    rival_name = fields.String(allow_none=True)
    settled_no = fields.String(allow_none=True, metadata=described("Who it is, as staff said."))
    settled_name = fields.String(allow_none=True)
    guest = fields.String(metadata=described("The name staff gave a guest; empty: none.", ""))
    settled_by = fields.String(allow_none=True)
    settled_at = Moment(allow_none=True)
    reason = fields.String(
        metadata=described(
            "Staff's reason, may be empty; of a dispute the answer that the student reads.", ""
        )
    )
    text = fields.String(
        metadata=described("Of a dispute: what the student says against their entry. Otherwise empty.", "")
    )
    mark = fields.String(
        metadata=described(
            "What the review was like when it was read; send it back with the answer.", "open/3//"
        )
    )


class WantedReviews(Window):
    state = fields.String(
        load_default="open", validate=OneOf(("open", "settled", "all")), metadata=described("Which.", "open")
    )
    session_id = fields.Integer(validate=Range(1, 2**63 - 1), metadata=described("Of this session only.", 12))


class AnswerShape(Schema):
    answer = fields.String(
        required=True,
        validate=OneOf(FACE_ANSWERS + DISPUTE_ANSWERS),
        metadata=described(
            "`confirm`: it is whom it may concern; of a headcount: it is explained. A headcount takes `confirm` and "
            "`dismiss`. A dispute takes `accept` (the student is right; correct the entry yourself) and `decline` (the "
            "entry stands), which nothing else does.",
            "confirm",
        ),
    )
    student_no = fields.String(
        load_default=None,
        allow_none=True,
        validate=Length(1, 64),
        metadata=described("Who it is, for `reassign`; who it is not, for `not_this_person`."),
    )
    guest = fields.String(
        load_default="",
        validate=Length(max=200),
        metadata=described("The guest's name, for `guest`.", "Dr. Cid"),
    )
    reason = fields.String(
        load_default="",
        validate=Length(max=2000),
        metadata=described("Why. For `accept` and `decline` it must be there: the student reads it."),
    )
    mark = fields.String(
        load_default=None,
        allow_none=True,
        metadata=described("As it was read; 409 where it is another one by now. Left out: whatever it is."),
    )


@part.at("GET", "/reviews", "reviews")
@part.takes(WantedReviews, "query")
@part.gives(listed(ReviewShape, "Reviews"))
def listing(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Reviews, the oldest first."""
    caller, after = bearer(), moment_and_id(wanted["cursor"])
    assert caller is not None
    state = None if wanted["state"] == "all" else wanted["state"]

    def read(limit: int) -> list[ReviewItem]:
        with desk().database.reading() as reading:
            return reviews_after(reading, after, limit, caller.courses, state, wanted.get("session_id"))

    return slice_of(wanted, read, lambda line: (line.at, line.id))


@part.at("GET", REVIEW, "reviews")
@part.gives(ReviewShape)
def one(session_id: int, review_id: int) -> ReviewItem:
    """One review."""
    desk().follow(session_id)
    return _found(session_id, review_id)


@part.at("POST", f"{REVIEW}/settlement", "reviews:edit")
@part.takes(AnswerShape)
@part.gives(ReviewShape)
def settle(wanted: Mapping[str, Any], session_id: int, review_id: int) -> ReviewItem:
    """Settle a review, or settle it otherwise. The same answer again changes nothing."""
    _refuse_unfit(_found(session_id, review_id), wanted)
    try:
        _settle(review_id, wanted)
    except ReviewConflictError as error:
        raise ProblemError(409, str(error)) from error
    except NotFoundError as error:
        if _held(session_id, review_id) is None or wanted["student_no"] is None:
            raise
        raise ProblemError(422, f"student_no: there is no student {wanted['student_no']!r}") from error
    except StoreError:
        raise
    except GridrollError as error:
        raise ProblemError(422, str(error)) from error
    return _found(session_id, review_id)


def _refuse_unfit(review: ReviewItem, wanted: Mapping[str, Any]) -> None:
    about = {DISPUTE: "a student's dispute", HEADCOUNT: "a headcount"}.get(review.kind, "a face")
    fit = {DISPUTE: DISPUTE_ANSWERS, HEADCOUNT: HEADCOUNT_ANSWERS}.get(review.kind, FACE_ANSWERS)
    answer = wanted["answer"]
    if answer not in fit:
        raise ProblemError(
            422,
            f"answer: review {review.id} is about {about}; {answer} does not settle it, {_either(fit)} does",
        )
    if answer == "confirm" and review.kind != HEADCOUNT and review.student_no is None:
        raise ProblemError(
            422, f"answer: review {review.id} suspects nobody; say who it is with reassign and student_no"
        )
    if answer == "reassign" and wanted["student_no"] is None:
        raise ProblemError(422, "student_no: say who it is")
    if answer in DISPUTE_ANSWERS and not wanted["reason"].strip():
        raise ProblemError(422, "reason: an answer needs words, the student reads them; say why")


def _either(answers: tuple[str, ...]) -> str:
    return f"{', '.join(answers[:-1])} or {answers[-1]}"


def _settle(review_id: int, wanted: Mapping[str, Any]) -> None:
    caller = bearer()
    assert caller is not None
    judging = Judging(desk().database, desk().cache, desk().settings)
    settlement = Settlement(caller.email, wanted["reason"].strip(), wanted["mark"])
    number = wanted["student_no"]
    match wanted["answer"]:
        case "confirm":
            judging.confirm(review_id, None, settlement)
        case "reassign":
            judging.confirm(review_id, number, settlement)
        case "not_this_person":
            judging.reject(review_id, number, settlement)
        case "guest":
            judging.guest(review_id, wanted["guest"], settlement)
        case "dismiss":
            judging.dismiss(review_id, settlement)
        case "accept" | "decline":
            judging.answer(review_id, wanted["answer"] == "accept", settlement)


def _held(session_id: int, review_id: int) -> ReviewItem | None:
    with desk().database.reading() as reading:
        return review_item(reading, session_id, review_id)


def _found(session_id: int, review_id: int) -> ReviewItem:
    found = _held(session_id, review_id)
    if found is None:
        raise NotFoundError(f"there is no review {review_id} in session {session_id}")
    return found
