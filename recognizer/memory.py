"""The identity memory: what is known of each person seen in a session, so that nobody is paid for twice."""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from secrets import token_hex
from threading import Lock
from typing import Any

from db.face_cache import MEMORY_TTL_S, CachedFace, FaceCache, FaceStamp, Note
from db.mongo import CacheError
from recognizer.likeness import Likeness

__all__ = ["IdentityMemory", "Recollection", "Remembered"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Somebody seen, under `track` the last time, and what was concluded.

    `person`: the track under which they were seen first; the ledger knows them by it. `verdict` and the similarities as in
    `recognizer.decision.Verdict`, with the face, the engine and the model behind them. `guest`: a guest's name.
    `likeliest_id`: the student most alike, be it too little. `asked`: looks at which the question was put. `template`:
    the engine's. `threshold_pct`: what a name took. `concluded_at`: when the look at which that was concluded was taken, aware.
    """

    track: str
    person: str
    verdict: str
    student_id: int | None
    likeliest_id: int | None
    similarity_pct: float | None
    runner_up_id: int | None
    runner_up_pct: float | None
    face_id: str | None
    engine: str
    model: str
    asked: int
    likeness: Likeness
    template: bytes | None
    threshold_pct: float
    concluded_at: datetime
    guest: str = ""


_CODED = ("likeness", "template", "concluded_at")
_PLAIN = tuple(field.name for field in fields(Remembered) if field.name not in _CODED)


class Recollection:
    """What is known of the people of a session, and the faces of its roster, at the beginning of a look."""

    def __init__(
        self, session_id: int, people: Mapping[str, Remembered | str], faces: Mapping[str, CachedFace]
    ) -> None:
        self._session_id = session_id
        self._people = people
        self.faces = faces

    def recall(self, tracks: Collection[str]) -> dict[str, Remembered]:
        """What is known of who these tracks are; tracks never asked about are missing."""
        found = {track: self._end(_key(self._session_id, track)) for track in tracks}
        return {track: one for track, one in found.items() if one is not None}

    def recall_students(self, absent: Collection[int], roster: Collection[int]) -> list[Remembered]:
        """Who was last found to be each of the absent students, and who was last most like each of the roster's without a
        name."""
        keys = [_student_key(self._session_id, student, True) for student in absent]
        keys += [_student_key(self._session_id, student, False) for student in roster]
        return [one for key in keys if (one := self._end(key)) is not None]

    def _end(self, key: str) -> Remembered | None:
        found = self._people.get(key)
        if isinstance(found, str):
            found = self._people.get(found)
        return found if isinstance(found, Remembered) else None


@dataclass(frozen=True, slots=True)
class _Entry:
    """`held`: a person, the key that leads to one, or None of what was forgotten. `stamp`: the server's time when what it
    holds was last compared. `kept_at`: seconds of the monotonic clock. `written`: the number of this process's writing that
    it came with; 0: it came from the server."""

    held: Remembered | str | None
    stamp: datetime
    kept_at: float
    written: int = 0

    def leads(self, person: str, now: float) -> bool:
        """Whether that this leads to the person was written already, and lately enough not to expire."""
        return self.held == person and now - self.kept_at < MEMORY_TTL_S / 12


@dataclass(slots=True)
class _Mirror:
    """What this process knows of one session.

    `since`: the newest stamp seen; None: the server was not asked yet. `faced`: students who had a face at a look.
    """

    entries: dict[str, _Entry]
    since: datetime | None
    used_at: float
    faced: set[int]


class IdentityMemory:
    """The people of a session, in the face cache's server, half a day long. Safe to share between threads.

    Somebody is kept once, under the first track. Later tracks, and the student they are or are like, lead there. This
    process keeps a copy of the sessions it looks at, and asks the server what others changed; while the server is away
    the copy is all there is.
    """

    def __init__(self, cache: FaceCache, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache = cache
        self._clock = clock
        self._writer = token_hex(8)
        self._lock = Lock()
        self._mirrors: dict[int, _Mirror] = {}
        self._writings = 0
        self._under_way: set[int] = set()

    def look(
        self,
        session_id: int,
        wanted: Mapping[str, FaceStamp],
        missing: Callable[[Collection[str]], Iterable[CachedFace]],
    ) -> Recollection:
        """What is known by now, whoever found it out, and the faces wanted, in one query. See `FaceCache.refresh`."""
        with self._lock:
            since = self._mirror(session_id).since
            began = min(self._under_way, default=self._writings + 1) - 1
        fresh = self._cache.refresh(session_id, self._writer, since, wanted, missing)
        with self._lock:
            mirror = self._mirror(session_id)
            mirror.faced.update(face.student_id for face in wanted.values())
            accepted = _merged(mirror, fresh.notes or (), self._clock(), began)
            if fresh.notes is not None:
                stamps = [note.updated_at for note in fresh.notes if note.updated_at is not None]
                mirror.since = max([*stamps, mirror.since or NEVER])
            people = {key: entry.held for key, entry in mirror.entries.items() if entry.held is not None}
            self._cache.give_up(accepted)
        return Recollection(session_id, people, fresh.faces)

    def recall(self, session_id: int, tracks: Collection[str]) -> dict[str, Remembered]:
        """What is known of who these tracks are; tracks never asked about are missing. One query."""
        return self.look(session_id, {}, lambda _: ()).recall(tracks)

    def remember(self, session_id: int, people: Collection[Remembered]) -> None:
        """Replace what is known of these people, whatever track or student leads to them. One write at most."""
        kept: dict[str, Remembered | str] = {}
        for one in people:
            person = _key(session_id, one.person)
            kept[person] = one
            if one.track != one.person:
                kept[_key(session_id, one.track)] = person
            named = one.verdict == "named"
            student = one.student_id if named else one.likeliest_id
            if student is not None:
                kept[_student_key(session_id, student, named)] = person
        with self._lock:
            mirror, now = self._mirror(session_id), self._clock()
            self._writings += 1
            writing = self._writings
            self._under_way.add(writing)
            # Of a server that was never asked it is not known how new its versions are: this machine's clock must do.
            seen = datetime.now(UTC) if mirror.since is None else mirror.since
            for key, held in list(kept.items()):
                before = mirror.entries.get(key)
                if before is not None and isinstance(held, str) and before.leads(held, now):
                    del kept[key]
                    continue
                stamp = seen if before is None else before.stamp
                mirror.entries[key] = _Entry(held, stamp, now, writing)
        try:
            self._cache.remember(session_id, self._writer, [_note(key, held) for key, held in kept.items()])
        finally:
            with self._lock:
                self._under_way.discard(writing)

    def faced(self, session_id: int) -> frozenset[int]:
        """The students who had a face at any look of this process at the session, and were not forgotten since."""
        with self._lock:
            return frozenset(self._mirror(session_id).faced)

    def forget(self, session_id: int, student_id: int) -> None:
        """Forget a student whose faces were removed while a look was under way that found them.

        What the server has of them goes too, or, where it is away, when they are removed again.
        """
        with self._lock:
            mirror = self._mirror(session_id)
            mirror.faced.discard(student_id)
            mirror.entries = {
                key: entry
                for key, entry in mirror.entries.items()
                if not isinstance(entry.held, Remembered)
                or student_id not in (entry.held.student_id, entry.held.likeliest_id)
            }
        with suppress(CacheError):
            self._cache.forget(student_id)

    def _mirror(self, session_id: int) -> _Mirror:
        """The session's copy, used now. Copies and people that nobody used for long are dropped."""
        now = self._clock()
        mirror = self._mirrors.pop(session_id, None) or _Mirror({}, None, now, set())
        mirror.used_at = now
        mirror.entries = {
            key: entry for key, entry in mirror.entries.items() if now - entry.kept_at < MEMORY_TTL_S
        }
        recent = [(key, one) for key, one in self._mirrors.items() if now - one.used_at < KEPT_S]
        self._mirrors = {**dict(recent[1 - MOST_SESSIONS :]), session_id: mirror}
        return mirror


FORMAT = 4
"""Of what is kept: what another version of Gridroll wrote is not found, and expires."""
KEPT_S, MOST_SESSIONS = 3 * 3600.0, 64
"""A session that is not looked at for so long is dropped from this process, and the longest unused one of so many."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def _merged(mirror: _Mirror, notes: Iterable[Note], now: float, began: int) -> list[str]:
    """Take over what is newer on the server; returns the keys of what was.

    `began`: this process's last writing that was over when the server was asked; what came later is newer than the answer.
    """
    accepted = []
    for note in notes:
        known = mirror.entries.get(note.key)
        assert note.updated_at is not None
        if known is None or (note.updated_at > known.stamp and known.written <= began):
            mirror.entries[note.key] = _Entry(_held(note), note.updated_at, now)
            accepted.append(note.key)
    return accepted


def _key(session_id: int, track: str) -> str:
    return f"{FORMAT}:{session_id}:{track}"


def _student_key(session_id: int, student_id: int, named: bool) -> str:
    return f"{FORMAT}:{session_id}:{'is' if named else 'like'}={student_id}"


def _note(key: str, held: Remembered | str) -> Note:
    if isinstance(held, str):
        return Note(key, {"leads_to": held})
    return Note(key, _document(held), held.student_id, held.likeliest_id)


def _held(note: Note) -> Remembered | str | None:
    if note.held is None:
        return None
    return str(note.held["leads_to"]) if "leads_to" in note.held else _remembered(note.held)


def _document(one: Remembered) -> dict[str, Any]:
    # As text: nx-27017 0.8 takes binary values in a new document, but refuses them in one that is replaced.
    likeness = b64encode(one.likeness.to_bytes()).decode("ascii")
    template = None if one.template is None else b64encode(one.template).decode("ascii")
    plain = {key: getattr(one, key) for key in _PLAIN}
    # As text, too: the server keeps milliseconds only.
    concluded_at = one.concluded_at.isoformat()
    return {**plain, "likeness": likeness, "template": template, "concluded_at": concluded_at}


def _remembered(document: Mapping[str, Any]) -> Remembered:
    template = document["template"]
    return Remembered(
        **{key: document[key] for key in _PLAIN},
        likeness=Likeness.from_bytes(b64decode(document["likeness"])),
        template=None if template is None else b64decode(template),
        concluded_at=datetime.fromisoformat(document["concluded_at"]),
    )
