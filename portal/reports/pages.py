"""The pages and files of reports."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from db.course_shares import course_shares
from db.due import due_of_course
from db.people import find_course
from db.sessions import find_session
from db.term import TermReport, term_report
from db.turnout import Turnout, turnout_of
from portal.access import STAFF, allowed
from portal.cells import MARKS
from portal.desk import desk
from portal.downloads import CSV, XLSX, download, stem
from portal.errors import PortalError
from portal.moments import day_month, local
from portal.reports.charts import Bar, draw_bars
from portal.reports.files import report_xlsx, turnout_csv
from portal.reports.lms import canvas_grades, moodle_grades, moodle_session, moodle_term
from portal.reports.matrix import ORDERS, matrix_of
from portal.reports.span import NO_SPAN, Span, read_span
from portal.session_page import SESSION
from portal.sign_in import viewer
from portal.term_files import term_csv
from portal.wording import STATUSES, attended_percent
from portal.workers import takes_long

__all__ = ["pages"]

T = TypeVar("T")

pages = Blueprint("reports", __name__)

COURSE = "/reports/<course:code>"
A_PAGE = 50
FOLDED = 20
"""Sessions of a course whose ledgers are brought up to date before a page; more are left to the portal's keeper."""


@pages.get("/reports")
@allowed(*STAFF)
@takes_long
def page() -> ResponseReturnValue:
    user = viewer()
    assert user is not None
    text, offset = request.args.get("q", "").strip()[:200], _number("at")
    with desk().database.reading() as reading:
        found = course_shares(reading, desk().now(), user.courses, text, offset, A_PAGE + 1)
    return render_template(
        "reports/courses.html",
        courses=found[:A_PAGE],
        text=text,
        before=max(0, offset - A_PAGE) if offset else None,
        after=offset + A_PAGE if len(found) > A_PAGE else None,
    )


@pages.get(COURSE)
@allowed(*STAFF)
@takes_long
def course(code: str) -> ResponseReturnValue:
    span, refused = _span()
    order = request.args.get("order", "name")
    report = _term(code, span, minutes=False)
    at = None if request.args.get("at") is None else _number("at")
    matrix = matrix_of(report, order, at, _number("row"), request.args.get("whole") == "1")
    bars = [
        Bar(day_month(one.starts_at, report.time_zone), one.share, _share_words(report, place))
        for place, one in enumerate(report.sessions)
        if one.held
    ]
    chart = draw_bars(bars, "Attended, by session", percent=True, limit=report.limit) if bars else ""
    return (
        render_template(
            "reports/course.html",
            report=report,
            matrix=matrix,
            chart=Markup(chart),
            orders=ORDERS,
            order=order if order in ORDERS else "name",
            short=sum(map(report.falls_short, report.students)),
            counted=sum(line.counted > 0 for line in report.students),
            statuses=STATUSES,
            marks=MARKS,
            **_form(code, span, refused),
        ),
        400 if refused else 200,
    )


@pages.get(f"{COURSE}/turnout")
@allowed(*STAFF)
@takes_long
def turnout(code: str) -> ResponseReturnValue:
    span, refused = _span()
    report = _turnout(code, span)
    days = [
        Bar(
            f"{day.on.day} {day.on:%b}",
            float(day.persons),
            f"{day.on:%a} {day.on.day} {day.on:%b %Y}: {day.persons} persons",
        )
        for day in report.days
    ]
    hours = [
        Bar(
            f"{hour.hour:02}:00",
            hour.average,
            f"{hour.hour:02}:00 to {hour.hour:02}:59: {hour.average:.1f} persons a day",
        )
        for hour in report.hours
    ]
    return (
        render_template(
            "reports/turnout.html",
            report=report,
            daily=Markup(draw_bars(days, "Persons seen, by day")),
            hourly=Markup(draw_bars(hours, "Persons seen on a day with class, by hour")),
            **_form(code, span, refused),
        ),
        400 if refused else 200,
    )


@pages.get(f"{COURSE}/report.csv")
@allowed(*STAFF)
@takes_long
def report_csv(code: str) -> ResponseReturnValue:
    # Spreadsheets read UTF-8 as such only behind a byte order mark.
    return _file(code, "attendance.csv", CSV, lambda span: term_csv(_term(code, span)).encode("utf-8-sig"))


