"""Attendance from one picture: choose a session, hand in a picture, and see who is on it."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from db.errors import GridrollError, StoreError
from db.mongo import CacheError
from db.report import SessionLine, session_line
from db.session_list import begun_sessions
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.figures import is_running
from portal.moments import at_clock, hours, local, zone
from portal.session_page import SESSION
from portal.sign_in import viewer
from portal.uploads import picture_page, uploaded
from recognizer.class_picture import ClassPicture, PictureFace, PictureTaker, open_class_picture
from recognizer.evidence import Evidence
from recognizer.picture import jpeg_of_image

__all__ = ["pages"]

pages = Blueprint("pictures", __name__)

RECENT = 30
AHEAD = timedelta(minutes=2)
"""No two clocks are the same."""


@dataclass(frozen=True, slots=True)
class PictureForm:
    """`taken`: the time on the course's clocks. `uid`: made with the form, so that sending it twice counts once."""

    taken: str
    uid: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture with its faces, for this one answer. `size`: of the mark on a face, in the picture's pixels."""

    url: str
    width: int
    height: int
    faces: list[PictureFace]

    @property
    def mark(self) -> float:
        return max(14.0, self.width / 44)


@pages.get("/pictures")
@allowed(*STAFF)
def listing() -> ResponseReturnValue:
    user, now = viewer(), desk().now()
    assert user is not None
    with desk().database.reading() as reading:
        lines = begun_sessions(reading, now, RECENT, user.courses)
    return render_template(
        "pictures/choose.html",
        lines=lines,
        running={line.id for line in lines if is_running(line, now)},
    )


@pages.get(f"/sessions/{SESSION}/picture")
@allowed(*STAFF)
@picture_page
def page(session_id: int) -> ResponseReturnValue:
    session = _session(session_id)
    refused = "" if session.starts_at <= desk().now() else _too_early(session)
    return _page(session, PictureForm(_usual_time(session), str(uuid4())), refused)


@pages.post(f"/sessions/{SESSION}/picture")
@allowed(*STAFF)
@picture_page
def take(session_id: int) -> ResponseReturnValue:
    session = _session(session_id)
    form = PictureForm(request.form.get("taken", "").strip()[:20], request.form.get("uid", "")[:64])
    try:
        upload = uploaded()
        if upload is None:
            raise PortalError("no picture was chosen; choose a file, or take one with the camera")
        if not form.uid:
            raise PortalError("the form did not arrive whole; choose the picture again and send it once more")
        taken_at = _taken_at(form, session)
        picture = open_class_picture(upload.content, "the picture", desk().settings.max_photo_pixels)
        faces = _taker().take(session_id, form.uid, taken_at, picture)
    except CacheError as error:
        current_app.logger.error("%s", error)
        said = "pictures need the face cache, which could not be opened; tell the operator, and try again"
        return _page(session, form, said), 503
    except StoreError:
        raise
    except GridrollError as error:
        return _page(session, form, str(error)), 400
    # Folded by now; how the class stands is read anew.
    session = _session(session_id)
    return render_template(
        "pictures/result.html",
        session=session,
        running=is_running(session, desk().now()),
        shown=_shown(picture, faces),
        taken_at=taken_at,
    )


def _session(session_id: int) -> SessionLine:
    with desk().database.reading() as reading:
        return session_line(reading, session_id)


def _taker() -> PictureTaker:
    at, user = desk(), viewer()
    assert user is not None
    evidence = Evidence(at.backroom.archive)
    return PictureTaker(at.database, at.needed_cache(), at.backroom.engine, at.settings, evidence, user.email)


def _usual_time(session: SessionLine) -> str:
    """Now while the class runs, its beginning otherwise."""
    now = desk().now()
    moment = now if is_running(session, now) else session.starts_at
    return f"{local(moment, session.time_zone):%H:%M}"


def _taken_at(form: PictureForm, session: SessionLine) -> datetime:
    """When the picture was taken. Raises PortalError for no time, or one outside the class or to come.

    The form tells minutes: of the one in which the class began, what is left of it counts.
    """
    now = desk().now()
    if session.starts_at > now:
        raise PortalError(_too_early(session))
    middle = session.starts_at + (session.ends_at - session.starts_at) / 2
    try:
        taken_at = at_clock(form.taken, middle, session.time_zone)
    except ValueError as error:
        raise PortalError(f"{form.taken!r} is no time of that day; write e.g. 09:05") from error
    is_within = session.starts_at.replace(second=0, microsecond=0) <= taken_at <= session.ends_at
    if not is_within or taken_at > now + AHEAD:
        begin, end = (hours(one, session.time_zone) for one in (session.starts_at, min(session.ends_at, now)))
        raise PortalError(
            f"{form.taken} is {'still to come' if is_within else 'not within the class'}; give a time from {begin} to "
            f"{end} {zone(session.starts_at, session.time_zone)}"
        )
    return max(taken_at, session.starts_at)


def _too_early(session: SessionLine) -> str:
    begin, name = (word(session.starts_at, session.time_zone) for word in (hours, zone))
    return f"this session has not begun; a picture of it can be taken from {begin} {name} on"


def _shown(picture: ClassPicture, faces: list[PictureFace]) -> Shown:
    height, width = picture.image.shape[:2]
    content = b64encode(jpeg_of_image(picture.image)).decode("ascii")
    return Shown(f"data:image/jpeg;base64,{content}", width, height, faces)


def _page(session: SessionLine, form: PictureForm, refused: str = "") -> str:
    return render_template(
        "pictures/take.html",
        session=session,
        form=form,
        refused=refused,
        max_bytes=desk().settings.max_photo_bytes,
    )
