"""Checks the audit chain in the background, beside the pages, and keeps what came of it in a file of the home.

See docs/decisions/031-the-chain-is-checked-beside-the-pages.md.
"""

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from db.audit import note
from db.database import Database
from db.errors import GridrollError
from db.file_lock import file_lock
from db.files import write_whole
from db.proof.chain import TamperedError, head_of
from db.proof.verification import verify_all

__all__ = ["Inspection", "Inspector"]

TOLD_EVERY_S = 1.0
REST = 0.5
"""Share of its own time for which the check rests between two batches: pages of the same program get theirs."""

LONGEST_REST_S = 0.5
PATIENCE_S = 10.0


class _StoppedError(Exception):
    """The program ends."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """`state`: `running`, `sound`, `tampered`, or `failed` where it could not be finished; `fault` says why.

    `rows` were walked, of `of`. Moments are ISO 8601 UTC.
    """

    state: str
    by: str
    began_at: str
    of: int
    rows: int = 0
    ended_at: str = ""
    records: int = 0
    head: str = ""
    fault: str = ""

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return min(1.0, self.rows / self.of) if self.of else 1.0

    @property
    def moment(self) -> datetime:
        """When it ended, or else began."""
        return datetime.fromisoformat(self.ended_at or self.began_at)


class Inspector:
    """One check at a time, on this machine, whichever program started it. Thread-safe."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._file = home / "audit-check.json"
        self._turn = home / "audit-check.lock"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def last(self) -> Inspection | None:
        """The one that runs, else the last; None before the first. One whose program was killed has failed."""
        try:
            found = Inspection(**json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if found.state == "running" and not self._is_running():
            return replace(
                found, state="failed", fault="the program that checked has ended before it was through"
            )
        return found

    def start(self, by: str) -> bool:
        """Begin a check. Returns False where one runs already. Raises GridrollError where none can begin."""
        with self._lock:
            if self._is_running():
                return False
            with self._database.reading() as session:
                begun = Inspection("running", by, _now(), head_of(session).seq)
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(begun, ready), name="audit check", daemon=True
            )
            self._thread.start()
            # The next page shows it running.
            ready.wait(PATIENCE_S)
            return True

    def close(self) -> None:
        """End a check of this program; what it found so far is lost."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def _run(self, begun: Inspection, ready: threading.Event) -> None:
        try:
            with file_lock(self._turn, patience_s=0.0):
                self._keep(begun)
                ready.set()
                self._keep(self._inspect(begun))
        except TimeoutError:  # another program was faster
            pass
        except _StoppedError:
            self._keep(
                replace(begun, state="failed", ended_at=_now(), fault="the portal was stopped meanwhile")
            )
        except Exception:
            logging.getLogger(__name__).exception("the check of the audit chain broke")
            self._keep(
                replace(begun, state="failed", ended_at=_now(), fault="it broke; the portal's log says where")
            )
        finally:
            ready.set()

    def _inspect(self, begun: Inspection) -> Inspection:
        pace, walked = _Pace(), 0

        def progress(rows: int) -> None:
            nonlocal walked
            walked = rows
            if self._stop.is_set():
                raise _StoppedError
            if pace.is_due():
                self._keep(replace(begun, rows=rows))
            pace.rest()

        try:
            with self._database.reading() as session:
                found = verify_all(session, progress=progress)
        except TamperedError as error:
            ended = replace(begun, state="tampered", ended_at=_now(), rows=walked, fault=str(error))
        except GridrollError as error:
            return replace(begun, state="failed", ended_at=_now(), fault=str(error))
        else:
            ended = replace(
                begun, state="sound", ended_at=_now(), rows=found.rows, records=found.records, head=found.head
            )
        self._put_on_record(ended)
        return ended

    def _put_on_record(self, ended: Inspection) -> None:
        after: dict[str, Any] = {"state": ended.state, "rows": ended.rows, "records": ended.records}
        try:
            self._database.transact(
                lambda session: note(session, ended.by, "chain.verified", "chain", None, after, ended.fault),
                idempotent=False,
            )
        except GridrollError as error:  # a chain without a head takes no row
            logging.getLogger(__name__).warning("the check is not on record: %s", error)

    def _is_running(self) -> bool:
        try:
            with file_lock(self._turn, patience_s=0.0):
                return False
        except TimeoutError:
            return True

    def _keep(self, inspection: Inspection) -> None:
        write_whole(self._file, json.dumps(asdict(inspection)).encode())


class _Pace:
    """Says when something is to be told again, and rests between."""

    def __init__(self) -> None:
        self._told = self._rested = time.monotonic()

    def is_due(self) -> bool:
        if time.monotonic() - self._told < TOLD_EVERY_S:
            return False
        self._told = time.monotonic()
        return True

    def rest(self) -> None:
        time.sleep(min(LONGEST_REST_S, REST * (time.monotonic() - self._rested)))
        self._rested = time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
