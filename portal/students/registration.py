"""Registering a student: who they are, their courses, and a photograph from a file or the camera."""

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.errors import GridrollError, NotFoundError, StoreError
from db.students import NewStudent, check_new, course_codes, register_student
from portal.access import OFFICE, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.students.blueprint import current, enrolment, pages, refusal_words
from portal.uploads import Upload, picture_page, stored_name, uploaded
from recognizer.errors import LookalikeError, PhotoError

__all__ = ["form", "register"]


@dataclass(frozen=True, slots=True)
class RegistrationForm:
    """The form as it was filled in. `lookalike`: number of whom the photograph may resemble; empty: nobody."""

    student_no: str = ""
    name: str = ""
    email: str = ""
    courses: tuple[str, ...] = ()
    consent: str = ""
    lookalike: str = ""

    @classmethod
    def sent(cls) -> "RegistrationForm":
        fields = ("student_no", "name", "email", "consent", "lookalike")
        given = {name: " ".join(request.form.get(name, "").split()) for name in fields}
        return cls(courses=tuple(dict.fromkeys(request.form.getlist("course"))), **given)

    @property
    def new(self) -> NewStudent:
        return NewStudent(self.student_no, self.name, self.email, self.courses, self.consent)


@pages.get("/registration")
@allowed(*OFFICE)
@picture_page
def form() -> ResponseReturnValue:
    return _page(RegistrationForm(courses=tuple(request.args.getlist("course"))))


@pages.post("/registration")
@allowed(*OFFICE)
@picture_page
def register() -> ResponseReturnValue:
    filled = RegistrationForm.sent()
    try:
        upload = uploaded()
        _check(filled, upload)
        desk().database.transact(lambda writing: register_student(writing, filled.new, current().email))
    except StoreError:
        raise
    except LookalikeError as error:
        return _page(filled, refusal_words(error), (error.other_no, error.other_name)), 400
    except PhotoError as error:
        return _page(filled, refusal_words(error)), 400
    except NotFoundError:
        return _page(filled, "one of the courses is there no longer; tick another one"), 400
    except GridrollError as error:
        return _page(filled, str(error)), 400
    if upload is not None:
        lookalikes = [filled.lookalike] if filled.lookalike else []
        try:
            enrolment().add_picture(
                filled.student_no, upload.content, stored_name(upload), "", lookalikes, confirmed=True
            )
        except StoreError:
            raise
        except GridrollError as error:
            said = refusal_words(error) if isinstance(error, PhotoError) else str(error)
            flash(f"{filled.name} is registered, but without the photograph: {said}")
            return redirect(url_for(".page", student_no=filled.student_no, _anchor="photographs"))
    flash(
        f"{filled.name} is registered."
        if upload is None
        else f"{filled.name} is registered and will be recognised."
    )
    return redirect(url_for(".page", student_no=filled.student_no))


def _check(filled: RegistrationForm, upload: Upload | None) -> None:
    """Everything that can be wrong is told before anything is stored. Raises GridrollError."""
    with desk().database.reading() as reading:
        check_new(reading, filled.new)
    if upload is None:
        return
    if not filled.consent:
        raise PortalError(
            "a photograph needs a consent; say where the student’s agreement is held, or leave it out"
        )
    lookalikes = [filled.lookalike] if filled.lookalike else []
    enrolment().vet_picture(filled.student_no, filled.name, upload.content, stored_name(upload), lookalikes)


def _page(filled: RegistrationForm, refused: str = "", lookalike: tuple[str, str] | None = None) -> str:
    with desk().database.reading() as reading:
        codes = course_codes(reading, current().courses)
    return render_template(
        "students/register.html",
        form=filled,
        refused=refused,
        lookalike=lookalike,
        codes=codes,
        photo_sent=any(file.filename for file in request.files.getlist("photo")),
        max_bytes=desk().settings.max_photo_bytes,
    )
