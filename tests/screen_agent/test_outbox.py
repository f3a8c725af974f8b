"""Pictures of faces stay on an agent's machine no longer than they must."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from screen_agent.outbox import Outbox
from screen_agent.tasks import drop_old_looks

DAY_S = 86_400.0
PICTURE = "cGljdHVyZSBvZiBhIGZhY2U" * 200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def opened(path: Path, session_id: int = 7) -> Outbox:
    return Outbox(path, "http://x", session_id)


def rows(path: Path) -> list[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT uid, body, refused FROM looks ORDER BY number").fetchall()


def holds_a_picture(path: Path) -> bool:
    return b"cGljdHVyZSBvZi" in path.read_bytes()


def test_of_a_look_that_is_set_aside_its_name_and_the_reason_stay(path: Path) -> None:
    with closing(opened(path)) as outbox:
        outbox.put("u1", {"crop": PICTURE})
        assert holds_a_picture(path)
        look = outbox.first()
        assert look is not None
        outbox.set_aside(look.number, "422")
        assert rows(path) == [("u1", "", "422")]
        assert not holds_a_picture(path)
        outbox.put("u1", {"crop": PICTURE})  # a recording watched again
        assert outbox.first() is None


def test_a_look_that_was_taken_leaves_nothing_in_the_file(path: Path) -> None:
    with closing(opened(path)) as outbox:
        outbox.put("u1", {"crop": PICTURE})
        look = outbox.first()
        assert look is not None
        outbox.remove(look.number)
        assert not holds_a_picture(path)


def test_looks_of_every_session_that_are_too_old_are_dropped(path: Path) -> None:
    with closing(opened(path, 8)) as other, closing(opened(path)) as outbox:
        other.put("old", {"crop": PICTURE})
        assert outbox.drop_before(time.time() - 60) == 0
        assert outbox.drop_before(time.time() + 60) == 1
        assert not holds_a_picture(path)
        outbox.put("new", {})
        assert [uid for uid, _, _ in rows(path)] == ["new"]


@pytest.mark.parametrize(
    ("evidence_days", "age_days", "left"),
    [
        (30, 29, 1),
        (30, 31, 0),
        (0, 0.9, 1),  # an agent that is started again must hand in what waits
        (0, 1.1, 0),
    ],
)
def test_looks_wait_for_as_long_as_evidence_is_kept(
    path: Path, capsys: pytest.CaptureFixture[str], evidence_days: int, age_days: float, left: int
) -> None:
    with closing(opened(path)) as outbox:
        outbox.put("u1", {"crop": PICTURE})
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE looks SET kept_at_s = ?", (time.time() - age_days * DAY_S,))
        drop_old_looks(outbox, evidence_days)
        assert outbox.count() == left
    assert ("1 look" in capsys.readouterr().err) == (not left)


def test_a_file_of_before_is_cleared_of_what_was_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "CREATE TABLE looks (number INTEGER PRIMARY KEY AUTOINCREMENT, portal TEXT NOT NULL, session_id INTEGER NOT "
            "NULL, uid TEXT NOT NULL, body TEXT NOT NULL, refused TEXT, UNIQUE (portal, session_id, uid))"
        )
        insert = "INSERT INTO looks (portal, session_id, uid, body, refused) VALUES ('http://x', 7, ?, ?, ?)"
        file.executemany(insert, [("u1", PICTURE, "422"), ("u2", "{}", None)])
    for _ in range(2):
        with closing(opened(path)) as outbox:
            assert rows(path) == [("u1", "", "422"), ("u2", "{}", None)]
            assert outbox.drop_before(time.time() - 60) == 0
    assert not holds_a_picture(path)
