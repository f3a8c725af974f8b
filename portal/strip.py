"""One student's session as a strip: a timeline of one row for the student's own page."""

from db.report import StudentLine
from portal.bars import stay_bars
from portal.moments import hours
from portal.palette import LIGHT
from portal.svg import element, paint
from portal.time_axis import Planned, axis_of
from portal.wording import status

__all__ = ["draw_strip"]

WIDTH, HEIGHT = 360, 16


def draw_strip(session: Planned, student: StudentLine) -> str:
    """A picture of when the student was there between the planned start and end. Every text in it is escaped."""
    moments = [moment for stay in student.intervals for moment in (stay.seen_from, stay.seen_to)]
    axis = axis_of(session, moments, 0, WIDTH)
    left, right = axis.x(session.starts_at), axis.x(session.ends_at)
    span = f"{hours(session.starts_at, session.time_zone)} to {hours(session.ends_at, session.time_zone)}"
    return element(
        "svg",
        element(
            "rect", x=left, y=3, width=right - left, height=HEIGHT - 6, rx=3, **paint(LIGHT, fill="grid")
        ),
        stay_bars(student, axis, 3, HEIGHT - 6, LIGHT),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        class_="strip",
        role="img",
        aria_label=f"{status(student.status)}, planned {span}",
        preserveAspectRatio="none",
    )
