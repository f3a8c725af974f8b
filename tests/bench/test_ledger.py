"""The figures of the ledger's benchmark, and the looks it invents."""

from datetime import UTC, datetime

import pytest

from bench.intake import SLICE, WINDOW, Durable, pace
from bench.reading import Timed
from bench.school import FACES, Meeting
from bench.sheet import Sheet, tables


def steady(looks_per_s: float, looks: int, processor_ms: float = 1.0) -> list[Durable]:
    return [Durable(n / looks_per_s, n * processor_ms / 1000) for n in range(looks)]


def test_a_pace_is_that_of_the_looks_after_its_mark() -> None:
    slow, mark = steady(100, 400), 400 * FACES
    fast = [Durable(4 + one.clock_s / 5, 0.4 + one.processor_s) for one in steady(100, WINDOW + SLICE)]
    found = pace([*slow, *fast], mark)
    assert found.looks_per_s == pytest.approx(500, rel=0.01)
    assert found.median_ms == pytest.approx(2)
    assert found.processor_ms == pytest.approx(1, rel=0.01)


def test_one_slow_slice_in_ten_shows_in_the_ninety_fifth_percentile_alone() -> None:
    done, held_up_s = [], 0.0
    for place, one in enumerate(steady(500, WINDOW + 1)):
        if place % (10 * SLICE) == 1:
            held_up_s += 1.0
        done.append(Durable(one.clock_s + held_up_s, one.processor_s))
    found = pace(done, FACES)
    assert found.median_ms == pytest.approx(2)
    assert found.p95_ms > 10


@pytest.mark.parametrize(
    ("looks_per_s", "at_last", "page_ms", "words"),
    [
        (400, 400, 30, {"holds"}),
        (290, 290, 30, {"holds", "MISSED"}),  # too slow
        (600, 400, 30, {"holds", "MISSED"}),  # fast enough, and slower the more there is
        (400, 400, 51, {"holds", "MISSED"}),  # the page is too slow
    ],
)
def test_what_misses_a_limit_is_said(
    looks_per_s: float, at_last: float, page_ms: float, words: set[str]
) -> None:
    paces = tuple(pace(steady(speed, WINDOW + 2), FACES) for speed in (looks_per_s, looks_per_s, at_last))
    page = Timed("a page", page_ms, 1.0, 50.0, (("SELECT 1 FROM looks", 1.0),))
    found = tables({"MariaDB": Sheet(paces, 0.0, {"one by one": 9.0}, (page,))})
    said = {word for table in found for row in table.rows for cell in row for word in cell.split()}
    assert said & {"holds", "MISSED"} == words


def test_an_invented_meeting_is_the_same_each_time_and_shows_25_faces() -> None:
    for size in (26, 40, 300):
        meeting = Meeting(7, datetime(2026, 9, 7, 8, tzinfo=UTC), tuple(range(1, size + 1)))
        looks = list(meeting.looks())
        assert looks == list(meeting.looks())
        assert {len({seen.track for seen in look.sightings}) for look in looks} == {FACES}
        assert len({look.uid for look in looks}) == len(looks)
        named = [naming for look in looks for naming in look.namings if naming.verdict == "named"]
        assert len({naming.student_id for naming in named}) >= FACES * 0.8
