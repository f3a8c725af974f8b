"""Looks of agents elsewhere are recognised and stored as those of an agent on this machine."""

import base64
import struct
import threading
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from db.accounts import add_user
from db.database import Database
from db.face_cache import FaceCache
from db.people import find_course
from db.report import session_report
from db.schema import EvidenceRow, LookRow
from db.settings import Settings
from db.tokens import add_token
from portal.app import close_app, create_app
from portal.bearer import hash_token, new_token
from recognizer.observation import Observation, SeenFace
from recognizer.verify import Verifier
from recognizer.wire import observation_json, read_receipt
from tests.conftest import START
from tests.portal.api.conftest import Program
from tests.recognizer.conftest import ANN, BEN, CID, class_of_two, crop_of


@pytest.fixture
def app(settings: Settings, database: Database, cache: FaceCache, tmp_path: Path) -> Iterator[Flask]:
    """A portal that knows Ann and Ben, and a session of theirs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    engine, _ = class_of_two(folder, database, cache, settings)
    app = create_app(settings, database, cache)
    app.extensions["gridroll"].backroom._engine = engine
    yield app
    close_app(app)


@pytest.fixture
def agent(app: Flask, database: Database) -> Program:
    token = new_token()
    with database.writing() as writing:
        user = add_user(writing, "ines@example.edu", "staff", "")
        add_token(writing, "Room 7", hash_token(token), ["observations"], user, find_course(writing, "BIO"))
    return Program(app.test_client(), token)


def look(number: int, minute: float = 1, *faces: SeenFace) -> Observation:
    at = START + timedelta(minutes=minute)
    return Observation(f"look-{number}", 1, at, at, "headcount", len(faces), faces)


def shown(track: str, person: Any, shift_px: int = 0) -> SeenFace:
    return SeenFace(track, (0, 0, 99, 99), (9, 9, 50, 50), crop_of(person, 300, shift_px))


PATH = "/sessions/1/observations"


def send(agent: Program, seen: Observation) -> Any:
    answer = agent.post(PATH, observation_json(seen))
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return answer.json


def test_a_look_is_recognised_and_stored_like_one_of_this_machine(
    agent: Program, database: Database, cache: FaceCache, settings: Settings
) -> None:
    receipts = [
        send(
            agent,
            look(number, number, *(shown(*who, number) for who in (("a", ANN), ("b", BEN), ("c", CID)))),
        )
        for number in range(1, 5)
    ]
    receipt = receipts[-1]
    assert receipt["names"] == {"a": ANN.name, "b": BEN.name}
    assert (receipt["identified"], receipt["unknown"], receipt["wanted"]) == (2, 1, [])
    assert read_receipt(receipt).unknown == 1
    with database.reading() as reading:
        report = session_report(reading, 1)
        crops = reading.scalar(select(func.count()).select_from(EvidenceRow))
    assert {line.name: line.status for line in report.students} == {ANN.name: "present", BEN.name: "present"}
    assert [review.kind for review in report.reviews] == ["unknown_face"]
    assert crops


def test_the_same_look_twice_is_stored_once_and_answered_alike(agent: Program, database: Database) -> None:
    first = send(agent, look(1, 1, shown("a", ANN)))
    again = send(agent, look(1, 1, shown("a", ANN)))
    assert first["names"] == again["names"]
    with database.reading() as reading:
        assert reading.scalar(select(func.count()).select_from(LookRow)) == 1


def test_a_portal_that_starts_again_remembers_who_sat_where(
    agent: Program, app: Flask, settings: Settings, database: Database, cache: FaceCache
) -> None:
    first = send(agent, look(1, 1, shown("a", ANN)))
    other = create_app(settings, database, cache)
    other.extensions["gridroll"].backroom._engine = app.extensions["gridroll"].backroom.engine
    unasked = SeenFace("a", (0, 0, 99, 99), (9, 9, 50, 50))
    later = send(Program(other.test_client(), agent.token), look(2, 2, unasked))
    assert later["names"] == first["names"] == {"a": ANN.name}
    assert later["searches"] == 0


def test_looks_of_one_session_wait_for_each_other(
    agent: Program, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most, real = [0], [0], Verifier.verify

    def counted(self: Verifier, observation: Observation) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            return real(self, observation)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(Verifier, "verify", counted)
    programs = [Program(app.test_client(), agent.token) for _ in range(4)]
    threads = [
        threading.Thread(target=send, args=(one, look(number, number, shown("a", ANN))))
        for number, one in enumerate(programs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1]


def test_an_agent_learns_when_to_look(agent: Program) -> None:
    told = agent.get(PATH).json
    assert told is not None
    assert (told["course"], told["looks"], told["starts_at"]) == ("BIO", 0, "2026-11-20T09:00:00.000000Z")


def bomb() -> str:
    """A small PNG of 50,000 by 50,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


FACE = {"track": "t", "tile": [0, 0, 9, 9], "box": [1, 1, 5, 5]}
LATER = "2026-11-20T12:00:00Z"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uid": "x" * 37}, "uid"),
        ({"uid": "two words"}, "uid"),
        ({"began_at": LATER, "taken_at": LATER}, "taken_at"),  # hours after the class
        ({"began_at": LATER}, "taken_at"),
        ({"trigger": "bored"}, "trigger"),
        ({"headcount": 0, "faces": [FACE]}, "headcount"),
        ({"headcount": -1}, "headcount"),
        ({"headcount": 2, "faces": [FACE, FACE]}, "faces"),
        ({"faces": [FACE | {"track": "x" * 49}]}, "faces.0.track"),
        ({"faces": [FACE | {"box": [1, 2, 3]}]}, "faces.0.box"),
        ({"faces": [FACE | {"cue": "wink"}]}, "faces.0.cue"),
        ({"faces": [FACE | {"crop": {"image": "%%%", "box": [0, 0, 1, 1]}}]}, "faces.0.crop.image"),
        ({"faces": [FACE | {"crop": {"image": "aGVsbG8=", "box": [0, 0, 1, 1]}}]}, "faces.0.crop.image"),
        ({"faces": [FACE | {"crop": {"image": bomb(), "box": [0, 0, 1, 1]}}]}, "faces.0.crop.image"),
        ({"session_id": 2}, "session_id"),
    ],
)
def test_a_look_that_cannot_be_is_refused_and_not_stored(
    agent: Program, database: Database, change: dict[str, Any], field: str
) -> None:
    sound = observation_json(look(1)) | {"headcount": 1}
    answer = agent.post(PATH, sound | change)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == field
    with database.reading() as reading:
        assert reading.scalar(select(func.count()).select_from(LookRow)) == 0


def test_a_box_outside_its_crop_is_refused(agent: Program) -> None:
    sent = observation_json(look(1, 1, shown("a", ANN)))
    sent["faces"][0]["crop"]["box"] = [0, 0, 10_000, 10]
    answer = agent.post(PATH, sent)
    assert answer.status_code == 422


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_looks_are_refused_for_now(
    settings: Settings, database: Database, agent: Program
) -> None:
    app = create_app(settings, database)
    answer = Program(app.test_client(), agent.token).post(PATH, observation_json(look(1)))
    assert answer.status_code == 503
    close_app(app)


def test_large_heads_are_sent_smaller() -> None:
    face = crop_of(ANN, 4000)
    sent = observation_json(look(1, 1, SeenFace("a", (0, 0, 9, 9), (1, 1, 5, 5), face)))["faces"][0]["crop"]
    assert len(sent["image"]) < 600_000
    x1, y1, x2, y2 = sent["box"]
    assert 0 <= x1 < x2 <= 1024
    assert 0 <= y1 < y2 <= 1024
