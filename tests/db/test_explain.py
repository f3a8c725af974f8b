"""The busiest queries read by an index, on SQLite and on a real MariaDB: see docs/queries.md."""

import pytest

from bench.plans import BIG, BUSIEST, Step, plans, small_school
from db.database import Database

WHOLE = frozenset({"ALL", "index", "SCAN"})
"""Every row of a table or of an index, as the two servers call it."""

MANY_ROWS = 1000
"""More than this is not sorted where an index could give the order."""


@pytest.fixture
def steps(database: Database) -> list[Step]:
    return plans(database, *small_school(database))


def test_the_busiest_queries_read_by_an_index_and_sort_little(steps: list[Step]) -> None:
    assert {step.query for step in steps} == {busy.name for busy in BUSIEST}
    read = {step.table for step in steps}
    assert read >= {"sightings", "looks", "namings", "attendance", "intervals", "students", "sessions"}
    for step in steps:
        if step.table not in BIG:
            continue
        # In the order of an index until there are enough is as good as by one.
        in_order = step.has_limit and step.key is not None
        assert step.access not in WHOLE or in_order, (
            f"{step.query} reads all of {step.table}: {step.statement}"
        )
        assert step.key is not None or "const tables" in step.extra, step
        assert "filesort" not in step.extra or (step.rows or 0) <= MANY_ROWS, step
