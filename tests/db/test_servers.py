"""Servers as administrators set them up: other defaults, TLS, few rights, and everything they can refuse."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from db.database import Database, make_database, open_database
from db.errors import ConfigError, DatabaseError
from db.schema import Consent, Student
from tests.certificates import Authority
from tests.mariadb_server import MariaServer

RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(start_mariadb: Callable[..., MariaServer], authority: Authority) -> MariaServer:
    """Everything that has a default has another one here; TLS is on."""
    certificate = authority.issue()
    return start_mariadb(
        *("--character-set-server=latin1", "--collation-server=latin1_swedish_ci"),
        *("--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT", "--default-time-zone=+05:00"),
        *(f"--ssl-cert={certificate}", f"--ssl-key={certificate}"),
    )


@pytest.fixture
def name(server: MariaServer) -> Iterator[str]:
    """An empty database with the server's defaults, and a user `gridroll` who may do there what the guide says."""
    name = f"test_{os.urandom(6).hex()}"
    server.tell(
        f"CREATE DATABASE {name}",
        "CREATE OR REPLACE USER gridroll@'127.0.0.1' IDENTIFIED BY 'secret'",
        f"GRANT {RIGHTS} ON {name}.* TO gridroll@'127.0.0.1'",
    )
    yield name
    server.tell(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def url(server: MariaServer, name: str) -> str:
    return f"mysql+pymysql://gridroll:secret@127.0.0.1:{server.port}/{name}"


@pytest.fixture
def ledger(url: str) -> Iterator[Database]:
    database = make_database(url)
    yield database
    database.close()


def add_student(database: Database, student_no: str = "S1", note: str = "n") -> None:
    with database.writing() as session:
        student = Student(student_no=student_no, name="Jürgen 陳 😀", email="j@x.example")
        session.add(student)
        session.flush()
        session.add(
            Consent(student_id=student.id, note=note, given_at=datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
        )


def students(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Student.id))) or 0


def one_line(error: DatabaseError) -> str:
    assert "\n" not in str(error)
    assert "secret" not in str(error)
    return str(error)


# ------------------------------------------------------------------------------------------- defaults


@pytest.mark.parametrize(
    "charset", ["latin1 COLLATE latin1_swedish_ci", "utf8mb3", "utf8mb4 COLLATE utf8mb4_general_ci"]
)
@pytest.mark.parametrize("version", [None, "0003"])
def test_text_compares_by_bytes_whatever_the_servers_defaults(
    server: MariaServer, name: str, url: str, charset: str, version: str | None
) -> None:
    server.tell(f"ALTER DATABASE {name} CHARACTER SET {charset}")
    database = Database(url)
    if version is not None:  # a database made before there was a policy
        database.migrate(version)
    database.migrate()
    with database.reading() as session:
        found: Any = session.execute(
            text(
                "SELECT table_name, column_name, character_set_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND collation_name IS NOT NULL AND table_name <> 'alembic_version'"
            )
        ).all()
    assert len(found) > 60
    assert {row.character_set_name for row in found} == {"utf8mb4"}
    assert {row.collation_name for row in found} == {"utf8mb4_bin", "utf8mb4_nopad_bin"}
    add_student(database)
    with database.reading() as session:
        assert session.scalars(select(Student.name)).one() == "Jürgen 陳 😀"
        assert session.scalars(select(Student).where(Student.email == "J@x.example")).all() == []
        assert session.scalars(select(Student).where(Student.name == "jurgen 陳 😀")).all() == []
    database.close()


def test_a_value_that_does_not_fit_is_refused_where_the_server_would_cut_it(ledger: Database) -> None:
    with pytest.raises(DatabaseError, match="Data too long for column 'name'"), ledger.writing() as session:
        session.add(Student(student_no="S1", name="x" * 201, email=""))
    assert students(ledger) == 0


def test_moments_do_not_move_with_the_servers_time_zone(ledger: Database) -> None:
    add_student(ledger)
    with ledger.reading() as session:
        assert session.execute(text("SELECT @@time_zone")).scalar() == "+05:00"
        assert session.scalars(select(Consent.given_at)).one() == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
        assert session.execute(text("SELECT given_at FROM consents")).scalar() == datetime(2026, 3, 29, 1, 30)  # noqa: DTZ001


def test_the_two_names_of_the_protocol_are_one(url: str) -> None:
    make_database(url.replace("mysql+", "mariadb+")).close()
    database = open_database(url)
    with database.reading() as session:
        made = session.execute(text("SHOW CREATE TABLE students")).one()[1]
    assert "utf8mb4_nopad_bin" in made
    assert "ENGINE=InnoDB" in made
    database.close()


# ------------------------------------------------------------------------------------------------ TLS


def test_a_server_of_a_known_authority_is_talked_to_in_secret(url: str, authority: Authority) -> None:
    database = make_database(f"{url}?ssl_ca={authority.file}")
    with database.reading() as session:
        assert session.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1] != ""
    assert "ssl_ca" not in database.shown_url
    database.close()


