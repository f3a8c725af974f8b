"""Writing over several entries at once, and taking edits back."""

from functools import partial

import pytest

from db.bulk_edits import Change, Outcome, change_entries, undo_edits
from db.database import Database
from db.edits import EditError
from db.entries import entry_sheet
from db.report import session_report
from db.schema import AuditRow, EditRow
from tests.db.classroom import Classroom

AL, BEA = "al@x.example", "bea@x.example"


@pytest.fixture
def room(database: Database) -> Classroom:
    """Ann is seen from the first minute to the third; Ben is not."""
    room = Classroom(database)
    room.enrol_faces()
    room.look(1, "t1", namings=room.named("t1", room.ann))
    for minute in (2, 3):
        room.look(minute, "t1")
    return room


def change(
    room: Classroom,
    change: Change,
    versions: dict[str, int],
    by: str = AL,
    seed: str = "s",
    reason: str = "ill",
) -> Outcome:
    work = partial(
        change_entries,
        session_id=room.id,
        change=change,
        versions=versions,
        reason=reason,
        made_by=by,
        seed=seed,
    )
    return room.database.transact(work)


def undo(room: Classroom, outcome: Outcome, by: str = AL) -> Outcome:
    assert outcome.edits is not None
    first, last = outcome.edits
    return room.database.transact(partial(undo_edits, session_id=room.id, first=first, last=last, made_by=by))


def entries(room: Classroom) -> dict[str, tuple[str, str, str, int]]:
    with room.database.reading() as session:
        lines = session_report(session, room.id).students
    return {line.student_no: (line.status, line.source, line.remark, line.version) for line in lines}


def names(outcome: Outcome, result: str) -> list[str]:
    return [row.name for row in outcome.of(result)]


def test_all_ticked_rows_are_changed_in_one_go_and_each_is_on_the_chain(room: Classroom) -> None:
    outcome = change(room, Change("excused", "trip"), {"A": 1, "B": 1})
    assert names(outcome, "saved") == ["Ann", "Ben"]
    assert entries(room) == dict.fromkeys("AB", ("excused", "staff", "trip", 2))
    with room.database.reading() as session:
        noted = session.query(AuditRow).filter(AuditRow.action == "entry.edited").all()
        assert [row.actor for row in noted] == [AL, AL]


def test_what_is_left_empty_stays_as_staff_said(room: Classroom) -> None:
    room.edit("A", status="late", minutes=2.0, remark="by phone")
    change(room, Change(remark="asked"), {"A": 2, "B": 1})
    with room.database.reading() as session:
        said = entry_sheet(session, room.id, "A").said
    assert (said.status, said.minutes, said.remark) == ("late", 2.0, "asked")
    assert entries(room)["B"] == ("absent", "staff", "asked", 2)
    change(room, Change("machine"), {"A": 3}, seed="again")
    assert entries(room)["A"] == ("present", "staff", "asked", 4)


def test_a_conflict_in_one_row_is_named_and_the_others_are_saved(room: Classroom) -> None:
    room.edit("A", by=BEA, reason="the note", status="late")
    outcome = change(room, Change("excused"), {"A": 1, "B": 1})
    assert names(outcome, "saved") == ["Ben"]
    (conflict,) = outcome.of("conflict")
    assert (conflict.name, conflict.version) == ("Ann", 2)
    assert [(edit.made_by, edit.reason) for edit in conflict.others] == [(BEA, "the note")]
    assert entries(room)["A"][0] == "late"


def test_sent_twice_it_counts_once_and_a_row_that_says_so_already_is_left_alone(room: Classroom) -> None:
    first = change(room, Change("excused"), {"A": 1, "B": 1})
    assert change(room, Change("excused"), {"A": 1, "B": 1}) == first
    again = change(room, Change("excused"), {"A": 2, "B": 2}, seed="another")
    assert names(again, "unchanged") == ["Ann", "Ben"]
    assert again.edits is None
    with room.database.reading() as session:
        assert session.query(EditRow).count() == 2


