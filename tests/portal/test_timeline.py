"""The picture of a session."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from db.database import Database
from db.report import SessionReport, session_report
from portal.letters import shortened, width_px
from portal.palette import DARK, LIGHT
from portal.strip import draw_strip
from portal.time_axis import axis_of
from portal.timeline import draw_timeline
from tests.portal.cast import NAMES, START, class_of_sixteen

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def report(database: Database) -> SessionReport:
    meeting = class_of_sixteen(database)
    with database.reading() as reading:
        return session_report(reading, meeting)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def titles(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}title")]


def test_every_student_has_a_row_and_every_look_a_mark(report: SessionReport) -> None:
    picture = draw_timeline(report)
    for name in NAMES:
        assert any(found.startswith(name) for found in titles(picture))
    assert sum("sent to recognition" in found for found in titles(picture)) == len(report.looks)


def test_a_stay_tells_what_is_known_of_coming_and_going(report: SessionReport) -> None:
    chiara = next(found for found in titles(draw_timeline(report)) if found.startswith("Chiara Conti: seen"))
    assert re.fullmatch(
        r"Chiara Conti: seen 09:13:34 to 09:43:54; joined: between 09:13:\d\d and 09:13:34; "
        r"left: there at the last look",
        chiara,
    )


def test_one_head_is_no_heads(report: SessionReport) -> None:
    last = replace(report.looks[-1], headcount=1)
    picture = draw_timeline(replace(report, looks=(*report.looks[:-1], last)))
    assert "1 head" in texts(picture)
    assert any(": 1 head, " in found for found in titles(picture))


def test_doubts_are_marked(report: SessionReport) -> None:
    assert (
        sum(found == "?" for found in texts(draw_timeline(report))) == len(report.reviews) + 1
    )  # and the legend


def test_the_picture_stands_alone(report: SessionReport) -> None:
    picture = draw_timeline(report)
    for forbidden in ("<script", "<style", "style=", "href", "url(", "@import", "<image", "<foreignObject"):
        assert forbidden not in picture
    assert "Week 3: limits and continuity" in texts(picture)
    assert "Week 3: limits and continuity" not in texts(draw_timeline(report, heading=False))


def test_light_and_dark_use_their_own_paper(report: SessionReport) -> None:
    assert LIGHT.colour("paper") in draw_timeline(report)
    assert DARK.colour("paper") in draw_timeline(report, dark=True)
    assert LIGHT.colours.keys() == DARK.colours.keys()


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>", "A & B", '"quoted"', "A\x00\x0bB", "\ud800"]
)
def test_any_name_gives_a_sound_picture(report: SessionReport, name: str) -> None:
    first, *others = report.students
    odd = replace(
        report,
        session=replace(report.session, title=name),
        students=(replace(first, name=name, student_no=name), *others),
    )
    for picture in (draw_timeline(odd), draw_strip(odd.session, odd.students[0])):
        assert ET.fromstring(picture.encode()).tag == f"{SVG}svg"
        assert "<script" not in picture


def test_a_session_nobody_looked_at_and_one_of_nobody_are_drawn_too(report: SessionReport) -> None:
    unseen = tuple(replace(student, intervals=(), minutes=0.0) for student in report.students)
    assert "No look has been taken yet" in texts(
        draw_timeline(replace(report, students=unseen, looks=(), reviews=()))
    )
    assert "Nobody is on the roster of this course" in texts(
        draw_timeline(replace(report, students=(), reviews=()))
    )


def test_one_look_is_enough_for_a_picture(report: SessionReport) -> None:
    assert f"{report.looks[0].headcount} heads" in texts(
        draw_timeline(replace(report, looks=report.looks[:1]))
    )


def test_looks_outside_the_plan_stay_inside_the_picture(report: SessionReport) -> None:
    axis = axis_of(report.session, [START - timedelta(hours=3)], 100, 900)
    assert 100 < axis.x(START - timedelta(hours=3)) < axis.x(START) < axis.x(report.session.ends_at) < 900


def test_the_axis_has_round_times_that_do_not_touch(report: SessionReport) -> None:
    ticks = axis_of(report.session, [], 100, 900).ticks(apart_px=70)
    assert [label for _, label in ticks][:3] == ["09:00", "09:05", "09:10"]
    assert all(later[0] - earlier[0] >= 70 for earlier, later in pairwise(ticks))


def test_a_name_is_cut_by_the_width_of_its_letters() -> None:
    assert shortened("Ada Adams", 192, 13) == "Ada Adams"
    assert shortened("", 192, 13) == ""
    slim, wide = shortened("i" * 60, 192, 13), shortened("N" * 21, 192, 13)
    assert len(wide) < 21 < len(slim) < 60
    assert all(found.endswith("…") and width_px(found, 13) <= 192 for found in (slim, wide))
    # Accents take no width, however they are written.
    assert width_px("Zoë", 13) == width_px("Zoe\u0308", 13) == width_px("Zoe", 13)
