"""Looks handed in by many agents at once, and by the peers that store the same in the obvious ways."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median, quantiles

from sqlalchemy import insert

from bench.school import FACES, Meeting
from db.database import Database
from db.ingest import LookWriter
from db.ledger import catch_up, refold
from db.looks import NewLook
from db.schema import LookRow, NamingRow, SightingRow
from db.sessions import find_session

__all__ = ["AGENTS", "WINDOW", "Durable", "Pace", "hand_in", "pace", "peers"]

AGENTS = 20
"""Classes that are watched at the same time."""

WINDOW, SLICE = 2000, 100
"""Looks that a pace is measured over, and those of a slice of it."""

PEER_LOOKS = 40


@dataclass(frozen=True, slots=True)
class Pace:
    """How looks were taken in once the table held `sightings`.

    Looks per second, milliseconds of each by slices of a hundred, and of this program's processor time, folding and the
    agents included: it is steadier than the clock on a machine that does other things.
    """

    sightings: int
    looks_per_s: float
    median_ms: float
    p95_ms: float
    processor_ms: float


@dataclass(frozen=True, slots=True, order=True)
class Durable:
    """When a look was durable, and how much processor time the program had taken by then, both in seconds."""

    clock_s: float
    processor_s: float


def hand_in(database: Database, meetings: Iterable[Meeting], agents: int = AGENTS) -> list[Durable]:
    """Have agents watch the meetings, each acknowledged look by look; returns when each look was durable, in order."""
    writer, done = LookWriter(database), list[Durable]()

    def watch(meeting: Meeting) -> None:
        for look in meeting.looks():
            writer.put(look)
            done.append(Durable(time.perf_counter(), time.process_time()))

    with ThreadPoolExecutor(agents) as pool:
        # Asking for the results raises what was raised in a thread.
        list(pool.map(watch, meetings))
    return sorted(done)


def pace(done: Sequence[Durable], sightings: int) -> Pace:
    """The pace of the looks that came once so many sightings were stored."""
    first = max(sightings // FACES, 1) - 1
    window = done[first : first + WINDOW + 1]
    slices_ms = [
        (window[end].clock_s - window[end - SLICE].clock_s) / SLICE * 1000
        for end in range(SLICE, len(window), SLICE)
    ]
    count = len(window) - 1
    return Pace(
        sightings,
        count / (window[-1].clock_s - window[0].clock_s),
        median(slices_ms),
        quantiles(slices_ms, n=20)[-1],
        (window[-1].processor_s - window[0].processor_s) / count * 1000,
    )


def peers(database: Database, meetings: Sequence[Meeting]) -> dict[str, float]:
    """Milliseconds a look, one agent alone: our way, and the obvious ones. Takes a meeting for each."""
    writer = LookWriter(database)
    ways: dict[str, Callable[[NewLook], object]] = {
        "one agent alone, the ledger follows": writer.put,
        "objects, and the whole session folded at each look": lambda look: _with_objects(database, look),
        "a commit for each row, no ledger at all": lambda look: _row_by_row(database, look),
    }
    found = {}
    for (name, store), meeting in zip(ways.items(), meetings, strict=False):
        times = []
        for look in meeting.looks(PEER_LOOKS):
            begun = time.perf_counter()
            store(look)
            times.append(time.perf_counter() - begun)
        found[name] = sum(times) / len(times) * 1000
    catch_up(database)
    return found


def _with_objects(database: Database, look: NewLook) -> None:
    """The textbook's way: an object for each row, and the ledger in the same transaction."""
    with database.writing() as session:
        row = LookRow(**_look(look))
        session.add(row)
        session.flush()
        session.add_all([SightingRow(look_id=row.id, **values) for values in _sightings(look)])
        session.add_all([NamingRow(look_id=row.id, **asdict(naming)) for naming in look.namings])
        refold(session, find_session(session, look.session_id))


def _row_by_row(database: Database, look: NewLook) -> None:
    """What a script does with a connection in its default mode: every statement is its own transaction."""
    with database.engine.connect() as connection:
        row = connection.execute(insert(LookRow).values(**_look(look)))
        connection.commit()
        key = row.inserted_primary_key
        assert key is not None
        for values in _sightings(look):
            connection.execute(insert(SightingRow).values(look_id=key[0], **values))
            connection.commit()
        for naming in look.namings:
            connection.execute(insert(NamingRow).values(look_id=key[0], **asdict(naming)))
            connection.commit()


def _look(look: NewLook) -> dict[str, object]:
    names = ("session_id", "uid", "began_at", "taken_at", "trigger", "headcount", "searches", "paid")
    return {name: getattr(look, name) for name in names} | {"identified": 0, "unknown": look.headcount}


def _sightings(look: NewLook) -> list[dict[str, object]]:
    return [
        {"track": seen.track, "cue": seen.cue}
        | dict(zip(("x1", "y1", "x2", "y2"), seen.box_xyxy, strict=True))
        for seen in look.sightings
    ]
