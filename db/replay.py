"""The ledger rebuilt with other rules or thresholds, and what would be different; adopted only when asked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import GridrollError
from db.ledger import opens, refold, stored_entries, told_balance
from db.people import students_of
from db.proof import note_record
from db.records import Records, records_of
from db.rules import Doubt, Entry, Ledger, Thresholds
from db.schema import LookRow, NamingRow, ReviewRow, SessionRow
from db.sessions import course_rules, lock_session

__all__ = ["SHOWN", "Difference", "Replay", "ReplayError", "Terms", "adopt", "replay"]

SHOWN = ("status", "machine_status", "joined_at", "last_seen_at", "minutes")


class ReplayError(GridrollError):
    """A replay that would say nothing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Rules and thresholds for one session; None: as they are now. `min_presence`: 0 to 1."""

    late_after_s: int | None = None
    left_early_s: int | None = None
    min_presence: float | None = None
    match_threshold_pct: float | None = None
    match_margin_pct: float | None = None

    def within(self, records: Records) -> Records:
        """The records with these terms instead of their own."""
        rules, held = records.rules, records.thresholds or Thresholds()
        if self.late_after_s is not None:
            rules = replace(rules, late_after=timedelta(seconds=self.late_after_s))
        if self.left_early_s is not None:
            rules = replace(rules, left_early=timedelta(seconds=self.left_early_s))
        if self.min_presence is not None:
            rules = replace(rules, min_presence=self.min_presence)
        thresholds = Thresholds(
            held.match_pct if self.match_threshold_pct is None else self.match_threshold_pct,
            held.margin_pct if self.match_margin_pct is None else self.match_margin_pct,
        )
        judged = None if thresholds == Thresholds() else thresholds
        return replace(records, rules=rules, thresholds=judged)


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry that would be another. `before` and `after`: the fields of `SHOWN`; None: no entry."""

    student_no: str
    name: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What the terms would change: entries in the order of names, looks by their number of identified heads, and the
    kinds of reviews that would be opened and withdrawn."""

    differences: tuple[Difference, ...]
    looks: int
    looks_changed: int
    opened: tuple[str, ...]
    withdrawn: tuple[str, ...]

    @property
    def changes_nothing(self) -> bool:
        return not (self.differences or self.looks_changed or self.opened or self.withdrawn)


def replay(session: Session, row: SessionRow, terms: Terms, as_course: bool = False) -> Replay:
    """Compare the ledger as stored with what these terms would make of the records. Stores nothing.

    `as_course`: what was adopted for this session alone before does not count. Raises ReplayError for a threshold where
    several engines compared: their percentages are no common measure.
    """
    _refuse_two_scales(session, row.id, terms)
    records = records_of(session, row)
    if as_course:
        records = replace(records, rules=course_rules(row.course), thresholds=None)
    ledger = terms.within(records).ledger()
    looks, changed = _looks(session, row.id, ledger)
    opened, withdrawn = _reviews(session, row.id, ledger.doubts)
    return Replay(_differences(session, row.id, ledger), looks, changed, opened, withdrawn)


def adopt(
    session: Session, row: SessionRow, terms: Terms, made_by: str, reason: str, as_course: bool = False
) -> None:
    """Keep the terms for this session from now on, and fold it with them. `as_course`: as for `replay`."""
    lock_session(session, row.id)
    given = {name: value for name, value in asdict(terms).items() if as_course or value is not None}
    before = {name: getattr(row, name) for name in given}
    if before != given:
        for name, value in given.items():
            setattr(row, name, value)
        session.flush()
        note_record(session, made_by, "rules.adopted", row, before, given, reason)
    refold(session, row)


def _refuse_two_scales(session: Session, session_id: int, terms: Terms) -> None:
    if terms.match_threshold_pct is None and terms.match_margin_pct is None:
        return
    query = select(NamingRow.engine).join(LookRow).where(LookRow.session_id == session_id).distinct()
    engines = sorted(session.scalars(query))
    if len(engines) > 1:
        raise ReplayError(
            f"session {session_id} has faces compared by {' and '.join(engines)}, whose percentages are no common measure; "
            "replay it with other rules only"
        )


def _differences(session: Session, session_id: int, ledger: Ledger) -> tuple[Difference, ...]:
    held = stored_entries(session, session_id)
    folded = {entry.student_id: entry for entry in ledger.entries}
    changed = {one for one in held.keys() | folded.keys() if held.get(one) != folded.get(one)}
    return tuple(
        Difference(
            student.student_no, student.name, _shown(held.get(student.id)), _shown(folded.get(student.id))
        )
        for student in students_of(session, changed)
    )


def _shown(entry: Entry | None) -> dict[str, object] | None:
    return None if entry is None else {name: getattr(entry, name) for name in SHOWN}


def _looks(session: Session, session_id: int, ledger: Ledger) -> tuple[int, int]:
    columns = (LookRow.uid, LookRow.identified, LookRow.unknown, LookRow.reviewed, LookRow.causes)
    held = {row.uid: row for row in session.execute(select(*columns).where(LookRow.session_id == session_id))}
    changed = sum(tuple(held[one.uid][1:]) != told_balance(one) for one in ledger.balances)
    return len(held), changed


def _reviews(
    session: Session, session_id: int, doubts: tuple[Doubt, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    query = select(ReviewRow).where(ReviewRow.session_id == session_id)
    held = {(row.kind, row.subject): row for row in session.scalars(query)}
    wanted = {(doubt.kind, doubt.subject): doubt for doubt in doubts}
    opened = sorted(key[0] for key, doubt in wanted.items() if opens(held.get(key), doubt))
    withdrawn = sorted(key[0] for key, row in held.items() if row.state == "open" and key not in wanted)
    return tuple(opened), tuple(withdrawn)
