"""A session as one picture: who was there when, and whether every head has a name.

Above, a row for each student; below, the headcount of every look against the heads that were identified. The gap
between the two is what nobody has explained yet.
"""

from db.report import SessionReport, StudentLine
from portal.balance_chart import BalanceChart
from portal.bars import stay_bars
from portal.legend import legend
from portal.letters import shortened, width_px
from portal.moments import clock, day, hours, zone
from portal.palette import DARK, LIGHT, Palette
from portal.svg import element, paint, text, title
from portal.time_axis import TimeAxis, axis_of
from portal.wording import minutes, review_sentence, status

__all__ = ["draw_timeline"]

WIDTH = 1120.0
PAD = 16.0
ROW = 26.0
BAR = 12.0
AXIS = 30.0
HEADING = 62.0
STATUS_WIDTH = 156.0
SIZE = 13
NARROWEST, WIDEST = 110.0, 192.0
"""Pixels of the column of names: it is as wide as the longest name needs, within these."""

FONT = "'Inter Variable', Inter, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def draw_timeline(report: SessionReport, dark: bool = False, heading: bool = True) -> str:
    """The picture as a self-contained SVG document.

    `dark`: colours for dark paper. `heading`: False where the page around it says which session it is. Shapes carry
    classes such as `fill-present`, by which a page can recolour the picture. Every text in it is escaped.
    """
    palette = DARK if dark else LIGHT
    names = max(
        (width_px(shortened(student.name, WIDEST, SIZE), SIZE) for student in report.students), default=0
    )
    left = PAD + max(names, NARROWEST) + 18
    axis = axis_of(report.session, (look.taken_at for look in report.looks), left, WIDTH - STATUS_WIDTH - PAD)
    top = (HEADING if heading else 0.0) + AXIS
    bottom = top + max(len(report.students), 1) * ROW
    chart = BalanceChart(report, axis, bottom + 34, PAD, palette)
    key, height = legend(report, PAD, chart.bottom + 24, WIDTH - PAD, palette)
    return element(
        "svg",
        element("rect", width=WIDTH, height=height, **paint(palette, fill="paper")),
        _heading(report, palette) if heading else "",
        *_unwatched(report, axis, top, chart.bottom, palette),
        _grid(axis, top, bottom, chart.bottom, palette),
        *(_row(student, axis, top + index * ROW, palette) for index, student in enumerate(report.students)),
        _empty(report, axis, (top + bottom) / 2, palette),
        _plan(report, axis, top, chart.bottom, palette),
        chart.draw(),
        _doubts(report, axis, top, chart, palette),
        key,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        width=WIDTH,
        height=float(round(height)),
        font_family=FONT,
        font_size=SIZE,
        class_="timeline",
        role="img",
        aria_label=f"Timeline of {report.session.title}: {len(report.students)} students, {len(report.looks)} looks",
    )


def _heading(report: SessionReport, palette: Palette) -> str:
    session = report.session
    there = session.time_zone
    when = (
        f"{session.course} · {day(session.starts_at, there)}, {hours(session.starts_at, there)}–"
        f"{hours(session.ends_at, there)} {zone(session.starts_at, there)} · {len(report.looks)} looks"
    )
    return text(session.title, PAD, 32.0, font_size=18, font_weight=650, **paint(palette, fill="ink")) + text(
        when, PAD, 52.0, **paint(palette, fill="soft")
    )


def _grid(axis: TimeAxis, top: float, rows_end: float, end: float, palette: Palette) -> str:
    lines = []
    for x, label in axis.ticks(apart_px=70):
        lines.append(element("line", x1=x, x2=x, y1=top - 4, y2=rows_end, **paint(palette, stroke="grid")))
        lines.append(
            element("line", x1=x, x2=x, y1=rows_end + 34, y2=end - 18, **paint(palette, stroke="grid"))
        )
        lines.append(
            text(label, x, top - 11, text_anchor="middle", font_size=12, **paint(palette, fill="soft"))
        )
    name = zone(axis.begin, axis.time_zone)
    lines.append(text(name, PAD, top - 11, font_size=12, **paint(palette, fill="soft")))
    return "".join(lines)


