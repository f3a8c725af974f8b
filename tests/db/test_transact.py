"""Units of work that are done again: deadlocks, locks, lost connections and servers that die, all of them real."""

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.database import Database, make_database
from db.errors import DatabaseError, NotFoundError
from db.failures import BusyError, LostError
from db.schema import AuditRow, Course
from tests.mariadb_server import MariaServer

CODES = ("A", "B")


@pytest.fixture(scope="module")
def mortal(start_mariadb: Callable[..., MariaServer]) -> MariaServer:
    """A server that tests kill."""
    return start_mariadb(durable=True)


@pytest.fixture
def ledger(mortal: MariaServer) -> Iterator[Database]:
    """A database with two courses, on the server that tests kill."""
    database = make_database(mortal.make("ledger"))
    add_courses(database)
    yield database
    database.close()
    mortal.tell("DROP DATABASE ledger")


def add_courses(database: Database) -> None:
    with database.writing() as session:
        session.add_all(
            Course(code=code, time_zone="UTC", late_after_s=0, left_early_s=0, min_presence=0.0)
            for code in CODES
        )


def set_late(session: Session, code: str, seconds: int) -> None:
    session.execute(update(Course).where(Course.code == code).values(late_after_s=seconds))


def late(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Course.late_after_s).order_by(Course.code)))


def connection_id(session: Session) -> int:
    return int(session.execute(text("SELECT CONNECTION_ID()")).scalar() or 0)


def test_work_that_succeeds_is_done_once_and_answers(database: Database) -> None:
    add_courses(database)
    assert database.transact(lambda session: session.scalar(select(func.count(Course.id)))) == 2


def test_two_programs_in_a_deadlock_both_get_done(ledger: Database) -> None:
    met = threading.Barrier(2, timeout=20)
    attempts: list[str] = []

    def work(first: str, second: str, value: int) -> Callable[[Session], None]:
        tried = iter([True])

        def both(session: Session) -> None:
            attempts.append(first)
            set_late(session, first, value)
            if next(tried, False):
                met.wait()  # each now holds what the other one wants
            set_late(session, second, value)

        return both

    programs = [
        threading.Thread(target=ledger.transact, args=[work("A", "B", 1)]),
        threading.Thread(target=ledger.transact, args=[work("B", "A", 2)]),
    ]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    assert len(attempts) == 3
    assert late(ledger) in ([1, 1], [2, 2])


