"""Correcting a student's name and e-mail address."""

from functools import partial

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from db.errors import GridrollError, NotFoundError, StoreError
from db.student_details import StudentConflictError, change_details
from portal.access import OFFICE, allowed
from portal.desk import desk
from portal.students.blueprint import STUDENT, current, pages
from portal.students.record import Draft, student_page

__all__ = ["correct"]


@pages.post(f"{STUDENT}/details")
@allowed(*OFFICE)
def correct(student_no: str) -> ResponseReturnValue:
    name, email = (" ".join(request.form.get(field, "").split()) for field in ("name", "email"))
    mark = request.form.get("mark", "")
    change = partial(
        change_details, student_no=student_no, name=name, email=email, mark=mark, actor=current().email
    )
    try:
        changed = desk().database.transact(change)
    except (NotFoundError, StoreError):
        raise
    except StudentConflictError as error:
        return student_page(student_no, Draft("details", str(error), name, email=email)), 409
    except GridrollError as error:
        return student_page(student_no, Draft("details", str(error), name, email=email)), 400
    flash(f"{name} is corrected." if changed else "Nothing was changed: that is what stands there.")
    return redirect(url_for(".page", student_no=student_no))