def _unwatched(
    report: SessionReport, axis: TimeAxis, top: float, bottom: float, palette: Palette
) -> list[str]:
    """Shades of the planned time before the first look and after the last."""
    if not report.looks:
        return []
    first, last = axis.x(report.looks[0].taken_at), axis.x(report.looks[-1].taken_at)
    spans = ((axis.x(report.session.starts_at), first), (last, axis.x(report.session.ends_at)))
    return [
        element(
            "rect",
            x=begin,
            y=top - 4,
            width=end - begin,
            height=bottom - 14 - top,
            **paint(palette, fill="band"),
        )
        for begin, end in spans
        if end > begin
    ]


def _row(student: StudentLine, axis: TimeAxis, top: float, palette: Palette) -> str:
    middle, right = top + ROW / 2, WIDTH - STATUS_WIDTH
    said = status(student.status) + (f" · {minutes(student.minutes)} min" if student.minutes else "")
    return element(
        "g",
        element("line", x1=axis.left, x2=axis.right, y1=middle, y2=middle, **paint(palette, stroke="grid")),
        element(
            "g",
            title(f"{student.name} ({student.student_no})"),
            # A picture of its own ends where its box does: no font makes a name run into the bars.
            element(
                "svg",
                text(shortened(student.name, WIDEST, SIZE), 0.0, ROW / 2 + 4.5, **paint(palette, fill="ink")),
                x=PAD,
                y=top,
                width=axis.left - PAD - 6,
                height=ROW,
                overflow="hidden",
            ),
        ),
        stay_bars(student, axis, middle - BAR / 2, BAR, palette),
        element("circle", cx=right + 6, cy=middle, r=4.5, **paint(palette, fill=student.status)),
        text(said, right + 18, middle + 4.5, **paint(palette, fill="ink")),
    )


def _empty(report: SessionReport, axis: TimeAxis, y: float, palette: Palette) -> str:
    if report.students and report.looks:
        return ""
    said = "No look has been taken yet" if report.students else "Nobody is on the roster of this course"
    place = (axis.left + axis.right) / 2
    return element(
        "rect", x=place - 150, y=y - 14, width=300, height=28, **paint(palette, fill="paper")
    ) + text(said, place, y + 4.5, text_anchor="middle", **paint(palette, fill="soft"))


def _plan(report: SessionReport, axis: TimeAxis, top: float, bottom: float, palette: Palette) -> str:
    lines = []
    for moment, word in (
        (report.session.starts_at, "Planned start"),
        (report.session.ends_at, "Planned end"),
    ):
        x = axis.x(moment)
        lines.append(
            element(
                "g",
                title(f"{word}: {clock(moment, axis.time_zone)}"),
                element(
                    "line", x1=x, x2=x, y1=top - 6, y2=bottom - 18, stroke_dasharray="3 3",
                    **paint(palette, stroke="soft"),
                ),
            )
        )  # fmt: skip
    return "".join(lines)


def _doubts(report: SessionReport, axis: TimeAxis, top: float, chart: BalanceChart, palette: Palette) -> str:
    rows = {student.student_no: index for index, student in enumerate(report.students)}
    marks = []
    for review in report.reviews:
        if review.kind == "dispute":  # said days later, of no moment of the session
            continue
        row = rows.get(review.student_no or "")
        y = chart.top - 12 if row is None else top + (row + 0.5) * ROW
        x = axis.x(review.at)
        marks.append(
            element(
                "g",
                title(review_sentence(review, axis.time_zone)),
                element(
                    "circle",
                    cx=x,
                    cy=y,
                    r=8.0,
                    stroke_width=1.5,
                    **paint(palette, fill="ink", stroke="paper"),
                ),
                text(
                    "?",
                    x,
                    y + 4,
                    text_anchor="middle",
                    font_size=11,
                    font_weight=700,
                    **paint(palette, fill="paper"),
                ),
            )
        )
    return "".join(marks)
