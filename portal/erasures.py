"""Staff's list of students who want to be erased: carried out, with proof of what went, or refused with an answer."""

from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.erasures import (
    CARRIED_OUT,
    ErasureError,
    find_erasure,
    open_erasures,
    refuse_erasure,
    settled_erasures,
)
from db.errors import NotFoundError, StoreError
from db.removal import proofs_of_removal
from portal.access import OFFICE, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.sign_in import viewer
from recognizer.errors import EngineError
from recognizer.removal import remove_student

__all__ = ["pages"]

pages = Blueprint("erasures", __name__)

ON_A_PAGE = 25
ALREADY = "It was carried out already."


@pages.get("/students/erasures")
@allowed(*OFFICE)
def listing() -> ResponseReturnValue:
    return _page()


@pages.post(f"/students/erasures/<int(max={2**63 - 1}):erasure_id>")
@allowed(*OFFICE)
def settle(erasure_id: int) -> ResponseReturnValue:
    answer, typed = request.form.get("answer", "").strip(), request.form.get("typed", "").strip()
    try:
        match request.form.get("action"):
            case "refuse":
                told = _refuse(erasure_id, answer)
            case "carry_out":
                told = _carry_out(erasure_id, typed)
            case _:
                raise PortalError("choose what becomes of the request")
    except (ErasureError, PortalError) as error:
        return _page(erasure_id, str(error), answer, typed), 400
    except (EngineError, StoreError) as error:
        return _page(
            erasure_id,
            f"not everything is removed yet, so nothing is settled ({error}); do it again",
            "",
            typed,
        ), 503
    flash(told)
    return redirect(url_for(".listing"))


def _refuse(erasure_id: int, answer: str) -> str:
    desk().database.transact(partial(refuse_erasure, erasure_id=erasure_id, answer=answer, actor=_by()))
    return "The request is refused; the student reads your answer."


def _carry_out(erasure_id: int, typed: str) -> str:
    """Raises PortalError unless the student's number was typed."""
    with desk().database.reading() as reading:
        wish, student = find_erasure(reading, erasure_id)
        number = student.student_no
    if wish.outcome == CARRIED_OUT:
        return ALREADY
    if wish.outcome is not None:
        raise ErasureError(f"{wish.settled_by} has answered this request already; read it again")
    if typed != number:
        raise PortalError(f"type the student number {number} to confirm; {typed or 'nothing'!r} is not it")
    try:
        remove_student(desk().stock(), number, _by(), "the student asked for it")
    except NotFoundError:
        with desk().database.reading() as reading:
            wish, _ = find_erasure(reading, erasure_id)
        if wish.outcome != CARRIED_OUT:
            raise
        # Somebody else did so meanwhile.
        return ALREADY
    return "The student is removed. What was removed stands below."


def _by() -> str:
    user = viewer()
    assert user is not None
    return user.actor


def _page(erasure_id: int | None = None, refused: str = "", answer: str = "", typed: str = "") -> str:
    """`erasure_id`: the request that was not settled, with why (`refused`) and what was typed."""
    asked = request.args.get("page", "1")
    number = max(1, int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 1
    with desk().database.reading() as reading:
        waiting = open_erasures(reading)
        settled, count = settled_erasures(reading, ON_A_PAGE, (number - 1) * ON_A_PAGE)
        proofs = proofs_of_removal(reading, {student.id for _, student in settled})
    return render_template(
        "own/erasures.html",
        waiting=waiting,
        settled=settled,
        proofs=proofs,
        number=number,
        last=max(1, -(-count // ON_A_PAGE)),
        which=erasure_id,
        refused=refused,
        answer=answer,
        typed=typed,
        zone="UTC",
    )
