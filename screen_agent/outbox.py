"""Looks that wait to be handed in, on disk: they survive a crash, a power cut and a network that is away."""

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screen_agent.errors import AgentError

__all__ = ["Outbox", "Waiting"]

SESSIONS = """
CREATE TABLE IF NOT EXISTS sessions (
    portal TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (portal, session_id)
)
"""
TABLE = """
CREATE TABLE IF NOT EXISTS looks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    portal TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    uid TEXT NOT NULL,
    body TEXT NOT NULL,
    refused TEXT,
    kept_at_s REAL,
    UNIQUE (portal, session_id, uid)
)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A look as it is sent. `number`: looks are sent in this order."""

    number: int
    uid: str
    body: str


class Outbox:
    """The looks of one session for one portal, in a SQLite file that several agents may share. For one thread.

    Raises AgentError where the file cannot be used.
    """

    def __init__(self, path: Path, portal: str, session_id: int) -> None:
        self._path, self._portal, self._session_id = path, portal, session_id
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._file = sqlite3.connect(path, timeout=30, isolation_level=None)
            # What is written is on the disk before the agent goes on.
            self._file.execute("PRAGMA synchronous = FULL")
            # Nothing of a picture stays in the file when its look is gone.
            self._file.execute("PRAGMA secure_delete = ON")
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            if hasattr(self, "_file"):
                self._file.close()
            raise self._unusable(error) from error

    def _prepare(self) -> None:
        """Make the tables, or bring those of an earlier version up to date."""
        self._file.execute("BEGIN IMMEDIATE")
        self._file.execute(TABLE)
        self._file.execute(SESSIONS)
        if "kept_at_s" not in {column[1] for column in self._file.execute("PRAGMA table_info(looks)")}:
            self._file.execute("ALTER TABLE looks ADD COLUMN kept_at_s REAL")
        self._file.execute("UPDATE looks SET kept_at_s = ? WHERE kept_at_s IS NULL", (time.time(),))
        self._file.execute("UPDATE looks SET body = '' WHERE refused IS NOT NULL AND body != ''")
        self._file.execute("COMMIT")

    def put(self, uid: str, body: Mapping[str, Any]) -> None:
        """Keep a look until it is taken. One that is here already, or was set aside, stays as it is."""
        self._do(
            "INSERT OR IGNORE INTO looks (portal, session_id, uid, body, kept_at_s) VALUES (?, ?, ?, ?, ?)",
            (self._portal, self._session_id, uid, json.dumps(body), time.time()),
        )

    def first(self) -> Waiting | None:
        """The look to be sent next; None: there is none."""
        found = self._do(
            "SELECT number, uid, body FROM looks WHERE portal = ? AND session_id = ? AND refused IS NULL "
            "ORDER BY number LIMIT 1",
            (self._portal, self._session_id),
        )
        return Waiting(*found[0]) if found else None

    def count(self) -> int:
        """How many looks wait."""
        found = self._do(
            "SELECT count(*) FROM looks WHERE portal = ? AND session_id = ? AND refused IS NULL",
            (self._portal, self._session_id),
        )
        return int(found[0][0])

    def remove(self, number: int) -> None:
        """The look was taken."""
        self._do("DELETE FROM looks WHERE number = ?", (number,))

    def set_aside(self, number: int, why: str) -> None:
        """The look is not taken and never will be; its uid and the reason are kept, and it is not sent again."""
        self._do("UPDATE looks SET refused = ?, body = '' WHERE number = ?", (why, number))

    def drop_before(self, at_s: float) -> int:
        """Delete the looks of all sessions that were put here before (seconds since 1970); how many of them had waited."""
        gone = self._do("DELETE FROM looks WHERE kept_at_s < ? RETURNING refused", (at_s,))
        return sum(refused is None for (refused,) in gone)

    def keep_session(self, told: Mapping[str, Any]) -> None:
        """Keep what the portal says of the session, for a start while it is away."""
        self._do(
            "INSERT OR REPLACE INTO sessions (portal, session_id, told) VALUES (?, ?, ?)",
            (self._portal, self._session_id, json.dumps(told)),
        )

    def kept_session(self) -> dict[str, Any] | None:
        """What was kept of it; None: nothing was."""
        found = self._do(
            "SELECT told FROM sessions WHERE portal = ? AND session_id = ?", (self._portal, self._session_id)
        )
        return dict(json.loads(found[0][0])) if found else None

    def close(self) -> None:
        self._file.close()

    def _do(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            with closing(self._file.execute(statement, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> AgentError:
        return AgentError(
            f"looks cannot be kept in {self._path} ({error}); make room there, or choose another GRIDROLL_HOME"
        )
