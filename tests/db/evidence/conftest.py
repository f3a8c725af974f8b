"""Real stores for crops: a folder, and a bucket at a real S3 server; and lessons to keep crops of."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import create_engine, delete, select, text, update

from db.database import Database, make_database, open_database
from db.evidence import Archive, BlobStore
from db.evidence.blobs import open_blobs
from db.evidence.claims import Kept, attach
from db.evidence.keys import load_keys
from db.schema import (
    AuditHead,
    Base,
    BlobRow,
    Course,
    EvidenceRow,
    FaceRow,
    JudgementRow,
    LookRow,
    NamingRow,
    SessionRow,
    Student,
)
from db.settings import Settings
from tests.conftest import START

DAYS = 30


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of a running S3 service."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3(s3_url: str) -> Iterator[Any]:
    """A client for looking into it."""
    session = boto3.Session("AKIAEXAMPLE", "secret", region_name="us-east-1")
    with closing(session.client("s3", endpoint_url=s3_url)) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of a test's own, and a client for looking into it."""

    name: str
    client: Any

    def contents(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
        return {
            item["Key"]: self.client.get_object(Bucket=self.name, Key=item["Key"])["Body"].read()
            for item in listed
        }

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def bucket(s3: Any, credentials: None) -> Bucket:
    bucket = Bucket(f"test-{os.urandom(6).hex()}", s3)
    s3.create_bucket(Bucket=bucket.name)
    return bucket


@pytest.fixture
def bucket_settings(settings: Settings, bucket: Bucket, s3_url: str) -> Settings:
    return settings.model_copy(
        update={
            "evidence_url": f"s3://{bucket.name}/school/crops",
            "evidence_endpoint_url": s3_url,
            "evidence_region": "us-east-1",
        }
    )


class Shelf:
    """A store, and what really lies in it, by the name of a file or object."""

    def __init__(self, settings: Settings, bucket: Bucket | None) -> None:
        self.settings = settings
        self.folder = settings.home / "evidence"
        self.blobs: BlobStore = open_blobs(settings)
        self._bucket = bucket

    def contents(self) -> dict[str, bytes]:
        if self._bucket is not None:
            return {key.rpartition("/")[2]: content for key, content in self._bucket.contents().items()}
        return {path.name: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def litter(self) -> None:
        """Put something there that is no crop."""
        if self._bucket is not None:
            self._bucket.write("school/crops/README", b"not a crop")
        else:
            (self.folder / "README").write_bytes(b"not a crop")

    def change(self, name: str, content: bytes) -> None:
        """Overwrite a blob behind the store's back."""
        if self._bucket is not None:
            self._bucket.write(f"school/crops/{name}", content)
        else:
            (self.folder / name[:2] / name).write_bytes(content)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> str:
    """Where crops are: in a folder, with SQLite, then in a bucket, with MariaDB."""
    return str(request.param)


@pytest.fixture
def shelf(place: str, request: pytest.FixtureRequest, settings: Settings) -> Iterator[Shelf]:
    """An empty store: a folder, then a bucket at a real S3 server."""
    if place == "folder":
        shelf = Shelf(settings, None)
    else:
        shelf = Shelf(request.getfixturevalue("bucket_settings"), request.getfixturevalue("bucket"))
    with closing(shelf.blobs):
        yield shelf


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to be copied: migrating takes longer than any test here."""
    path = tmp_path_factory.mktemp("schema") / "ledger.sqlite"
    make_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def mariadb_database(mariadb_url: str) -> Iterator[Database]:
    """A migrated database, to be emptied by whoever used it."""
    engine = create_engine(mariadb_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE DATABASE evidence CHARACTER SET utf8mb4"))
    database = make_database(f"{mariadb_url}/evidence")
    yield database
    database.close()
    with engine.begin() as connection:
        connection.execute(text("DROP DATABASE evidence"))
    engine.dispose()


@pytest.fixture
def database(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, of SQLite for a folder and of MariaDB for a bucket."""
    if place == "folder":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "ledger.sqlite")
        with closing(open_database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as database:
            yield database
        return
    database = request.getfixturevalue("mariadb_database")
    yield database
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "audit_head":
                session.execute(delete(table))
        session.execute(update(AuditHead).values(seq=0, hash="0" * 64))


@dataclass
class Lessons:
    """A course with two students and a session, and an archive of its crops."""

    database: Database
    archive: Archive
    session_id: int
    students: tuple[int, int]
    _looks: int = field(default=0)

    def look(
        self, pictures: Mapping[str, bytes], named: Mapping[str, int] | None = None, verdict: str = "named"
    ) -> list[int]:
        """Store a look with a crop for each track; returns the crops' ids."""
        return self.store(self.archive.keep(pictures), named, verdict)

    def store(
        self, kept: tuple[Kept, ...], named: Mapping[str, int] | None = None, verdict: str = "named"
    ) -> list[int]:
        """Store a look with crops that were kept before."""
        self._looks += 1
        at = START + timedelta(minutes=self._looks)
        uid = f"u{self._looks}"
        with self.database.writing() as session:
            look = LookRow(session_id=self.session_id, uid=uid, began_at=at, taken_at=at, trigger="tile")
            look.headcount = look.identified = look.unknown = look.searches = look.paid = 0
            session.add(look)
            session.flush()
            for one in kept:
                naming = NamingRow(look_id=look.id, track=one.track, verdict="unknown", looks=1)
                naming.threshold_pct, naming.engine, naming.model = 91.0, "local", "dlib"
                if named and one.track in named:
                    naming.student_id, naming.verdict, naming.similarity_pct = named[one.track], verdict, 97.5
                session.add(naming)
            attach(session, self.session_id, look.id, kept)
            return list(session.scalars(select(EvidenceRow.id).where(EvidenceRow.look_id == look.id)))

    def guest(self, track: str, name: str) -> None:
        """Staff say that somebody is a guest."""
        with self.database.writing() as session:
            row = JudgementRow(
                session_id=self.session_id, subject=track, kind="unknown_face", verdict="guest"
            )
            row.name, row.made_by, row.made_at = name, "sue@x.example", START
            session.add(row)

    def digests(self) -> list[str]:
        """Of all crops that belong to a look."""
        with self.database.reading() as session:
            return list(session.scalars(select(EvidenceRow.digest).order_by(EvidenceRow.id)))

    def blob_rows(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(BlobRow.digest)))


OpenArchive = Callable[..., Archive]


@pytest.fixture
def open_with(database: Database, shelf: Shelf) -> OpenArchive:
    """Opens an archive as another program would: with keys, days and a store of its own."""

    def open_with(keys: str = "", days: int = DAYS, blobs: BlobStore | None = None) -> Archive:
        settings = Settings(home=shelf.settings.home, evidence_keys=keys)  # type: ignore[arg-type]
        return Archive(database, blobs or shelf.blobs, lambda: load_keys(settings), timedelta(days=days))

    return open_with


@pytest.fixture
def lessons(database: Database, open_with: OpenArchive) -> Lessons:
    with database.writing() as session:
        course = Course(code="BIO", time_zone="UTC")
        session.add(course)
        people = [Student(student_no=f"S{number}", name=f"N{number}", email="") for number in (1, 2)]
        session.add_all(people)
        session.flush()
        for one in people:
            face = FaceRow(face_id=f"f{one.id}", student_id=one.id, engine="local", model="dlib")
            face.photo, face.photo_sha256, face.indexed_at = "", "", START
            session.add(face)
        row = SessionRow(course_id=course.id, title="", starts_at=START, ends_at=START + timedelta(hours=1))
        session.add(row)
        session.flush()
        return Lessons(database, open_with(), row.id, (people[0].id, people[1].id))


def files_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