def test_sent_again_after_somebody_elses_edit_that_row_is_named_and_not_taken_back(room: Classroom) -> None:
    first = change(room, Change("excused"), {"A": 1, "B": 1})
    room.edit("A", by=BEA, reason="the note", status="late")
    again = change(room, Change("excused"), {"A": 1, "B": 1})
    assert (names(again, "overtaken"), names(again, "saved")) == (["Ann"], ["Ben"])
    assert names(undo(room, again), "saved") == ["Ben"]
    assert change(room, Change("excused"), {"A": 1}).edits is None
    assert entries(room)["A"][0] == "late"
    assert names(undo(room, first), "conflict") == ["Ann"]


def test_sent_again_with_another_status_it_is_another_edit(room: Classroom) -> None:
    change(room, Change("excused"), {"A": 1})
    assert names(change(room, Change("late"), {"A": 1}), "conflict") == ["Ann"]
    assert names(change(room, Change("late"), {"A": 2}), "saved") == ["Ann"]
    assert entries(room)["A"][0] == "late"


@pytest.mark.parametrize(
    ("wanted", "versions", "reason", "said"),
    [
        (Change("excused"), {}, "ill", "no row is ticked"),
        (Change(), {"A": 1}, "ill", "choose a status or write a remark"),
        (Change("excused"), {"A": 1}, " ", "needs a reason"),
        (Change("gone"), {"A": 1}, "ill", "status 'gone' is not known"),
        (Change(remark="x" * 501), {"A": 1}, "ill", "at most 500 fit"),
        (Change("excused"), {"A": 1}, "x" * 2001, "at most 2000 fit"),
    ],
)
def test_what_cannot_be_is_refused_as_a_whole(
    room: Classroom, wanted: Change, versions: dict[str, int], reason: str, said: str
) -> None:
    with pytest.raises(EditError, match=said):
        change(room, wanted, versions, reason=reason)
    assert entries(room)["A"][3] == 1


def test_a_student_who_is_none_or_of_another_course_is_named(room: Classroom) -> None:
    outcome = change(room, Change("excused"), {"A": 1, "Z": 1})
    assert [(row.student_no, row.refusal) for row in outcome.of("refused")] == [
        (
            "Z",
            f"no student 'Z' is on the roster of BIO or has an entry in session {room.id}; "
            "import the roster with them first",
        )
    ]
    assert names(outcome, "saved") == ["Ann"]


def test_taken_back_the_entries_say_what_they_said_before(room: Classroom) -> None:
    room.edit("A", status="late", minutes=2.0)
    outcome = change(room, Change("excused", "trip"), {"A": 2, "B": 1})
    undone = undo(room, outcome)
    assert sorted(names(undone, "saved")) == ["Ann", "Ben"]
    assert entries(room) == {"A": ("late", "staff", "", 4), "B": ("absent", "system", "", 3)}
    with room.database.reading() as session:
        sheet = entry_sheet(session, room.id, "A")
    assert (sheet.said.minutes, sheet.edits[-1].reason) == (2.0, "undone")
    # Pressed twice it counts once.
    assert sorted(names(undo(room, outcome), "saved")) == ["Ann", "Ben"]
    assert entries(room)["A"][3] == 4
    room.edit("A", by=BEA, reason="the note", status="present")
    assert names(undo(room, outcome), "overtaken") == ["Ann"]


def test_what_somebody_edited_since_is_not_taken_back(room: Classroom) -> None:
    outcome = change(room, Change("excused"), {"A": 1, "B": 1})
    room.edit("A", by=BEA, reason="the note", status="late")
    undone = undo(room, outcome)
    assert names(undone, "saved") == ["Ben"]
    (conflict,) = undone.of("conflict")
    assert (conflict.name, conflict.others[0].made_by) == ("Ann", BEA)
    assert entries(room)["A"][0] == "late"


def test_only_ones_own_edits_are_taken_back(room: Classroom) -> None:
    outcome = change(room, Change("excused"), {"A": 1})
    with pytest.raises(EditError, match="nothing of yours"):
        undo(room, outcome, by=BEA)
    assert entries(room)["A"][0] == "excused"
