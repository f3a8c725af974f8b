from collections.abc import Sequence
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rules import Ledger, Look, Naming, Rules, Span, fold
from tests.conftest import START

ANN, BEN = 1, 2
SPAN = Span(START, START + timedelta(minutes=45))
RULES = Rules()


def look(minute: float, *tracks: str, heads: int | None = None) -> Look:
    taken_at = START + timedelta(minutes=minute)
    headcount = len(tracks) if heads is None else heads
    return Look(f"look-{minute}", taken_at - timedelta(seconds=1), taken_at, headcount, frozenset(tracks))


def named(track: str, student: int, minute: float = 0.0, pct: float = 97.0) -> Naming:
    return Naming(track, START + timedelta(minutes=minute), "named", student, pct)


def said(track: str, verdict: str, minute: float, student: int | None = None) -> Naming:
    return Naming(track, START + timedelta(minutes=minute), verdict, student, 60.0)


def every_minute(tracks_of: dict[str, tuple[float, float]], until: float = 45) -> list[Look]:
    """A look each minute; each track is seen from its first to before its second minute."""
    return [
        look(minute, *(track for track, (begin, end) in tracks_of.items() if begin <= minute < end))
        for minute in [n + 0.5 for n in range(int(until))]
    ]


def ledger_of(looks: Sequence[Look], *namings: Naming, rules: Rules = RULES) -> Ledger:
    return fold(looks, namings, [ANN, BEN], SPAN, rules)


@pytest.mark.parametrize(
    ("begin", "end", "status"),
    [
        (0, 45, "present"),
        (9, 45, "present"),  # inside the ten minutes of grace
        (11, 45, "late"),
        (10, 45, "present"),  # came between 9:30 and 10:30: maybe in time, so not held against them
        (0, 34, "left_early"),
        (0, 36, "present"),
        (12, 30, "late"),  # late and left early: the ledger says the first
        (0, 3, "absent"),  # under a tenth of the class
    ],
)
def test_a_stay_gets_the_status_that_the_course_rules_give_it(begin: float, end: float, status: str) -> None:
    looks = every_minute({"a": (begin, end), "b": (0, 45)})
    ledger = ledger_of(looks, named("a", ANN), named("b", BEN))
    assert ledger.entries[0].status == status


def test_times_say_between_which_looks_somebody_came_and_went() -> None:
    stay = ledger_of(every_minute({"a": (5, 20), "b": (0, 45)}), named("a", ANN)).entries[0].intervals[0]
    assert stay.seen_from == START + timedelta(minutes=5.5)
    assert stay.not_before == START + timedelta(minutes=4.5, seconds=-1)
    assert stay.seen_to == START + timedelta(minutes=19.5)
    assert stay.not_after == START + timedelta(minutes=20.5)


def test_a_name_found_at_a_later_look_holds_from_the_first_look_of_that_face() -> None:
    ledger = ledger_of(every_minute({"a": (0, 45)}), said("a", "pending", 0.5, ANN), named("a", ANN, 3.5))
    assert ledger.entries[0].intervals[0].seen_from == START + timedelta(minutes=0.5)
    assert {balance.unknown for balance in ledger.balances} == {0}


def test_a_name_that_a_spot_check_takes_back_does_not_hold_afterwards() -> None:
    ledger = ledger_of(every_minute({"a": (0, 45)}), named("a", ANN, 0.5), said("a", "unknown", 20.5))
    assert ledger.entries[0].intervals[-1].seen_to == START + timedelta(minutes=19.5)
    assert [(doubt.kind, doubt.at) for doubt in ledger.doubts] == [
        ("unknown_face", START + timedelta(minutes=20.5))
    ]


def test_somebody_else_found_in_the_tile_is_there_from_that_look_on() -> None:
    ledger = ledger_of(every_minute({"a": (0, 45)}), named("a", ANN, 0.5), named("a", BEN, 20.5))
    assert ledger.entries[0].intervals[-1].seen_to == START + timedelta(minutes=19.5)
    assert ledger.entries[1].intervals[0].seen_from == START + timedelta(minutes=20.5)


def test_a_head_missed_at_one_look_is_no_leaving() -> None:
    looks = [look(n, *(() if n == 7 else ("a",))) for n in range(1, 45)]
    assert len(ledger_of(looks, named("a", ANN)).entries[0].intervals) == 1


def test_two_looks_without_a_head_are_a_leaving_and_a_rejoining() -> None:
    looks = [look(n, *(() if n in {7, 8} else ("a",))) for n in range(1, 45)]
    entry = ledger_of(looks, named("a", ANN)).entries[0]
    assert len(entry.intervals) == 2
    assert entry.status == "present"


def test_a_missed_look_is_not_bridged_when_looks_are_an_hour_apart() -> None:
    looks = [look(0.5, "a"), look(20), look(40, "a")]
    assert len(ledger_of(looks, named("a", ANN)).entries[0].intervals) == 2


def test_rejoining_under_another_track_is_the_same_person_with_two_stays() -> None:
    entry = ledger_of(every_minute({"a": (0, 10), "c": (20, 45)}), named("a", ANN), named("c", ANN)).entries[
        0
    ]
    assert len(entry.intervals) == 2
    assert entry.minutes == pytest.approx(35.0, abs=0.1)


def test_each_look_stands_for_the_time_nearest_to_it() -> None:
    # Seen at the first of two looks, half an hour apart: half of the class, whoever looks that rarely.
    entry = ledger_of([look(7.5, "a"), look(37.5)], named("a", ANN)).entries[0]
    assert entry.minutes == pytest.approx(22.5)


