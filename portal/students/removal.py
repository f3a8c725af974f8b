"""Removing a student, confirmed by typing their number."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.access import OFFICE, allowed
from portal.students.blueprint import STUDENT, current, pages, removing
from portal.students.record import Draft, student_page
from recognizer.removal import remove_student

__all__ = ["remove"]

LONGEST_REASON = 500


@pages.post(f"{STUDENT}/remove")
@allowed(*OFFICE)
def remove(student_no: str) -> ResponseReturnValue:
    typed = request.form.get("number", "").strip()
    reason = " ".join(request.form.get("reason", "").split())[:LONGEST_REASON]
    if typed != student_no:
        said = f"{typed[:70]!r} is not {student_no}; type the number of the student who is to be removed"
        return student_page(student_no, Draft("remove", said, typed, reason)), 400
    with removing() as stock:
        counts = remove_student(stock, student_no, current().email, reason)
    shown = ", ".join(f"{word.replace('_', ' ')} {count}" for word, count in counts.items() if count)
    flash(f"{student_no} is removed. Gone: {shown}." if shown else f"{student_no} is removed.")
    return redirect(url_for(".listing"))
