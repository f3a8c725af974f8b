"""The programs that are killed: Gridroll's own command, and clients of the ledger that say what was acknowledged."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from db.database import open_database
from db.edits import EditConflictError, NewEdit, edit_entry
from db.errors import GridrollError
from db.ingest import LookWriter
from db.ledger import catch_up, refold
from db.looks import NewLook, NewNaming, NewSighting
from db.sessions import find_session
from db.settings import load_settings
from gridroll import main
from tests.conftest import START

__all__ = ["edit", "gridroll", "look_of", "write", "write_and_edit"]

THREADS = 4


def gridroll(*arguments: str) -> None:
    """The command line."""
    sys.argv = ["gridroll", *arguments]
    main()


def write(session_id: int, student_ids: Sequence[int], numbers: Sequence[int], folds: bool = True) -> None:
    """Hand in looks of one session, several at a time: `done NUMBER` for each. `folds`: the ledger, too, at the end."""
    database = open_database(load_settings().resolved_database_url)
    writer, waiting, guard = LookWriter(database), iter(numbers), threading.Lock()

    def hand_in() -> None:
        while True:
            with guard:
                number = next(waiting, None)
            if number is None:
                return
            look = look_of(session_id, student_ids, number, START)
            _patiently(partial(writer.put, look))
            _acknowledge(str(number))

    _together(hand_in)
    if folds:
        _patiently(lambda: catch_up(database, session_id))


def edit(session_id: int, student_no: str, status: str, by: str, expected_version: int) -> None:
    """Edit an entry as it was when that was its version: `done BY`, or `told WHAT` where somebody was faster."""
    database = open_database(load_settings().resolved_database_url)
    new = NewEdit(session_id, student_no, f"says {by}", by, status, expected_version=expected_version, uid=by)

    def work(session: Session) -> None:
        edit_entry(session, new)
        refold(session, find_session(session, session_id))

    try:
        _patiently(lambda: database.transact(work))
    except EditConflictError as error:
        print(f"told {error}")
    else:
        _acknowledge(by)


def write_and_edit(
    session_id: int, student_ids: Sequence[int], numbers: Sequence[int], folds: bool, edited_id: int, by: str
) -> None:
    """`write` into one session, then `edit` a student's first version in another."""
    write(session_id, student_ids, numbers, folds)
    edit(edited_id, "S1", "late", by, 1)


def look_of(session_id: int, student_ids: Sequence[int], number: int, starts_at: datetime) -> NewLook:
    """The look of that number, the same whoever makes it: some of the class are seen, each named now and then."""
    here = [one for place, one in enumerate(student_ids) if (number // 5 + place) % 4]
    taken_at = starts_at + timedelta(seconds=20 * number)
    named = [one for one in here if number % 5 == 0]
    return NewLook(
        session_id=session_id,
        uid=f"look-{number}",
        began_at=taken_at,
        taken_at=taken_at,
        trigger="headcount",
        headcount=len(here),
        searches=len(named),
        paid=0,
        sightings=tuple(NewSighting(f"t{one}", (9 * one, 0, 9 * one + 8, 9)) for one in here),
        namings=tuple(
            NewNaming(f"t{one}", "named", one, None, 91.0 + number % 7, None, None, 90.0, 2, "local", "m")
            for one in named
        ),
    )


def _acknowledge(line: str) -> None:
    # One call: a program that is killed has said all of it or nothing.
    sys.stdout.write(f"done {line}\n")
    sys.stdout.flush()


def _patiently(work: Callable[[], object]) -> None:
    """Do the work again for a minute while the database is busy or away, as agents do."""
    deadline = time.monotonic() + 60
    while True:
        try:
            work()
        except GridrollError as error:
            if not error.transient or time.monotonic() > deadline:
                raise
        else:
            return


def _together(work: Callable[[], None]) -> None:
    errors: list[GridrollError] = []

    def guarded() -> None:
        try:
            work()
        except GridrollError as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
