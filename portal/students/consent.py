"""Keeping a student's consent on record, and taking it back for them."""

from functools import partial

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.people import find_student, record_consent
from portal.access import OFFICE, allowed
from portal.desk import desk
from portal.students.blueprint import STUDENT, current, pages, removing
from portal.students.record import Draft, student_page
from recognizer.removal import erase_face, record_withdrawal

__all__ = ["agree", "withdraw"]

LONGEST = 500


@pages.post(f"{STUDENT}/consent")
@allowed(*OFFICE)
def agree(student_no: str) -> ResponseReturnValue:
    note = " ".join(request.form.get("consent", "").split())
    if not note or len(note) > LONGEST:
        said = (
            f"a note of {len(note)} characters is too long; give at most {LONGEST}"
            if note
            else "say where the agreement is held, e.g. consent form 7, folder B"
        )
        return student_page(student_no, Draft("consent", said, note)), 400
    desk().database.transact(partial(_record, student_no=student_no, note=note, actor=current().email))
    flash("The consent is on record.")
    return redirect(url_for(".page", student_no=student_no, _anchor="consent"))


@pages.post(f"{STUDENT}/consent/withdraw")
@allowed(*OFFICE)
def withdraw(student_no: str) -> ResponseReturnValue:
    reason = " ".join(request.form.get("reason", "").split())[:LONGEST]
    if request.form.get("sure") != "yes":
        said = "nothing was changed; tick the box to say that the student took the consent back"
        return student_page(student_no, Draft("withdraw", said, reason=reason)), 400
    record_withdrawal(desk().database, student_no, current().email, reason)
    with removing("The consent is withdrawn. ") as stock:
        erased = erase_face(stock, student_no, current().email)
    flash(
        f"The consent is withdrawn; removed: {_counted(erased.faces, 'face')}, "
        f"{_counted(erased.photographs, 'photograph')}, {_counted(erased.crops, 'crop')}."
    )
    return redirect(url_for(".page", student_no=student_no, _anchor="consent"))


def _record(writing: Session, student_no: str, note: str, actor: str) -> None:
    record_consent(writing, find_student(writing, student_no), note, actor)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
