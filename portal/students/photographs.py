"""Adding a photograph to a student, and taking one out."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from db.errors import GridrollError, StoreError
from db.people import consented, find_student
from portal.access import OFFICE, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.students.blueprint import STUDENT, current, enrolment, pages, refusal_words, removing
from portal.students.record import Draft, student_page
from portal.uploads import picture_page, stored_name, uploaded
from recognizer.errors import KnownPhotoError, LookalikeError, PhotoError, UnlikeError
from recognizer.photographs import remove_photograph

__all__ = ["add_photo", "remove_photo"]


@pages.post(f"{STUDENT}/photos")
@allowed(*OFFICE)
@picture_page
def add_photo(student_no: str) -> ResponseReturnValue:
    note = " ".join(request.form.get("consent", "").split())
    lookalikes = [request.form["lookalike"]] if request.form.get("lookalike") else []
    confirmed = request.form.get("confirmed") == "yes"
    try:
        upload = uploaded()
        if upload is None:
            raise PortalError("no photograph was chosen; choose a file, or take a picture with the camera")
        if not note:
            _refuse_without_consent(student_no)
        enrolment().add_picture(student_no, upload.content, stored_name(upload), note, lookalikes, confirmed)
    except StoreError:
        raise
    except PhotoError as error:
        draft = Draft(
            "photo",
            refusal_words(error),
            note,
            lookalike=(error.other_no, error.other_name) if isinstance(error, LookalikeError) else None,
            unlike=isinstance(error, UnlikeError),
        )
        return student_page(student_no, draft), 400
    except KnownPhotoError as error:
        said = f"This photograph of {error.owner} is there already; choose another one."
        return student_page(student_no, Draft("photo", said, note)), 400
    except GridrollError as error:
        return student_page(student_no, Draft("photo", str(error), note)), 400
    flash("The photograph is added, and its face is known from now on.")
    return redirect(url_for(".page", student_no=student_no, _anchor="photographs"))


@pages.post(f"{STUDENT}/photos/<int(max={2**63 - 1}):photo_id>/remove")
@allowed(*OFFICE)
def remove_photo(student_no: str, photo_id: int) -> ResponseReturnValue:
    with removing() as stock:
        remove_photograph(stock, student_no, photo_id, current().email)
    flash("The photograph and its face are removed.")
    return redirect(url_for(".page", student_no=student_no, _anchor="photographs"))


def _refuse_without_consent(student_no: str) -> None:
    with desk().database.reading() as reading:
        if consented(reading, [find_student(reading, student_no).id]):
            return
    raise PortalError("no consent is on record; say where the student’s agreement is held")
