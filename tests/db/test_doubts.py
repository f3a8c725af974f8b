"""Each kind of doubt, what staff's verdicts make of it, and that nobody is absent by a doubt."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rules import Ledger, Look, Naming, Rules, Ruling, Span, fold
from tests.conftest import START

ANN, BEN, CID = 1, 2, 3
SPAN = Span(START, START + timedelta(minutes=45))


def look(minute: float, *tracks: str, heads: int | None = None) -> Look:
    taken_at = START + timedelta(minutes=minute)
    headcount = len(tracks) if heads is None else heads
    return Look(f"look-{minute}", taken_at - timedelta(seconds=1), taken_at, headcount, frozenset(tracks))


def naming(
    track: str,
    verdict: str,
    student: int | None = None,
    minute: float = 0,
    pct: float = 85.0,
    rival: tuple[int, float] | None = None,
) -> Naming:
    rival_id, rival_pct = rival or (None, None)
    at = START + timedelta(minutes=minute)
    return Naming(track, at, verdict, student, pct, rival_id, rival_pct, threshold_pct=90.0, margin_pct=5.0)


def named(track: str, student: int, minute: float = 0, pct: float = 97.0) -> Naming:
    return naming(track, "named", student, minute, pct)


def ruled(
    track: str,
    verdict: str,
    student: int | None = None,
    kind: str = "unknown_face",
    since: float | None = None,
    made: float = 100,
) -> Ruling:
    at = None if since is None else START + timedelta(minutes=since)
    return Ruling(track, kind, verdict, student, at, START + timedelta(minutes=made))


def ledger_of(looks: Sequence[Look], *said: Naming, rulings: Sequence[Ruling] = ()) -> Ledger:
    return fold(looks, said, [ANN, BEN, CID], SPAN, Rules(), rulings=rulings)


def doubts(ledger: Ledger) -> list[tuple[str, str, int | None]]:
    return [(doubt.kind, doubt.subject, doubt.student_id) for doubt in ledger.doubts]


def statuses(ledger: Ledger) -> dict[int, str]:
    return {entry.student_id: entry.status for entry in ledger.entries}


CLASS = [look(minute, "a", "b") for minute in range(1, 45)]


@pytest.mark.parametrize(
    ("said", "kind", "students"),
    [
        (naming("b", "unknown"), "unknown_face", set()),
        # like nobody; that two students are about as unlike it as one another says nothing
        (
            replace(naming("b", "unknown", pct=55), runner_up_id=CID, runner_up_pct=53.0),
            "unknown_face",
            set(),
        ),
        (naming("b", "doubtful", BEN), "low_similarity", {BEN}),
        # as like as one another: either may be it
        (naming("b", "doubtful", BEN, pct=95, rival=(CID, 92)), "small_margin", {BEN, CID}),
        # the student more like it is in another tile, the assignment left the next one to this face
        (naming("b", "doubtful", BEN, pct=91, rival=(CID, 96)), "small_margin", {BEN, CID}),
        (naming("b", "doubtful", BEN, pct=85, rival=(CID, 40)), "low_similarity", {BEN}),
        (named("b", ANN, pct=93), "two_tiles", {ANN}),
        # the assignment left the second tile without a name, and the face would have had it
        (naming("b", "doubtful", ANN, pct=96), "two_tiles", {ANN}),
        (naming("b", "doubtful", ANN, pct=85), "low_similarity", {ANN}),
    ],
)
def test_what_stands_between_a_face_and_a_name_says_what_kind_of_doubt_it_is(
    said: Naming, kind: str, students: set[int]
) -> None:
    ledger = ledger_of(CLASS, named("a", ANN), said)
    assert [(doubt.kind, doubt.subject) for doubt in ledger.doubts] == [(kind, "b")]
    assert ledger.doubts[0].students == students


def test_a_suspicion_that_more_looks_cleared_up_suspects_nobody_any_more() -> None:
    said = [naming("b", "doubtful", BEN, minute=4), naming("b", "unknown", minute=9)]
    ledger = ledger_of(CLASS, named("a", ANN), *said)
    assert doubts(ledger) == [("unknown_face", "b", None)]
    assert statuses(ledger)[BEN] == "absent"


def test_both_students_of_a_small_margin_are_unverified() -> None:
    ledger = ledger_of(CLASS, named("a", ANN), naming("b", "doubtful", BEN, pct=95, rival=(CID, 92)))
    assert statuses(ledger) == {ANN: "present", BEN: "unverified", CID: "unverified"}


def test_in_two_tiles_the_face_most_like_the_student_holds_them_and_the_other_is_named_beside_it() -> None:
    ledger = ledger_of(CLASS, named("a", ANN, pct=91), named("b", ANN, pct=97))
    doubt = ledger.doubts[0]
    assert (doubt.kind, doubt.subject, doubt.beside) == ("two_tiles", "a", "b")
    assert statuses(ledger)[ANN] == "present"


@pytest.mark.parametrize("kind", ["still_picture", "loop"])
def test_a_cue_opens_a_review_and_decides_nothing(kind: str) -> None:
    looks = [look(1, "a", "b"), replace(look(2, "a", "b"), cues={"b": kind}), *CLASS[2:]]
    ledger = ledger_of(looks, named("a", ANN), named("b", BEN))
    assert doubts(ledger) == [(kind, "b", BEN)]
    assert statuses(ledger)[BEN] == "present"


@pytest.mark.parametrize(
    ("cue", "verdict", "status"),
    [
        (None, None, "absent"),
        ("still_picture", None, "unverified"),
        ("still_picture", "is_student", "absent"),
    ],
)
def test_a_cue_about_a_short_stay_keeps_it_open_until_staff_have_said_what_it_was(
    cue: str | None, verdict: str | None, status: str
) -> None:
    looks = [
        replace(look(1, "a", "b"), cues={"b": cue} if cue else {}),
        *(look(minute, "a") for minute in range(2, 45)),
    ]
    rulings = [ruled("b", verdict, BEN, "still_picture")] if verdict else []
    assert statuses(ledger_of(looks, named("a", ANN), named("b", BEN), rulings=rulings))[BEN] == status


def test_heads_that_no_answer_explains_become_a_review_when_they_stay() -> None:
    few = [look(1, "a", heads=2), look(2, "a", heads=2), look(3, "a"), look(4, "a", "x")]
    assert doubts(ledger_of(few, named("a", ANN))) == []
    stay = [*few, look(5, "a", "x"), look(6, "a", heads=2)]
    assert doubts(ledger_of(stay, named("a", ANN))) == [("headcount", "look-4", None)]


def test_heads_that_staff_explained_are_no_doubt_and_balance() -> None:
    looks = [look(minute, "a", heads=2) for minute in range(1, 5)]
    ledger = ledger_of(looks, named("a", ANN), rulings=[ruled("look-1", "explained", kind="headcount")])
    assert doubts(ledger) == []
    assert [(balance.reviewed, balance.is_verified) for balance in ledger.balances] == [(1, True)] * 4


def test_whom_staff_recognise_is_there_from_the_first_look_of_that_face() -> None:
    ledger = ledger_of(
        CLASS,
        named("a", ANN),
        naming("b", "doubtful", BEN, minute=3),
        rulings=[ruled("b", "is_student", BEN, "low_similarity", since=1)],
    )
    assert doubts(ledger) == []
    assert statuses(ledger)[BEN] == "present"
    assert all(balance.is_verified for balance in ledger.balances)


def test_a_guest_is_no_doubt_and_explains_the_head() -> None:
    ledger = ledger_of(CLASS, named("a", ANN), naming("b", "unknown"), rulings=[ruled("b", "guest", since=1)])
    assert doubts(ledger) == []
    assert {(balance.identified, balance.unknown, balance.reviewed) for balance in ledger.balances} == {
        (1, 1, 1)
    }


def test_a_guest_who_sat_down_on_a_student_s_seat_does_not_take_their_time_before() -> None:
    taken_back = naming("b", "unknown", minute=20)
    ledger = ledger_of(
        CLASS, named("a", ANN), named("b", BEN), taken_back, rulings=[ruled("b", "guest", since=20)]
    )
    assert ledger.entries[1].intervals[0].seen_from == CLASS[0].taken_at
    assert ledger.entries[1].intervals[0].seen_to == START + timedelta(minutes=19)
    assert doubts(ledger) == []


def test_who_staff_say_it_is_not_is_not_there_and_no_longer_suspected() -> None:
    not_ben = ruled("b", "not_student", BEN, "low_similarity", since=1)
    ledger = ledger_of(CLASS, named("a", ANN), naming("b", "doubtful", BEN), rulings=[not_ben])
    assert doubts(ledger) == []
    assert statuses(ledger)[BEN] == "absent"
    assert all(balance.is_verified for balance in ledger.balances)
    renamed = ledger_of(CLASS, named("a", ANN), named("b", BEN, minute=9), rulings=[not_ben])
    assert statuses(renamed)[BEN] == "absent"


def test_that_it_is_not_the_one_leaves_the_doubt_about_the_other() -> None:
    close = naming("b", "doubtful", BEN, pct=95, rival=(CID, 92))
    not_ben = ruled("b", "not_student", BEN, "small_margin", since=1)
    ledger = ledger_of(CLASS, named("a", ANN), close, rulings=[not_ben])
    assert doubts(ledger) == [("low_similarity", "b", CID)]
    assert statuses(ledger) == {ANN: "present", BEN: "absent", CID: "unverified"}


def test_neither_tile_loses_the_student_when_staff_reject_the_other() -> None:
    for rejected in "ab":
        not_ann = ruled(rejected, "not_student", ANN, "two_tiles")
        ledger = ledger_of(CLASS, named("a", ANN), named("b", ANN, pct=93), rulings=[not_ann])
        assert doubts(ledger) == []
        assert statuses(ledger)[ANN] == "present"


def test_a_student_whom_staff_confirmed_in_both_tiles_balances() -> None:
    both = [ruled(track, "is_student", ANN, "two_tiles") for track in "ab"]
    ledger = ledger_of(CLASS, named("a", ANN), named("b", ANN), rulings=both)
    assert doubts(ledger) == []
    assert all(balance.is_verified for balance in ledger.balances)


def test_of_two_verdicts_the_later_counts() -> None:
    first = ruled("b", "guest", since=1, made=50)
    second = ruled("b", "is_student", BEN, since=1, made=60)
    for rulings in ([first, second], [second, first]):
        assert statuses(ledger_of(CLASS, naming("b", "unknown"), rulings=rulings))[BEN] == "present"


TRACKS = st.sampled_from("abcd")
MINUTES = st.integers(0, 44)
STUDENTS = st.sampled_from([ANN, BEN, CID])
PERCENTS = st.sampled_from([70.0, 85.0, 91.0, 94.0, 97.0])
CUES = st.dictionaries(TRACKS, st.sampled_from(["still_picture", "loop"]), max_size=2)
LOOKS = st.lists(
    st.builds(
        lambda minute, tracks, cues, more: replace(
            look(minute, *tracks, heads=len(tracks) + more),
            cues={track: cue for track, cue in cues.items() if track in tracks},
        ),
        MINUTES,
        st.frozensets(TRACKS),
        CUES,
        st.sampled_from([0, 0, 1]),
    ),
    unique_by=lambda one: one.uid,
    max_size=25,
)
NAMINGS = st.lists(
    st.builds(
        lambda track, minute, verdict, student, pct, rival: naming(
            track, verdict, None if verdict in {"unknown", "guest"} else student, minute, pct, rival
        ),
        TRACKS,
        MINUTES,
        st.sampled_from(["named", "pending", "doubtful", "unknown", "guest"]),
        STUDENTS,
        PERCENTS,
        st.none() | st.tuples(STUDENTS, PERCENTS),
    ),
    unique_by=lambda one: (one.track, one.at),
    max_size=12,
)
RULINGS = st.lists(
    st.builds(
        lambda track, verdict, student, kind, since, made: ruled(
            track, verdict, student if verdict.endswith("student") else None, kind, since, made
        ),
        TRACKS,
        st.sampled_from(["is_student", "not_student", "guest"]),
        STUDENTS,
        st.sampled_from(
            ["unknown_face", "low_similarity", "small_margin", "two_tiles", "still_picture", "loop"]
        ),
        st.none() | MINUTES,
        st.integers(50, 90),
    ),
    unique_by=lambda one: one.made_at,
    max_size=4,
)


@given(LOOKS, NAMINGS, RULINGS)
def test_whom_a_doubt_may_concern_is_never_called_absent(
    looks: list[Look], said: list[Naming], rulings: list[Ruling]
) -> None:
    ledger = ledger_of(looks, *said, rulings=rulings)
    suspected = {student for doubt in ledger.doubts for student in doubt.students}
    assert not {student for student in suspected if statuses(ledger).get(student) == "absent"}


@given(LOOKS, NAMINGS, RULINGS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_any_duplicates_give_the_same_ledger_doubts_included(
    looks: list[Look], said: list[Naming], rulings: list[Ruling], random: Random
) -> None:
    shuffled, doubled, again = looks * 2, said * 2, rulings * 2
    for arrived in (shuffled, doubled, again):
        random.shuffle(arrived)
    assert ledger_of(shuffled, *doubled, rulings=again) == ledger_of(looks, *said, rulings=rulings)


@given(LOOKS, NAMINGS, RULINGS)
def test_no_look_has_more_heads_explained_than_counted_and_nobody_is_there_against_staff_s_word(
    looks: list[Look], said: list[Naming], rulings: list[Ruling]
) -> None:
    ledger = ledger_of(looks, *said, rulings=rulings)
    for balance in ledger.balances:
        assert balance.identified + balance.unknown == balance.headcount
        assert 0 <= balance.reviewed <= balance.unknown
    ever = {naming.student_id for naming in said if naming.verdict == "named"}
    ever |= {ruling.student_id for ruling in rulings if ruling.verdict == "is_student"}
    assert all(entry.student_id in ever for entry in ledger.entries if entry.intervals)


@given(LOOKS, NAMINGS, STUDENTS, TRACKS)
def test_a_face_that_is_not_somebody_never_makes_them_present(
    looks: list[Look], said: list[Naming], student: int, track: str
) -> None:
    on_it = [replace(look, tracks=look.tracks & {track}, cues={}) for look in looks]
    ledger = ledger_of(on_it, *said, rulings=[ruled(track, "not_student", student)])
    assert not next(entry for entry in ledger.entries if entry.student_id == student).intervals


def test_of_two_verdicts_the_later_one_counts_whatever_the_clocks_say() -> None:
    first = replace(ruled("b", "is_student", ANN, made=60), number=1)
    second = replace(ruled("b", "is_student", BEN, made=10), number=2)
    for rulings in ([first, second], [second, first]):
        ledger = ledger_of(CLASS, naming("b", "unknown"), rulings=rulings)
        assert statuses(ledger)[BEN] == "present"
        assert statuses(ledger)[ANN] == "absent"


def test_a_dismissal_takes_back_what_was_said_before_and_is_taken_back_in_turn() -> None:
    said = [
        replace(ruled("b", "is_student", ANN), number=1),
        replace(ruled("b", "dismissed", None), number=2),
        replace(ruled("b", "is_student", BEN), number=3),
    ]
    present = []
    for count in (1, 2, 3):
        found = statuses(ledger_of(CLASS, naming("b", "unknown"), rulings=said[:count]))
        present.append([student for student, status in found.items() if status == "present"])
    assert present == [[ANN], [], [BEN]]


def test_a_headcount_that_was_explained_stays_so_when_the_run_gets_another_first_look() -> None:
    extra = [look(minute, "a", heads=2) for minute in (2, 3, 4, 5)]
    explained = ruled("look-3", "explained", None, "headcount")
    late = ledger_of([look(1, "a", heads=2), *extra], named("a", ANN), rulings=[explained])
    assert doubts(late) == []
    assert [balance.is_verified for balance in late.balances] == [True] * 5
    # the look that the verdict is about gets a name for its second head, and the run begins after it
    named_late = [look(3, "a", "c"), *(look(minute, "a", heads=2) for minute in (4, 5, 6))]
    later = ledger_of(named_late, named("a", ANN), named("c", CID), rulings=[explained])
    assert doubts(later) == []
