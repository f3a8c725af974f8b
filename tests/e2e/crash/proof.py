"""What must hold of a database whatever was killed: records are whole, and the chain of changes vouches for them."""

import json
from collections import Counter
from difflib import unified_diff

import pytest
from sqlalchemy import func, select

from db.database import Database
from db.ledger import catch_up
from db.proof.chain import walk
from db.proof.records import check_entries, check_records, check_told
from db.schema import DueRow, JudgementRow, LookRow, ReviewRow, SightingRow

__all__ = ["assert_same", "prove_whole", "taken"]


def prove_whole(database: Database) -> None:
    """Fold what is due; then each record is there with all that belongs to it, and `gridroll audit verify` is content."""
    catch_up(database)
    with database.reading() as session:
        for links in walk(session):
            check_told(session, links)
        check_records(session)
        check_entries(session)
        assert session.scalar(select(func.count()).select_from(DueRow)) == 0
        seen = select(LookRow.headcount, func.count(SightingRow.id)).join(SightingRow, isouter=True)
        rows = session.execute(seen.group_by(LookRow.id, LookRow.headcount)).all()
        assert [row for row in rows if row[0] != row[1]] == [], "looks of which a part is stored"
        judged = session.execute(select(JudgementRow.session_id, JudgementRow.kind, JudgementRow.subject))
        columns = select(ReviewRow.session_id, ReviewRow.kind, ReviewRow.subject)
        settled = session.execute(columns.where(ReviewRow.state != "open"))
        assert {tuple(row) for row in settled} <= {tuple(row) for row in judged}, "settled without a verdict"


def taken(database: Database, session_id: int) -> Counter[str]:
    """How often each moment's look is there, by its time of day."""
    with database.reading() as session:
        moments = session.scalars(select(LookRow.taken_at).where(LookRow.session_id == session_id))
        return Counter(f"{moment:%H:%M:%S}" for moment in moments)


def assert_same(found: object, undisturbed: object, about: str) -> None:
    """Two ledgers are the same; if not, it is shown where they differ. `about`: which, and what was said meanwhile."""
    if found != undisturbed:
        before, after = (
            json.dumps(one, indent=1, sort_keys=True).splitlines() for one in (undisturbed, found)
        )
        told = unified_diff(before, after, "undisturbed", "found", n=8, lineterm="")
        pytest.fail("\n".join([about, *told]))