@pages.get(f"{COURSE}/report.xlsx")
@allowed(*STAFF)
@takes_long
def report_workbook(code: str) -> ResponseReturnValue:
    def content(span: Span) -> bytes:
        def both(reading: Session) -> tuple[TermReport, Turnout]:
            now, days = desk().now(), _days(reading, code, span)
            return term_report(reading, code, now, *days), turnout_of(reading, code, now, *days)

        return report_xlsx(*_read(code, both))

    return _file(code, "report.xlsx", XLSX, content)


@pages.get(f"{COURSE}/turnout.csv")
@allowed(*STAFF)
@takes_long
def turnout_file(code: str) -> ResponseReturnValue:
    return _file(code, "turnout.csv", CSV, lambda span: turnout_csv(_turnout(code, span)).encode("utf-8-sig"))


@pages.get(f"{COURSE}/moodle-grades.csv")
@allowed(*STAFF)
@takes_long
def moodle_grades_file(code: str) -> ResponseReturnValue:
    return _file(code, "moodle-grades.csv", CSV, lambda span: moodle_grades(_term(code, span)).encode())


@pages.get(f"{COURSE}/moodle-attendance.csv")
@allowed(*STAFF)
@takes_long
def moodle_term_file(code: str) -> ResponseReturnValue:
    return _file(code, "moodle-attendance.csv", CSV, lambda span: moodle_term(_term(code, span)).encode())


@pages.get(f"{COURSE}/canvas-grades.csv")
@allowed(*STAFF)
@takes_long
def canvas_grades_file(code: str) -> ResponseReturnValue:
    return _file(code, "canvas-grades.csv", CSV, lambda span: canvas_grades(_term(code, span)).encode())


@pages.get(f"/sessions/{SESSION}/moodle.csv")
@allowed(*STAFF)
@takes_long
def moodle_session_file(session_id: int) -> Response:
    desk().follow(session_id)
    with desk().database.reading() as reading:
        row = find_session(reading, session_id)
        day = Span(*[local(row.starts_at, row.course.time_zone).date()] * 2)
        code = row.course.code
        report = term_report(reading, code, desk().now(), *day.moments(row.course.time_zone))
    name = f"{stem(code, 'session', str(session_id))}-moodle.csv"
    return download(moodle_session(report, session_id), CSV, name)


def _file(code: str, name: str, mimetype: str, content: Callable[[Span], bytes]) -> ResponseReturnValue:
    span, refused = _span()
    if refused:
        # The page says what is wrong with the days that were asked for.
        return redirect(f"{url_for('.course', code=code)}?{request.query_string.decode('ascii', 'replace')}")
    days = [f"{on:%Y-%m-%d}" for on in (span.first, span.last) if on is not None]
    return download(content(span), mimetype, f"{stem(code, *days)}-{name}")


def _term(code: str, span: Span, *, minutes: bool = True) -> TermReport:
    def work(reading: Session) -> TermReport:
        return term_report(reading, code, desk().now(), *_days(reading, code, span), minutes=minutes)

    return _read(code, work)


def _turnout(code: str, span: Span) -> Turnout:
    return _read(code, lambda reading: turnout_of(reading, code, desk().now(), *_days(reading, code, span)))


def _days(reading: Session, code: str, span: Span) -> tuple[datetime | None, datetime | None]:
    return (None, None) if span == NO_SPAN else span.moments(find_course(reading, code).time_zone)


def _read(code: str, work: Callable[[Session], T]) -> T:
    """What `work` reads, once the ledgers of the course have followed."""
    with desk().database.reading() as reading:
        due = due_of_course(reading, code)
        if not due:
            return work(reading)
    for session_id in due[:FOLDED]:
        desk().follow(session_id)
    with desk().database.reading() as reading:
        return work(reading)


def _span() -> tuple[Span, str]:
    """The days asked for, and why they cannot be; all days in that case."""
    try:
        return read_span(request.args), ""
    except PortalError as error:
        return NO_SPAN, str(error)


def _form(code: str, span: Span, refused: str) -> dict[str, object]:
    typed = {name: request.args.get(name, "")[:40] for name in ("from", "to")}
    return {"code": code, "span": span, "refused": refused, "typed": typed}


def _number(name: str) -> int:
    """A place in a list; 0 for what is none."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0


def _share_words(report: TermReport, place: int) -> str:
    one = report.sessions[place]
    there = local(one.starts_at, report.time_zone)
    return (
        f"{there.day} {there:%b %Y}, {there:%H:%M}, {one.title}: {attended_percent(one.share)}, "
        f"{one.attended} of {one.counted} came"
    )
