"""Hands looks in to a portal over HTTP: in order, kept on disk until they are taken."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from recognizer.errors import RecognizerError
from recognizer.observation import Observation, Receipt
from recognizer.wire import observation_json, read_receipt
from screen_agent.errors import AgentError
from screen_agent.outbox import Outbox, Waiting

__all__ = ["Portal", "PortalAwayError", "RemoteSession", "RemoteSink", "read_token"]

CONNECT_S, ANSWER_S = 5.0, 60.0
LOOK_S, LEAST_S = 5.0, 2.0
"""For how long a look may wait for the portal before the next one; an attempt is not begun with less than `LEAST_S` of it."""

START_S = 10.0
"""For how long a start waits for what the portal says of the session."""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
END_PATIENCE_S = 120.0
"""How long the end of a watch waits for a portal that is away, before what is left stays for the next watch."""

REFUSED = frozenset({400, 404, 409, 412, 413, 415, 422})
"""Answers of the portal that are about one look and will not change."""

PROBLEM = "application/problem+json"
"""What a portal says no in. Whoever refuses in another way is not the portal, but stands between."""


class PortalAwayError(AgentError):
    """The portal does not answer, or not now."""

    transient = True


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """What the portal says of a session. Moments are aware."""

    title: str
    starts_at: datetime
    ends_at: datetime


class Portal:
    """A portal's API, as an agent uses it. For one thread."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise AgentError(
                f"--portal {url!r} is no address of a portal; write e.g. https://gridroll.example.edu"
            )
        self.url = url.rstrip("/")
        self._host = parts.hostname
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=False)

    def session(self, session_id: int, outbox: Outbox) -> RemoteSession:
        """What the portal says of a session, or said when it was last asked, while it is away.

        Raises AgentError where the session is none of the token's, PortalAwayError where nothing is known of it.
        """
        try:
            status, told = self._ask("GET", session_id, None, START_S)
            if status != 200:
                raise AgentError(f"{self._host} has no session {session_id} for this token: {_detail(told)}")
            session = self._read(told)
        except PortalAwayError:
            held = outbox.kept_session()
            if held is None:
                raise
            return self._read(held)
        outbox.keep_session({name: told[name] for name in ("title", "starts_at", "ends_at")})
        return session

    def _read(self, told: Mapping[str, Any]) -> RemoteSession:
        try:
            return RemoteSession(
                str(told["title"]),
                datetime.fromisoformat(told["starts_at"]),
                datetime.fromisoformat(told["ends_at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger() from error

    def _stranger(self) -> PortalAwayError:
        return PortalAwayError(f"{self.url} answers, but not as a portal of Gridroll; check --portal")

    def send(self, session_id: int, body: str, patience_s: float = ANSWER_S) -> tuple[Receipt | None, str]:
        """Hand in a look, waiting for so long at most: its receipt, or None and why it will never be taken.

        Raises PortalAwayError, and AgentError where the token opens nothing.
        """
        status, told = self._ask("POST", session_id, body, patience_s)
        if status != 200:
            return None, f"{status}, {_detail(told)}"
        try:
            return read_receipt(told), ""
        except RecognizerError as error:
            raise self._stranger() from error

    def close(self) -> None:
        self._pool.clear()

    def _ask(
        self, method: str, session_id: int, body: str | None, patience_s: float
    ) -> tuple[int, Mapping[str, Any]]:
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = self._pool.request(
                method,
                f"{self.url}/api/v1/sessions/{session_id}/observations",
                body=None if body is None else body.encode(),
                headers={**self._headers, **kind},
                redirect=False,
                timeout=urllib3.Timeout(total=patience_s, connect=CONNECT_S, read=ANSWER_S),
            )
        except (HTTPError, OSError) as error:
            raise PortalAwayError(f"{self._host} does not answer ({type(error).__name__})") from error
        status = answer.status
        try:
            told = json.loads(answer.data)
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        final = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == PROBLEM
        if final and status in {401, 403}:
            raise AgentError(
                f"{self._host} does not take the token ({status}): {_detail(told)}; looks that wait are kept"
            )
        if status != 200 and not (final and status in REFUSED):
            raise PortalAwayError(f"{self._host} answered {status}: {_detail(told)}")
        return status, told


class RemoteSink:
    """A `Sink` that is durable at once: a look is on this machine's disk, or taken by the portal, when `send` returns.

    `send` takes a few seconds at most, so that looking goes on while the portal hangs or much waits for it; what is left
    goes out at later looks and in `flush`. Where a look was not taken yet, the receipt is what was last known, and asks
    for the faces again. `tell`: hears, once each,
    that the portal is away or back, and of looks that were refused.
    """

    def __init__(
        self,
        portal: Portal,
        session_id: int,
        outbox: Outbox,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._portal, self._session_id, self._outbox = portal, session_id, outbox
        self._tell, self._clock, self._sleep = tell, clock, sleep
        self._wait_s, self._next_at, self._away = FIRST_WAIT_S, 0.0, False
        self._known: Receipt | None = None

    def send(self, observation: Observation) -> Receipt:
        self._outbox.put(observation.uid, observation_json(observation))
        receipt = None
        if self._clock() >= self._next_at:
            receipt = self._hand_in(observation.uid, LOOK_S)
        if receipt is None:
            return self._provisional(observation)
        self._known = receipt
        return receipt

    def flush(self, patience_s: float = END_PATIENCE_S) -> int:
        """Send what waits, for so long at most; returns how many looks are left. Raises AgentError."""
        deadline = self._clock() + patience_s
        while self._outbox.count():
            pause_s = min(self._next_at, deadline) - self._clock()
            if pause_s > 0:
                self._sleep(pause_s)
            self._hand_in(None, deadline - self._clock())
            if self._clock() >= deadline:
                break
        return self._outbox.count()

    def close(self) -> None:
        self._outbox.close()
        self._portal.close()

    def _hand_in(self, wanted: str | None, patience_s: float) -> Receipt | None:
        """Send what waits, in order, for so long at most; returns the receipt of that uid, None where it was not taken."""
        found = None
        deadline, left_s = self._clock() + patience_s, max(patience_s, LEAST_S)
        while left_s >= LEAST_S and (look := self._outbox.first()) is not None:
            try:
                receipt, why = self._portal.send(self._session_id, look.body, left_s)
            except PortalAwayError as error:
                self._back_off(error)
                return None
            self._back()
            left_s = deadline - self._clock()
            if receipt is None:
                self._refused(look, why)
                continue
            self._outbox.remove(look.number)
            if look.uid == wanted:
                found = receipt
        return found

    def _refused(self, look: Waiting, why: str) -> None:
        self._outbox.set_aside(look.number, why)
        self._tell(f"look {look.uid} was refused and is set aside: {why}")

    def _back_off(self, error: PortalAwayError) -> None:
        if not self._away:
            self._away = True
            self._tell(f"{error}; looks are kept on this machine until it is back")
        self._next_at = self._clock() + random.uniform(0.5, 1) * self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _back(self) -> None:
        self._wait_s, self._next_at = FIRST_WAIT_S, 0.0
        if self._away:
            self._away = False
            self._tell("the portal is back; what was kept is handed in")

    def _provisional(self, observation: Observation) -> Receipt:
        tracks = {face.track for face in observation.faces}
        asked = frozenset(face.track for face in observation.faces if face.crop is not None)
        known = self._known or Receipt(observation.uid, observation.headcount, 0, 0)
        return replace(
            known,
            uid=observation.uid,
            headcount=observation.headcount,
            searches=0,
            paid=0,
            embedded=0,
            names={track: name for track, name in known.names.items() if track in tracks},
            guests={track: name for track, name in known.guests.items() if track in tracks},
            wanted=(known.wanted & tracks) | asked,
            continues={},
        )


def read_token(path: Path) -> str:
    """The token in a file's first line. Raises AgentError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(
            f"cannot read the token in {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    token = lines[0].strip() if lines else ""
    if not token.startswith("grl_") or not token.isascii() or not token.isprintable():
        raise AgentError(
            f"{path} holds no token of Gridroll, which begins with grl_; an admin makes one in the portal"
        )
    return token


def _detail(told: Mapping[str, Any]) -> str:
    return str(told.get("detail") or "no word of why")[:300]
