"""The identity memory: what is known of each person seen in a session, so that nobody is paid for twice."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from db.face_cache import FaceCache
from recognizer.likeness import Likeness

__all__ = ["IdentityMemory", "Remembered"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Somebody seen, under `track` the last time, and what was concluded.

    `person`: the track under which they were seen first; the ledger knows them by it. `verdict` and the similarities as in
    `recognizer.decision.Verdict`, with the face, the engine and the model behind them. `guest`: a guest's name.
    `likeliest_id`: the student most alike, be it too little. `asked`: looks at which the question was put. `template`:
    the engine's. `threshold_pct`: what a name took.
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
    guest: str = ""


_PLAIN = tuple(field.name for field in fields(Remembered) if field.name not in ("likeness", "template"))


class IdentityMemory:
    """The people of a session, in the face cache's server, half a day long. Safe to share between threads.

    Somebody is kept once, under the first track. Later tracks, and the student they are or are like, lead there.
    """

    def __init__(self, cache: FaceCache) -> None:
        self._cache = cache

    def recall(self, session_id: int, tracks: Collection[str]) -> dict[str, Remembered]:
        """What is known of who these tracks are; tracks never asked about are missing. Two queries at most."""
        keys = {_key(session_id, track): track for track in tracks}
        return {keys[key]: one for key, one in self._follow(keys).items()}

    def recall_students(
        self, session_id: int, absent: Collection[int], roster: Collection[int]
    ) -> list[Remembered]:
        """Who was last found to be each of the absent students, and who was last most like each of the roster's without a
        name."""
        keys = [_student_key(session_id, student, True) for student in absent]
        keys += [_student_key(session_id, student, False) for student in roster]
        return list(self._follow(keys).values())

    def remember(self, session_id: int, people: Collection[Remembered]) -> None:
        """Replace what is known of these people, whatever track or student leads to them. One write."""
        documents: dict[str, dict[str, Any]] = {}
        for one in people:
            person = _key(session_id, one.person)
            documents[person] = _document(one)
            if one.track != one.person:
                documents[_key(session_id, one.track)] = {"leads_to": person}
            named = one.verdict == "named"
            student = one.student_id if named else one.likeliest_id
            if student is not None:
                documents[_student_key(session_id, student, named)] = {"leads_to": person}
        self._cache.remember(documents)

    def _follow(self, keys: Collection[str]) -> dict[str, Remembered]:
        found = self._cache.recall(keys)
        leads = {key: str(held["leads_to"]) for key, held in found.items() if "leads_to" in held}
        lacking = set(leads.values()) - found.keys()
        people = {**found, **self._cache.recall(lacking)}
        ends = {key: people.get(leads.get(key, key)) for key in found}
        return {key: _remembered(held) for key, held in ends.items() if held is not None}


FORMAT = 2
"""Of what is kept: what another version of Gridroll wrote is not found, and expires."""


def _key(session_id: int, track: str) -> str:
    return f"{FORMAT}:{session_id}:{track}"


def _student_key(session_id: int, student_id: int, named: bool) -> str:
    return f"{FORMAT}:{session_id}:{'is' if named else 'like'}={student_id}"


def _document(one: Remembered) -> dict[str, Any]:
    # As text: nx-27017 0.8 takes binary values in a new document, but refuses them in one that is replaced.
    likeness = b64encode(one.likeness.to_bytes()).decode("ascii")
    template = None if one.template is None else b64encode(one.template).decode("ascii")
    plain = {key: getattr(one, key) for key in _PLAIN}
    return {**plain, "likeness": likeness, "template": template}


def _remembered(document: Mapping[str, Any]) -> Remembered:
    template = document["template"]
    return Remembered(
        **{key: document[key] for key in _PLAIN},
        likeness=Likeness.from_bytes(b64decode(document["likeness"])),
        template=None if template is None else b64decode(template),
    )