def test_a_server_of_an_unknown_authority_is_not_talked_to(url: str, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger")
    with pytest.raises(DatabaseError, match=r"cannot be trusted .*correct ssl_ca") as error:
        make_database(f"{url}?ssl_ca={stranger.file}")
    one_line(error.value)
    assert not error.value.transient


def test_a_certificate_for_another_host_is_not_accepted(url: str, authority: Authority) -> None:
    with pytest.raises(DatabaseError, match="cannot be trusted"):
        make_database(f"{url.replace('127.0.0.1', 'localhost')}?ssl_ca={authority.file}")


def test_an_authority_that_is_not_there_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"ssl_ca '/nowhere/ca.pem' in database_url is not there"):
        make_database(f"{url}?ssl_ca=/nowhere/ca.pem")


def test_a_server_without_tls_is_not_talked_to_where_an_authority_is_given(
    mariadb: MariaServer, authority: Authority
) -> None:
    with pytest.raises(DatabaseError, match=r"cannot be trusted .*SSL is required"):
        make_database(f"{mariadb.url}/any?ssl_ca={authority.file}")


# ------------------------------------------------------------------------------------------- refusals


def test_the_rights_of_the_guide_are_enough(url: str, server: MariaServer, name: str) -> None:
    make_database(url).close()
    server.tell(
        f"REVOKE ALL ON {name}.* FROM gridroll@'127.0.0.1'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO gridroll@'127.0.0.1'",
    )
    database = open_database(url)
    add_student(database)
    assert students(database) == 1
    with pytest.raises(DatabaseError, match="lacks a right") as error:
        database.migrate("0003")
    one_line(error.value)
    database.close()


def test_a_wrong_password_says_where_to_correct_it(url: str) -> None:
    with pytest.raises(DatabaseError, match="correct user and password in database_url") as error:
        open_database(url.replace("secret", "wrong-word"))
    assert "wrong-word" not in one_line(error.value)
    assert not error.value.transient


def test_a_database_that_is_not_there_says_how_to_make_it(server: MariaServer) -> None:
    with pytest.raises(DatabaseError, match="CREATE DATABASE") as error:
        open_database(f"{server.url}/nowhere")
    one_line(error.value)


def test_a_server_that_is_read_only_says_so(ledger: Database, server: MariaServer) -> None:
    server.tell("SET GLOBAL read_only = 1")
    try:
        with pytest.raises(DatabaseError, match="is read-only at the moment") as error:
            add_student(ledger)
        one_line(error.value)
        assert students(ledger) == 0
    finally:
        server.tell("SET GLOBAL read_only = 0")
    add_student(ledger)
    assert students(ledger) == 1


def test_a_server_without_a_free_connection_may_be_asked_again(
    ledger: Database, server: MariaServer, url: str
) -> None:
    server.tell("ALTER USER gridroll@'127.0.0.1' WITH MAX_USER_CONNECTIONS 2")
    others = [Database(url) for _ in range(3)]
    with others[0].reading() as one, others[1].reading() as two:
        one.execute(text("DO 0"))
        two.execute(text("DO 0"))
        with pytest.raises(DatabaseError, match="takes no more connections") as error:
            others[2].revision()
    one_line(error.value)
    assert error.value.transient
    for other in others[:2]:
        other.close()
    add_student(others[2])
    assert students(ledger) == 1
    others[2].close()


def test_a_server_with_as_many_connections_as_it_takes_may_be_asked_again(
    ledger: Database, server: MariaServer, url: str
) -> None:
    server.tell("SET GLOBAL max_connections = 10")
    others = [Database(url) for _ in range(12)]

    def open_all() -> None:
        with ExitStack() as stack:
            for other in others:
                stack.enter_context(other.reading()).execute(text("DO 0"))

    with pytest.raises(DatabaseError, match="takes no more connections") as error:
        open_all()
    server.tell("SET GLOBAL max_connections = 100")
    one_line(error.value)
    assert error.value.transient
    open_all()
    for other in others:
        other.close()


# One that the server reads to its end before it answers, and one at which it hangs up.
@pytest.mark.parametrize("size", [20_000, 12_000_000])
def test_a_request_that_is_too_large_says_so(ledger: Database, server: MariaServer, size: int) -> None:
    server.tell("SET GLOBAL max_allowed_packet = 16384")
    small = Database(ledger.engine.url.render_as_string(hide_password=False))
    try:
        with pytest.raises(DatabaseError, match="max_allowed_packet") as error:
            add_student(small, note="x" * size)
        one_line(error.value)
        assert not error.value.transient
        assert students(small) == 0
        add_student(small)
    finally:
        small.close()
        server.tell("SET GLOBAL max_allowed_packet = 16777216")


def test_a_full_disk_says_so_and_changes_nothing(start_mariadb: Callable[..., MariaServer]) -> None:
    little = "--innodb-data-file-path=ibdata1:12M;ibdata2:12M"
    server = start_mariadb("--innodb-file-per-table=0", little, durable=True)
    ledger = make_database(server.make("ledger"))
    stored: list[str] = []

    def fill() -> None:
        for number in range(2000):
            add_student(ledger, f"S{number}", note="x" * 60_000)
            stored.append(f"S{number}")

    with pytest.raises(DatabaseError, match="no space left at") as error:
        fill()
    one_line(error.value)
    assert not error.value.transient
    assert len(stored) > 50
    server.kill()  # one without room may never come to the end of its shutdown
    server.options.append(f"{little};ibdata3:12M")
    server.start()
    with ledger.reading() as session:
        assert session.scalars(select(Student.student_no).order_by(Student.id)).all() == stored
    add_student(ledger, f"S{len(stored)}", note="x" * 60_000)
    assert students(ledger) == len(stored) + 1
    ledger.close()
    server.stop()
