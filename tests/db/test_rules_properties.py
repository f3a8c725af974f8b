"""What holds of the ledger whatever happened: any order of arrival, duplicates, clock steps and gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from db.presence import STATUSES
from db.rules import Edit, Ledger, Look, Naming, Rules, Ruling, Span, Thresholds, fold
from tests.conftest import START

ROSTER = (1, 2, 3, 4)
TRACKS = ("a", "b", "c", "d", "e")
SPAN = Span(START, START + timedelta(minutes=45))

minutes = st.floats(-20, 80).map(lambda value: round(value, 2))
"""Some are before the class begins or after it ends, as of an agent whose clock is wrong."""

students = st.sampled_from((*ROSTER, 9))
percents = st.floats(0, 100).map(lambda value: round(value, 1))


@st.composite
def looks(draw: st.DrawFn) -> list[Look]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        taken_at = START + timedelta(minutes=draw(minutes))
        burst_s = draw(st.floats(-5, 5))  # negative: the clock was set back within the burst
        tracks = draw(st.frozensets(st.sampled_from(TRACKS)))
        heads = max(0, len(tracks) + draw(st.integers(-1, 2)))
        cues = {track: "loop" for track in tracks if draw(st.integers(0, 9)) == 0}
        began_at = taken_at - timedelta(seconds=burst_s)
        found.append(Look(f"look-{number}", began_at, taken_at, heads, tracks, cues))
    return found


namings = st.lists(
    st.builds(
        Naming,
        track=st.sampled_from(TRACKS),
        at=minutes.map(lambda minute: START + timedelta(minutes=minute)),
        verdict=st.sampled_from(["named", "doubtful", "unknown", "pending", "guest"]),
        student_id=st.none() | students,
        similarity_pct=st.none() | percents,
        runner_up_id=st.none() | students,
        runner_up_pct=st.none() | percents,
        threshold_pct=st.none() | percents,
        margin_pct=st.none() | percents,
    ),
    max_size=8,
)
rulings = st.lists(
    st.builds(
        Ruling,
        subject=st.sampled_from((*TRACKS, "look-0", "look-1")),
        kind=st.sampled_from(["unknown_face", "low_similarity", "two_tiles", "headcount", "loop"]),
        verdict=st.sampled_from(["is_student", "not_student", "guest", "explained", "dismissed"]),
        student_id=st.none() | students,
        since=st.none() | minutes.map(lambda minute: START + timedelta(minutes=minute)),
        made_at=minutes.map(lambda minute: START + timedelta(minutes=minute)),
    ),
    max_size=5,
)
edits = st.lists(
    st.builds(
        Edit,
        number=st.integers(1, 9),
        student_id=students,
        status=st.none() | st.sampled_from(STATUSES),
        minutes=st.none() | st.floats(0, 45),
        remark=st.sampled_from(["", "seen there"]),
    ),
    max_size=4,
    unique_by=lambda edit: edit.number,
)


@dataclass(frozen=True)
class Case:
    looks: Sequence[Look]
    namings: Sequence[Naming]
    rulings: Sequence[Ruling]
    edits: Sequence[Edit]
    excused: frozenset[int]
    enrolled_minute: float | None
    thresholds: Thresholds | None
    rules: Rules

    def ledger(self) -> Ledger:
        late = {} if self.enrolled_minute is None else {1: START + timedelta(minutes=self.enrolled_minute)}
        return fold(
            *(self.looks, self.namings, ROSTER, SPAN, self.rules),
            rulings=self.rulings,
            edits=self.edits,
            excused=self.excused,
            enrolled=late,
            thresholds=self.thresholds,
        )


cases = st.builds(
    Case,
    looks=looks(),
    namings=namings,
    rulings=rulings,
    edits=edits,
    excused=st.frozensets(st.sampled_from(ROSTER), max_size=2),
    enrolled_minute=st.none() | st.floats(1, 60),
    thresholds=st.none() | st.builds(Thresholds, st.none() | percents, st.none() | percents),
    rules=st.builds(
        Rules,
        late_after=st.integers(0, 1200).map(lambda seconds: timedelta(seconds=seconds)),
        left_early=st.integers(0, 1200).map(lambda seconds: timedelta(seconds=seconds)),
        min_presence=st.floats(0, 1),
    ),
)


fewer_heads_than_names = Case(
    looks=[Look("look-0", START, START, 0, frozenset("a"))],
    namings=[Naming("a", START, "named", 1, 97.0)],
    rulings=(),
    edits=(),
    excused=frozenset(),
    enrolled_minute=None,
    thresholds=None,
    rules=Rules(),
)


@given(cases, st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_any_duplicates_give_the_same_ledger(case: Case, random: Random) -> None:
    def shuffled(items: Sequence[object]) -> list[object]:
        again = [*items, *(one for one in items if random.random() < 0.3)]
        random.shuffle(again)
        return again

    other = replace(
        case,
        **{name: shuffled(getattr(case, name)) for name in ("looks", "namings", "rulings", "edits")},  # type: ignore[arg-type]
    )
    assert other.ledger() == case.ledger()


@given(cases)
@example(fewer_heads_than_names)
def test_every_look_balances_and_every_unknown_head_has_a_cause(case: Case) -> None:
    for balance in case.ledger().balances:
        assert balance.headcount == balance.identified + balance.unknown
        assert 0 <= balance.reviewed <= max(balance.unknown, 0)
        assert all(count > 0 for count in balance.causes.values())
        tracks = next(look.tracks for look in case.looks if look.uid == balance.uid)
        if balance.headcount >= len(tracks):
            assert sum(balance.causes.values()) == balance.unknown


@given(cases)
def test_times_are_honest(case: Case) -> None:
    taken = {look.taken_at for look in case.looks}
    for entry in case.ledger().entries:
        assert 0 <= entry.minutes <= 45 + 1e-9
        for stay in entry.intervals:
            assert {stay.seen_from, stay.seen_to} <= taken
            assert stay.seen_from <= stay.seen_to
            assert stay.not_before is None or stay.not_before <= stay.seen_from
            assert stay.not_after is None or stay.seen_to <= stay.not_after
        for earlier, later in pairwise(entry.intervals):
            assert earlier.seen_to <= later.seen_from


@given(cases)
def test_what_staff_wrote_last_holds_whatever_the_machine_says(case: Case) -> None:
    last = {edit.student_id: edit for edit in sorted(case.edits, key=lambda edit: edit.number)}
    entries = {entry.student_id: entry for entry in case.ledger().entries}
    for student, edit in last.items():
        if edit.status is not None:
            assert (entries[student].status, entries[student].source) == (edit.status, "staff")
        if edit.minutes is not None:
            assert entries[student].minutes == edit.minutes
    for student in entries.keys() - last.keys():
        assert entries[student].source == "system"
        assert entries[student].status == entries[student].machine_status


@given(cases)
def test_nobody_whom_an_open_doubt_may_concern_is_called_absent(case: Case) -> None:
    ledger = case.ledger()
    doubted = {student for doubt in ledger.doubts for student in doubt.students}
    for entry in ledger.entries:
        if entry.student_id in doubted:
            assert entry.machine_status != "absent"


@given(cases, st.integers(0, 11))
def test_a_look_is_worth_the_same_wherever_an_agent_was_restarted(case: Case, cut: int) -> None:
    """Two agents, one after the other, make the ledger that one would have made."""
    first, second = case.looks[:cut], case.looks[cut:]
    assert replace(case, looks=[*second, *first, *second[:2]]).ledger() == case.ledger()


@given(namings)
def test_namings_judged_by_their_own_thresholds_stay_as_they_are(held: list[Naming]) -> None:
    """Whatever the machine named by what held then, it would name again."""
    for track in TRACKS:
        own = sorted((one for one in held if one.track == track), key=lambda one: (one.at, repr(one)))
        before: set[int | None] = set()
        for naming, judged in zip(own, Thresholds().judge(own), strict=True):
            enough = (naming.similarity_pct or 0.0) >= (naming.threshold_pct or 0.0) and (
                naming.similarity_pct or 0.0
            ) - (naming.runner_up_pct or 0.0) >= (naming.margin_pct or 0.0)
            if naming.verdict == "named" and (enough or naming.student_id in before):
                assert judged.verdict == "named"
            before |= {judged.student_id} if judged.verdict == "named" else set()