def test_a_lock_that_is_held_too_long_is_waited_for_again(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connections.LOCK_WAIT_S", 1)
    impatient = Database(ledger.engine.url.render_as_string(hide_password=False))
    attempts = 0

    def work(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        set_late(session, "A", 5)

    with ledger.writing() as session:
        set_late(session, "A", 4)
        session.flush()
        program = threading.Thread(target=impatient.transact, args=[work])
        program.start()
        time.sleep(1.5)
    program.join(30)
    assert attempts == 2
    assert late(ledger)[0] == 5
    impatient.close()


def test_a_locked_sqlite_file_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.connections.BUSY_TIMEOUT_MS", 20)
    database = make_database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    add_courses(database)
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.4, lambda: other.execute("ROLLBACK")).start()
    database.transact(lambda session: set_late(session, "A", 6))
    assert late(database)[0] == 6
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(BusyError, match="is locked by another program"):
        database.transact(lambda session: set_late(session, "A", 7), patience_s=0.5)
    assert 0.1 < time.monotonic() - began < 5
    other.close()
    database.close()


def test_a_connection_that_is_killed_is_replaced(ledger: Database, mortal: MariaServer) -> None:
    attempts = 0

    def work(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        set_late(session, "A", attempts)
        note(session, SYSTEM, "course.changed", "course:1")
        if attempts == 1:
            mortal.tell(f"KILL CONNECTION {connection_id(session)}")
            set_late(session, "B", 9)

    ledger.transact(work)
    assert attempts == 2
    assert late(ledger) == [2, 0]
    with ledger.reading() as session:
        assert session.scalar(select(func.count(AuditRow.seq))) == 1


def test_a_server_that_dies_and_comes_back_in_the_middle_of_the_work(
    ledger: Database, mortal: MariaServer
) -> None:
    ledger.transact(lambda session: set_late(session, "B", 3))
    restart = threading.Timer(0.3, mortal.start)
    attempts = 0

    def work(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        set_late(session, "A", 8)
        session.flush()
        if attempts == 1:
            mortal.kill()
            restart.start()

    ledger.transact(work, patience_s=60)
    restart.join()
    assert attempts == 2
    assert late(ledger) == [8, 3]


def test_connections_of_before_a_restart_are_never_handed_out(ledger: Database, mortal: MariaServer) -> None:
    together = threading.Barrier(4, timeout=20)

    def use() -> None:
        with ledger.reading() as session:
            session.execute(text("DO 0"))
            together.wait()

    programs = [threading.Thread(target=use) for _ in range(4)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    mortal.kill()
    mortal.start()
    for _ in range(6):
        assert late(ledger) == [0, 0]


def test_patience_with_a_server_that_stays_away_ends(ledger: Database, mortal: MariaServer) -> None:
    mortal.stop()
    began = time.monotonic()
    with pytest.raises(LostError, match="cannot be reached") as error:
        ledger.transact(lambda session: set_late(session, "A", 1), patience_s=1)
    assert error.value.transient
    assert 0.4 < time.monotonic() - began < 10
    mortal.start()
    assert late(ledger) == [0, 0]


def test_a_server_that_hangs_is_given_up(ledger: Database, mortal: MariaServer) -> None:
    url = ledger.engine.url.update_query_dict({"read_timeout": "1"}).render_as_string(hide_password=False)
    impatient = Database(url)
    assert late(impatient) == [0, 0]
    with mortal.hung(), pytest.raises(LostError, match="cannot be reached"):
        impatient.transact(lambda session: set_late(session, "A", 1), patience_s=0)
    impatient.transact(lambda session: set_late(session, "A", 2))
    assert late(ledger) == [2, 0]
    impatient.close()


class Thief:
    """Stands between client and server, and breaks the connection in the moment in which COMMIT is answered."""

    def __init__(self, port: int) -> None:
        self.stolen = 0
        self.lurking = False
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                armed = threading.Event()
                for ends in ((client, server, armed, True), (server, client, armed, False)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(
        self, source: socket.socket, target: socket.socket, armed: threading.Event, asks: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if asks and b"\x03COMMIT" in data and self.lurking:
                    armed.set()
                if armed.is_set() and not asks:
                    self.stolen, self.lurking = self.stolen + 1, False
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def thief(ledger: Database, mortal: MariaServer) -> Iterator[Thief]:
    thief = Thief(mortal.port)
    yield thief
    thief.close()


@pytest.fixture
def robbed(ledger: Database, thief: Thief) -> Iterator[Database]:
    # Without TLS, which would hide the COMMIT.
    url = ledger.engine.url.set(port=thief.port).update_query_dict({"ssl_disabled": "true"})
    database = Database(url.render_as_string(hide_password=False))
    late(database)  # connected, which takes a COMMIT of its own
    thief.lurking = True
    yield database
    database.close()


def test_work_whose_commit_was_done_and_not_answered_is_done_again(
    ledger: Database, robbed: Database, thief: Thief
) -> None:
    seen: list[list[int]] = []

    def work(session: Session) -> None:
        seen.append(late(ledger))
        set_late(session, "A", 4)

    robbed.transact(work)
    assert thief.stolen == 1
    assert seen == [[0, 0], [4, 0]], "the first commit had been done"
    assert late(ledger) == [4, 0]


def test_work_that_must_not_be_done_twice_is_not(ledger: Database, robbed: Database, thief: Thief) -> None:
    def work(session: Session) -> None:
        session.execute(update(Course).values(late_after_s=Course.late_after_s + 1))

    with pytest.raises(LostError):
        robbed.transact(work, idempotent=False)
    assert thief.stolen == 1
    assert late(ledger) == [1, 1]


def test_work_that_must_not_be_done_twice_is_repeated_where_it_was_undone(ledger: Database) -> None:
    attempts = 0

    def work(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        session.execute(update(Course).values(late_after_s=Course.late_after_s + 1))
        if attempts == 1:
            raise BusyError("in the way")

    ledger.transact(work, idempotent=False)
    assert late(ledger) == [1, 1]


@pytest.mark.parametrize("wrong", ["duplicate", "sentence", "own"])
def test_nothing_else_is_tried_again(database: Database, wrong: str) -> None:
    add_courses(database)
    attempts = 0

    def work(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        set_late(session, "A", 1)
        if wrong == "duplicate":
            session.execute(update(Course).values(code="A"))
        if wrong == "sentence":
            session.execute(text("SELEKT 1"))
        raise NotFoundError("no such thing")

    with pytest.raises(NotFoundError if wrong == "own" else DatabaseError):
        database.transact(work)
    assert attempts == 1
    assert late(database) == [0, 0]
