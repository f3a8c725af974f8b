"""A member of staff at the portal: fills in forms, sends them again where no answer came, notes what was acknowledged."""

import http.client
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from db.database import Database
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.sessions import find_session
from tests.conftest import START

__all__ = ["EDITS", "PASSWORD", "Clerk", "class_with_doubts"]

PASSWORD = "correct horse battery"
STUCK_S = 120.0
OUT_OF_REACH = "The ledger is out of reach"
EDITS: Sequence[Mapping[str, str]] = (
    {"status": "late", "reason": "came with the bus"},
    {"status": "late", "joined": "09:05", "reason": "the bus came at five past"},
    {"status": "present", "minutes": "12.5", "reason": "asked for the whole lesson"},
    {"action": "hand_back", "reason": "the machine was right"},
    {"status": "excused", "remark": "at the dentist’s", "reason": "brought a note"},
)
"""What is done to each entry, one after the other."""


@dataclass(slots=True)
class Clerk:
    """Signed in at `port` as `email` by the first request. For one thread. `done`: what was acknowledged, in order.

    `outages`: answers that said the database is away.
    """

    port: int
    email: str
    cookies: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    outages: int = 0

    def edit(self, session_id: int, student_no: str, fields: Mapping[str, str]) -> None:
        path = f"/sessions/{session_id}/entries/{student_no}"
        page = self.page(path)
        form = {name: _value(page, name) for name in ("csrf_token", "version", "uid")}
        self.send(path, form | dict(fields))
        self.done.append(f"{student_no} {fields['reason']}")

    def settle(self, session_id: int, review_id: int, fields: Mapping[str, str]) -> None:
        path = f"/sessions/{session_id}/reviews/{review_id}"
        page = self.page(path)
        self.send(path, {name: _value(page, name) for name in ("csrf_token", "mark")} | dict(fields))
        self.done.append(f"{review_id} {fields['answer']}")

    def page(self, path: str) -> str:
        status, text, where = self._ask("GET", path)
        if status == 401 or (status == 302 and "/login" in where):
            self._sign_in()
            status, text, where = self._ask("GET", path)
        assert status == 200, (path, status, text)
        return text

    def send(self, path: str, form: Mapping[str, str]) -> None:
        """Send a form; returns once it is acknowledged."""
        status, text, where = self._ask("POST", path, form)
        assert (status, "/login" in where) == (302, False), (path, where, _plain(text))

    def _sign_in(self) -> None:
        form = {"csrf_token": _value(self._ask("GET", "/login")[1], "csrf_token"), "email": self.email}
        status, text, _ = self._ask("POST", "/login", form | {"password": PASSWORD})
        assert status == 302, _plain(text)

    def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Status, text and place of the answer; asked again until there is one that is no outage."""
        deadline = time.monotonic() + STUCK_S
        while True:
            try:
                status, text, where = self._once(method, path, form)
            except (OSError, http.client.HTTPException):
                status, text, where = 0, "no answer", ""
            if status == 503:
                assert OUT_OF_REACH in text
                assert "Traceback" not in text
                self.outages += 1
            if status not in {0, 503}:
                return status, text, where
            assert time.monotonic() < deadline, f"{method} {path}: {_plain(text)} for {STUCK_S:g} s"
            time.sleep(0.05)

    def _once(self, method: str, path: str, form: Mapping[str, str] | None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            if form is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, None if form is None else urlencode(form), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, text, answer.headers.get("Location", "")
        finally:
            connection.close()


def class_with_doubts(database: Database, session_id: int, student_ids: Sequence[int]) -> None:
    """Store looks at a class of which two are likely somebody and three nobody knows, and fold them."""
    *known, first, second = student_ids[:6]
    heads: dict[str, tuple[str, int | None]] = {f"n{one}": ("named", one) for one in known}
    heads |= {f"d{one}": ("doubtful", one) for one in (first, second)}
    heads |= {f"x{number}": ("unknown", None) for number in range(3)}
    looks = [_look(session_id, number, START + timedelta(minutes=5 * number), heads) for number in range(4)]

    def work(session: Session) -> None:
        record_looks(session, looks)
        refold(session, find_session(session, session_id))

    database.transact(work, patience_s=60)


def _look(
    session_id: int, number: int, taken_at: datetime, heads: Mapping[str, tuple[str, int | None]]
) -> NewLook:
    return NewLook(
        session_id=session_id,
        uid=f"seen-{number}",
        began_at=taken_at,
        taken_at=taken_at,
        trigger="headcount",
        headcount=len(heads),
        searches=0,
        paid=0,
        sightings=tuple(
            NewSighting(track, (9 * place, 0, 9 * place + 8, 9)) for place, track in enumerate(heads)
        ),
        namings=tuple(
            NewNaming(track, verdict, student, None, 93.0, None, None, 95.0, 2, "local", "m")
            for track, (verdict, student) in heads.items()
        )
        if number == 0
        else (),
    )


def _value(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    assert found is not None, f"no field {name} on: {_plain(page)}"
    return unescape(found[1])


def _plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())[:600]
