"""Settling reviews: the page of one review, and the answers that staff send."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.errors import GridrollError, NotFoundError, StoreError
from db.people import roster_of
from db.report import ReviewLine, SessionReport, session_report
from db.reviews import ReviewConflictError
from db.sessions import find_session
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.session_page import SESSION
from portal.sign_in import viewer
from recognizer.judging import Judging, Settlement

__all__ = ["LONGEST_REASON", "REVIEW", "Draft", "draft_of", "give_answer", "judging", "pages"]

pages = Blueprint("reviews", __name__)

REVIEW = f"/sessions/{SESSION}/reviews/<int(max={2**63 - 1}):review_id>"
LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed into a form that is shown again."""

    student_no: str = ""
    guest: str = ""
    reason: str = ""


def draft_of(form: Mapping[str, str]) -> Draft:
    return Draft(*(form.get(name, "").strip() for name in ("student_no", "guest", "reason")))


@pages.get(REVIEW)
@allowed(*STAFF)
def page(session_id: int, review_id: int) -> ResponseReturnValue:
    desk().follow(session_id)
    return _page(session_id, review_id)


@pages.post(REVIEW)
@allowed(*STAFF)
def settle(session_id: int, review_id: int) -> ResponseReturnValue:
    report, review = _found(session_id, review_id)
    if review is None:
        return _gone(report), 409
    draft = draft_of(request.form)
    try:
        give_answer(review, request.form.get("answer", ""), draft)
    except ReviewConflictError:
        return _page(session_id, review_id, draft, conflict=True), 409
    except NotFoundError:
        report, review = _found(session_id, review_id)
        if review is None:
            return _gone(report), 409
        return _page(session_id, review_id, draft, refused="Choose a student of this course."), 400
    except StoreError:
        raise
    except GridrollError as error:
        return _page(session_id, review_id, draft, refused=str(error)), 400
    flash("The review is settled.", "reviews")
    return redirect(url_for("sessions.page", session_id=session_id, _anchor="reviews"))


def judging() -> Judging:
    return Judging(desk().database, desk().cache, desk().settings)


def give_answer(review: ReviewLine, answer: str, draft: Draft) -> None:
    """Raises GridrollError for what is no answer to this review, ReviewConflictError, NotFoundError."""
    user = viewer()
    assert user is not None
    if len(draft.reason) > LONGEST_REASON:
        raise PortalError(f"the reason has {len(draft.reason)} characters; at most {LONGEST_REASON} fit")
    judge = judging()
    settlement = Settlement(user.email, draft.reason, request.form.get("mark", ""))
    match answer.partition(":"):
        case ("accept" | "decline", "", "") if draft.reason:
            judge.answer(review.id, answer == "accept", settlement)
        case ("accept" | "decline", "", ""):
            raise PortalError("write an answer, the student reads it; then send it again")
        case ("explained", "", ""):
            judge.confirm(review.id, None, settlement)
        case ("is", ":", number) if number:
            judge.confirm(review.id, number, settlement)
        case ("other", "", "") if draft.student_no:
            judge.confirm(review.id, draft.student_no, settlement)
        case ("other", "", ""):
            raise PortalError("choose who it is, then send it again")
        case ("not", ":", number):
            judge.reject(review.id, number or None, settlement)
        case ("guest", "", "") if draft.guest:
            judge.guest(review.id, draft.guest, settlement)
        case ("guest", "", ""):
            raise PortalError("give the guest a name, then send it again")
        case ("dismiss", "", ""):
            judge.dismiss(review.id, settlement)
        case _:
            raise PortalError("choose one of the answers")


def _found(session_id: int, review_id: int) -> tuple[SessionReport, ReviewLine | None]:
    """The session with one of its reviews; None where it has none of that number, or has it no longer."""
    with desk().database.reading() as reading:
        report = session_report(reading, session_id)
    return report, next((review for review in report.reviews if review.id == review_id), None)


def _page(
    session_id: int, review_id: int, draft: Draft | None = None, refused: str = "", conflict: bool = False
) -> str:
    """Raises NotFoundError."""
    with desk().database.reading() as reading:
        report = session_report(reading, session_id)
        roster = roster_of(reading, find_session(reading, session_id).course_id).values()
    review = next((review for review in report.reviews if review.id == review_id), None)
    if review is None:
        raise NotFoundError(f"there is no review {review_id} in session {session_id}")
    numbers = {student.student_no for student in roster}
    return render_template(
        "review.html",
        session=report.session,
        review=review,
        roster=[line for line in report.students if line.student_no in numbers],
        draft=draft or Draft(),
        refused=refused,
        conflict=conflict,
    )


def _gone(report: SessionReport) -> str:
    return render_template("review_gone.html", session=report.session)
