"""Staff's pages: the sessions, one session, and its files."""

import json

from flask import Blueprint, Response, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.report import SessionReport, looks_in, session_report
from db.session_list import list_sessions
from db.students import course_codes
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.figures import is_running
from portal.live import live_answer
from portal.paging import Pager, page_number
from portal.report_files import as_csv, as_json, as_xlsx, file_stem
from portal.session_page import SESSION, live_parts, session_page
from portal.sign_in import unattended, viewer
from portal.timeline import draw_timeline
from portal.workers import takes_long

__all__ = ["pages"]

pages = Blueprint("sessions", __name__)

PER_PAGE = 50

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pages.get("/sessions")
@allowed(*STAFF)
@takes_long
def listing() -> ResponseReturnValue:
    user, now = viewer(), desk().now()
    assert user is not None
    number, course = page_number(), request.args.get("course", "")
    with desk().database.reading() as reading:
        codes = course_codes(reading, user.courses)
        course = course if course in codes else ""
        found = list_sessions(reading, now, (number - 1) * PER_PAGE, PER_PAGE, user.courses, course)
    return render_template(
        "sessions.html",
        lines=found.begun,
        coming=found.coming,
        codes=codes,
        course=course,
        pager=Pager.of(number, PER_PAGE, found.total),
        running={line.id for line in found.begun if is_running(line, now)},
    )


@pages.get(f"/sessions/{SESSION}")
@allowed(*STAFF)
@takes_long
def page(session_id: int) -> ResponseReturnValue:
    return session_page(session_id)


@pages.get(f"/sessions/{SESSION}/live.json")
@unattended
@allowed(*STAFF)
def live(session_id: int) -> Response:
    parts, looks = live_parts(session_id)
    return live_answer(parts, looks=looks)


@pages.get(f"/sessions/{SESSION}/looks.json")
@unattended
@allowed(*STAFF)
def looks(session_id: int) -> Response:
    """What the chart is drawn of: seconds since 1970, heads, and where each look has its page."""
    desk().follow(session_id)
    with desk().database.reading() as reading:
        found = looks_in(reading, session_id)
    return jsonify(
        times=[look.taken_at.timestamp() for look in found],
        headcount=[look.headcount for look in found],
        identified=[look.identified for look in found],
        explained=[look.identified + look.reviewed for look in found],
        pages=[url_for("looks.page", session_id=session_id, look_id=look.id) for look in found],
    )


@pages.get(f"/sessions/{SESSION}/timeline.svg")
@allowed(*STAFF)
@takes_long
def timeline(session_id: int) -> Response:
    """`on`: for a page of light or dark paper, which says itself which session it is; else a picture to keep."""
    report, paper = _report(session_id), request.args.get("on")
    picture = draw_timeline(report, dark=paper == "dark", heading=paper not in {"light", "dark"})
    return _file(picture.encode(), "image/svg+xml", f"{file_stem(report)}.svg")


@pages.get(f"/sessions/{SESSION}/report.csv")
@allowed(*STAFF)
@takes_long
def report_csv(session_id: int) -> Response:
    report = _report(session_id)
    # Spreadsheets read UTF-8 as such only behind a byte order mark.
    return _file(as_csv(report).encode("utf-8-sig"), "text/csv; charset=utf-8", f"{file_stem(report)}.csv")


@pages.get(f"/sessions/{SESSION}/report.xlsx")
@allowed(*STAFF)
@takes_long
def report_xlsx(session_id: int) -> Response:
    report = _report(session_id)
    return _file(as_xlsx(report), XLSX, f"{file_stem(report)}.xlsx")


@pages.get(f"/sessions/{SESSION}/report.json")
@allowed(*STAFF)
@takes_long
def report_json(session_id: int) -> Response:
    report = _report(session_id)
    content = json.dumps(as_json(report), ensure_ascii=False, indent=2) + "\n"
    return _file(content.encode(), "application/json", f"{file_stem(report)}.json")


def _report(session_id: int) -> SessionReport:
    desk().follow(session_id)
    with desk().database.reading() as reading:
        return session_report(reading, session_id)


def _file(content: bytes, mimetype: str, name: str) -> Response:
    response = make_response(content)
    response.headers["Content-Type"] = mimetype
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
