"""The page of one look, and the crops that were kept of a session."""

from flask import Blueprint, Response, current_app, make_response, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from db.errors import EvidenceError, NotFoundError
from db.evidence import kept_until
from db.evidence.blobs import MissingBlobError
from db.look_sheet import look_sheet
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.grid_drawing import draw_grid
from portal.session_page import SESSION

__all__ = ["pages"]

pages = Blueprint("looks", __name__)

KEY = f"int(max={2**63 - 1})"
GONE = "No longer kept"
UNREADABLE = "Cannot be read now"


@pages.get(f"/sessions/{SESSION}/looks/<{KEY}:look_id>")
@allowed(*STAFF)
def page(session_id: int, look_id: int) -> ResponseReturnValue:
    desk().follow(session_id)
    with desk().database.reading() as reading:
        sheet = look_sheet(reading, session_id, look_id)
    return render_template(
        "looks/look.html",
        sheet=sheet,
        session=sheet.session,
        look=sheet.look,
        # draw_grid escapes every name it draws.
        drawing=Markup(draw_grid(sheet.heads)),
        now=desk().now(),
    )


@pages.get(f"/sessions/{SESSION}/evidence/<{KEY}:evidence_id>.jpg")
@allowed(*STAFF)
def evidence(session_id: int, evidence_id: int) -> ResponseReturnValue:
    """A crop; one whose time is over, or that is not of this session, is a picture that says so."""
    with desk().database.reading() as reading:
        keep_until = kept_until(reading, session_id, evidence_id)
    if keep_until is None:
        return _instead(GONE), 404
    if keep_until <= desk().now():
        return _instead(GONE)
    try:
        content = desk().backroom.archive.read(evidence_id)
    except (NotFoundError, MissingBlobError):
        return _instead(GONE)
    except EvidenceError as error:
        current_app.logger.error("crop %d of session %d: %s", evidence_id, session_id, error)
        return _instead(UNREADABLE), 503
    response = make_response(content)
    response.headers["Content-Type"] = "image/jpeg"
    return response


def _instead(words: str) -> Response:
    response = make_response(render_template("looks/instead.svg", words=words))
    response.headers["Content-Type"] = "image/svg+xml"
    return response
