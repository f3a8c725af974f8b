"""All that is on record of a session, as the rules want it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from db.disputes import disputes_in
from db.edits import edits_of
from db.excuses import excused_in
from db.judgements import rulings_of
from db.looks import looks_of, namings_of, recognisable_in
from db.people import joined_late, roster_ids
from db.rules import Dispute, Edit, Ledger, Look, Naming, Rules, Ruling, Span, Thresholds, fold
from db.schema import SessionRow
from db.sessions import rules_of, span_of, thresholds_of

__all__ = ["Records", "records_of"]


@dataclass(frozen=True, slots=True)
class Records:
    """What a session's ledger is folded from. See `db.rules.fold` for the fields."""

    looks: Sequence[Look]
    namings: Sequence[Naming]
    roster: frozenset[int]
    span: Span
    rules: Rules
    faceless: frozenset[int]
    rulings: Sequence[Ruling]
    edits: Sequence[Edit]
    excused: frozenset[int]
    enrolled: Mapping[int, datetime]
    thresholds: Thresholds | None
    disputes: Sequence[Dispute] = ()

    def ledger(self) -> Ledger:
        return fold(
            self.looks,
            self.namings,
            self.roster,
            self.span,
            self.rules,
            faceless=self.faceless,
            rulings=self.rulings,
            edits=self.edits,
            excused=self.excused,
            enrolled=self.enrolled,
            thresholds=self.thresholds,
            disputes=self.disputes,
        )


def records_of(session: Session, row: SessionRow) -> Records:
    """Read the records of a session."""
    roster = roster_ids(session, row)
    namings = namings_of(session, row.id)
    # Who was recognised here had a face then, whatever was removed since.
    known = recognisable_in(session, row.id) | {one.student_id for one in namings}
    return Records(
        looks=looks_of(session, row.id),
        namings=namings,
        roster=roster,
        span=span_of(row),
        rules=rules_of(row),
        faceless=roster - known,
        rulings=rulings_of(session, row.id),
        edits=edits_of(session, row.id),
        excused=excused_in(session, row),
        enrolled=joined_late(session, row.course_id, row.starts_at),
        thresholds=thresholds_of(row),
        disputes=disputes_in(session, row.id),
    )
