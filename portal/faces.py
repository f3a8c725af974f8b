"""The list of indexed faces, and taking one out."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from db.faces import list_faces
from portal.access import OFFICE, STAFF, allowed
from portal.desk import desk
from portal.paging import Pager, page_number
from portal.sign_in import viewer
from portal.students.blueprint import removing
from recognizer.photographs import remove_face

__all__ = ["pages"]

pages = Blueprint("faces", __name__)

PER_PAGE = 50


@pages.get("/faces")
@allowed(*STAFF)
def listing() -> ResponseReturnValue:
    user, number = viewer(), page_number()
    assert user is not None
    with desk().database.reading() as reading:
        total, lines = list_faces(reading, user.courses, (number - 1) * PER_PAGE, PER_PAGE)
    return render_template(
        "faces/list.html", lines=lines, total=total, pager=Pager.of(number, PER_PAGE, total)
    )


@pages.post("/faces/<string(maxlength=64):face_id>/remove")
@allowed(*OFFICE)
def remove(face_id: str) -> ResponseReturnValue:
    user = viewer()
    assert user is not None
    with removing() as stock:
        remove_face(stock, face_id, user.email)
    flash("The face is removed, and its photograph with it.")
    return redirect(url_for(".listing"))
