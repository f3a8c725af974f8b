"""The addresses of the queue: its page, the answers sent from it, and the names its box for another student offers."""

from collections.abc import Mapping

from flask import Blueprint, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from db.classmates import classmates, matching
from db.errors import GridrollError, NotFoundError, StoreError
from db.queue import QueueLine, find_lines
from db.reviews import ReviewConflictError
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.queue.answers import suspects_one
from portal.queue.place import number_of, place_of
from portal.queue.screen import Told, show
from portal.reviews import LONGEST_REASON, REVIEW, draft_of, give_answer, judging
from portal.session_page import SESSION
from portal.sign_in import viewer
from portal.workers import takes_long
from recognizer.judging import Settlement

__all__ = ["pages"]

pages = Blueprint("queue", __name__)

MOST_TICKS = 200
LONGEST_SEARCH = 100


@pages.get("/reviews")
@allowed(*STAFF)
@takes_long
def page() -> ResponseReturnValue:
    place = place_of(request.args)
    if place.session is not None:
        desk().follow(place.session)
    review, following, settled = (number_of(request.args, name) for name in ("review", "next", "settled"))
    return show(place, review, settled, next_id=following)


@pages.post(f"{REVIEW}/answer")
@allowed(*STAFF)
def answer(session_id: int, review_id: int) -> ResponseReturnValue:
    place, following = place_of(request.form), number_of(request.form, "next")
    line = _line(session_id, review_id)
    if line is None:
        return show(place, told=Told(gone=True), next_id=following), 409
    draft = draft_of(request.form)
    try:
        give_answer(line.review, request.form.get("answer", ""), draft)
    except ReviewConflictError:
        return show(place, review_id, told=Told(draft, conflict=True)), 409
    except NotFoundError:
        if _line(session_id, review_id) is None:
            return show(place, told=Told(gone=True), next_id=following), 409
        return show(place, review_id, told=Told(draft, "Choose a student of this course.")), 400
    except StoreError:
        raise
    except GridrollError as error:
        return show(place, review_id, told=Told(draft, str(error))), 400
    return redirect(url_for("queue.page", **place.query(next=following, settled=review_id)))


@pages.post("/reviews/confirm")
@allowed(*STAFF)
def confirm() -> ResponseReturnValue:
    """Confirm those that were ticked. A tick is the review's number and, after a space, its mark."""
    user = viewer()
    assert user is not None
    place, ticks = place_of(request.form), request.form.getlist("tick")
    reason = request.form.get("reason", "").strip()
    marks = {}
    for tick in ticks[: MOST_TICKS + 1]:
        number, _, mark = tick.partition(" ")
        review_id = number_of({"tick": number}, "tick")
        if review_id is not None and mark:
            marks[review_id] = mark
    refused = _refusal(marks, reason)
    if refused:
        told = Told(refused=refused, bulk=True, ticked=frozenset(ticks), reason=reason)
        return show(place, number_of(request.form, "review"), told=told), 400
    with desk().database.reading() as reading:
        lines = find_lines(reading, marks, user.courses)
    # What is out of reach is what is not there: neither is told apart from a doubt that cleared up.
    sure = {key: marks[key] for key, line in lines.items() if _could_be_confirmed(line)}
    left = (lines.keys() - sure.keys()) | judging().confirm_all(sure, Settlement(user.email, reason))
    settled = len(lines) - len(left)
    if settled:
        flash("1 review is confirmed." if settled == 1 else f"{settled} reviews are confirmed.", "queue")
    if not left and len(lines) == len(marks):
        return redirect(url_for("queue.page", **place.query()))
    with desk().database.reading() as reading:
        after = find_lines(reading, left, user.courses)
    told = Told(bulk=True, left=tuple(after.values()), withdrawn=len(marks) - settled - len(after))
    return show(place, None, told=told), 409


@pages.get(f"/sessions/{SESSION}/roster.json")
@allowed(*STAFF)
def roster(session_id: int) -> ResponseReturnValue:
    """The students of the session's course whom `q` may mean, the best first."""
    with desk().database.reading() as reading:
        people = classmates(reading, session_id)
    found = matching(people, request.args.get("q", "")[:LONGEST_SEARCH])
    return jsonify([{"student_no": one.student_no, "name": one.name} for one in found])


def _refusal(marks: Mapping[int, str], reason: str) -> str:
    if not marks:
        return "tick the reviews that are right, then confirm them"
    if len(marks) > MOST_TICKS:
        return f"more than {MOST_TICKS} reviews are ticked; confirm {MOST_TICKS} at a time"
    if len(reason) > LONGEST_REASON:
        return f"the reason has {len(reason)} characters; at most {LONGEST_REASON} fit"
    return ""


def _could_be_confirmed(line: QueueLine) -> bool:
    """Whether its kind can be; one that was settled meanwhile is told so by the mark, unless it was settled alike."""
    return line.review.is_settled or suspects_one(line.review)


def _line(session_id: int, review_id: int) -> QueueLine | None:
    with desk().database.reading() as reading:
        line = find_lines(reading, [review_id], None).get(review_id)
    return line if line is not None and line.session_id == session_id else None