def test_a_look_balances_headcount_with_identified_and_unknown() -> None:
    looks = [look(5, "a", "b", "stranger", heads=3)]
    balance = ledger_of(looks, named("a", ANN), named("b", BEN), said("stranger", "unknown", 5)).balances[0]
    assert (balance.headcount, balance.identified, balance.unknown) == (3, 2, 1)


@pytest.mark.parametrize(
    ("naming", "kind", "student"),
    [
        (said("a", "unknown", 0.5), "unknown_face", None),
        (said("a", "doubtful", 0.5, ANN), "low_similarity", ANN),
        (said("a", "pending", 0.5, ANN), "low_similarity", ANN),  # left before it could be asked again
    ],
)
def test_a_face_without_a_name_becomes_a_review(naming: Naming, kind: str, student: int | None) -> None:
    doubts = ledger_of(every_minute({"a": (0, 10)}), naming).doubts
    assert [(doubt.kind, doubt.subject, doubt.student_id) for doubt in doubts] == [(kind, "a", student)]


def test_a_face_that_is_still_being_asked_about_is_no_review_yet() -> None:
    assert ledger_of([look(1, "a")], said("a", "pending", 1, ANN)).doubts == ()


@pytest.mark.parametrize("verdict", ["doubtful", "pending"])
def test_nobody_is_absent_on_a_doubt(verdict: str) -> None:
    looks = [look(1, "a", "b"), look(2, "a", "b")]
    ann = ledger_of(looks, said("a", verdict, 1, ANN), named("b", BEN)).entries[0]
    assert ann.status == "unverified"


def test_nobody_is_absent_from_a_class_that_nobody_looked_at() -> None:
    assert {entry.status for entry in ledger_of([]).entries} == {"unverified"}


def test_who_cannot_be_recognised_is_not_called_absent_for_it() -> None:
    looks = [look(1, "b"), look(2, "b")]
    ledger = fold(looks, [named("b", BEN)], [ANN, BEN], SPAN, RULES, faceless=[ANN])
    assert [entry.status for entry in ledger.entries] == ["unverified", "present"]


def test_an_agent_that_never_saw_a_head_calls_nobody_absent() -> None:
    assert {entry.status for entry in ledger_of([look(1), look(2)]).entries} == {"unverified"}


def test_one_student_in_two_tiles_counts_once_and_opens_a_review() -> None:
    ledger = ledger_of([look(1, "a", "b")], named("a", ANN), named("b", ANN))
    assert [doubt.kind for doubt in ledger.doubts] == ["two_tiles"]
    assert (ledger.balances[0].identified, ledger.balances[0].unknown) == (1, 1)


def test_somebody_off_the_roster_is_nobody_in_the_ledger() -> None:
    ledger = ledger_of([look(1, "a")], named("a", 99))
    assert {entry.student_id for entry in ledger.entries} == {ANN, BEN}
    assert ledger.balances[0].identified == 0


def test_who_leaves_after_the_agent_stopped_is_not_called_early() -> None:
    # Watched for half an hour only; away for the last two minutes of that.
    entry = ledger_of(every_minute({"a": (0, 28), "b": (0, 30)}, until=30), named("a", ANN)).entries[0]
    assert entry.status == "present"


TRACKS = st.sampled_from(["a", "b", "c", "d"])
MINUTES = st.integers(0, 44)
LOOKS = st.lists(st.tuples(MINUTES, st.frozensets(TRACKS)), unique_by=lambda pair: pair[0], max_size=25).map(
    lambda pairs: [look(minute, *tracks) for minute, tracks in pairs]
)
NAMINGS = st.lists(
    st.builds(
        lambda track, minute, verdict, student: Naming(
            track, START + timedelta(minutes=minute), verdict, student if verdict != "unknown" else None, 91.0
        ),
        TRACKS,
        MINUTES,
        st.sampled_from(["named", "pending", "doubtful", "unknown"]),
        st.sampled_from([ANN, BEN]),
    ),
    unique_by=lambda naming: (naming.track, naming.at),
    max_size=12,
)


@given(LOOKS, NAMINGS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_any_duplicates_give_the_same_ledger(
    looks: list[Look], namings: list[Naming], random: Random
) -> None:
    shuffled, doubled = looks * 2, namings * 2
    random.shuffle(shuffled)
    random.shuffle(doubled)
    assert ledger_of(shuffled, *doubled) == ledger_of(looks, *namings)


@given(LOOKS, NAMINGS)
def test_every_look_balances_and_nobody_is_there_longer_than_the_class(
    looks: list[Look], namings: list[Naming]
) -> None:
    ledger = ledger_of(looks, *namings)
    assert all(balance.identified + balance.unknown == balance.headcount for balance in ledger.balances)
    assert all(0 <= entry.minutes <= 45.001 for entry in ledger.entries)
    for entry in ledger.entries:
        edges = [edge for stay in entry.intervals for edge in (stay.seen_from, stay.seen_to)]
        assert edges == sorted(edges)


@given(LOOKS, NAMINGS)
def test_nobody_is_present_without_having_been_named(looks: list[Look], namings: list[Naming]) -> None:
    named_students = {naming.student_id for naming in namings if naming.verdict == "named"}
    for entry in ledger_of(looks, *namings).entries:
        assert not entry.intervals or entry.student_id in named_students
