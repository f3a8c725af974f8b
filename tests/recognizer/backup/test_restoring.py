"""All stores through an archive: a home of one kind into a home of the other, whole, and also when killed."""

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymongo import MongoClient
from sqlalchemy import select, update

from db.backup.archive import open_archive
from db.backup.manifest import ArchiveError, Manifest
from db.backup.writer import new_archive
from db.database import make_database, open_database
from db.errors import ConfigError, DatabaseError, StoreError
from db.evidence import open_archive as open_evidence
from db.evidence.blobs import open_blobs
from db.evidence.keys import load_keys
from db.restore_mark import read_mark
from db.schema import AuditRow, BlobRow, EvidenceRow
from db.settings import Settings, load_settings
from recognizer.backup import making, restoring
from recognizer.backup.making import make_backup
from recognizer.backup.restoring import restore, verify
from recognizer.embedding import MODEL
from recognizer.vectors import StoredFace, VectorFolder
from tests.stock import contents, fill

DOCUMENTS = {
    "faces": [{"_id": "f1", "student_id": 1, "indexed_at": datetime(2026, 11, 20, tzinfo=UTC)}],
    "identity_memory": [
        {"_id": "2:1:é", "likeness": b"\x00\xff", "updated_at": datetime.now(UTC), "n": 2**40}
    ],
}


@contextmanager
def documents_of(settings: Settings) -> Iterator[Any]:
    client: MongoClient[dict[str, Any]] = MongoClient(settings.cache_url, tz_aware=True)
    yield client.get_default_database()
    client.close()


def state(settings: Settings) -> dict[str, Any]:
    """Everything that all stores hold."""
    with closing(open_database(settings.resolved_database_url)) as database:
        tables = contents(database)
    with closing(VectorFolder(settings.home / "faces" / "local", MODEL)) as vectors:
        faces, matrix = vectors.faces(), vectors.load().matrix.copy()
    with closing(open_blobs(settings)) as blobs:
        crops = {blob.name: blobs.get(blob.name) for blob in blobs.blobs()}
    with documents_of(settings) as server:
        documents = {name: sorted(server[name].find(), key=str) for name in DOCUMENTS}
    return {"tables": tables, "faces": (faces, matrix.tobytes()), "crops": crops, "documents": documents}


def assert_restored(settings: Settings, before: dict[str, Any]) -> None:
    """All is as it was, but for one note of the restore, and for crops taken over that wait to be swept away."""
    found = state(settings)
    *rows, last = found["tables"].pop("audit")
    del found["tables"]["audit_head"]
    assert rows == before["tables"]["audit"]
    assert "database.restored" in last
    known, crops = found["tables"].pop("evidence_blobs"), found.pop("crops")
    assert known[: len(before["crops"])] == before["tables"]["evidence_blobs"]
    assert {row[0] for row in known} == crops.keys()
    assert before["crops"].items() <= crops.items()
    rest = {name: found["tables"][name] for name in found["tables"]}
    assert rest == {name: before["tables"][name] for name in rest}
    assert (found["faces"], found["documents"]) == (before["faces"], before["documents"])


def stock(settings: Settings, rows: int, seed: int) -> None:
    """Something in every store."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(make_database(settings.resolved_database_url)) as database:
        fill(database, rows, seed)
        with database.reading() as session:
            names = [row.digest for row in session.query(BlobRow)]
    with closing(open_blobs(settings)) as blobs:
        for name in names:
            blobs.put(name, f"{name} {seed}".encode())
    with closing(VectorFolder(settings.home / "faces" / "local", MODEL)) as vectors:
        dice = np.random.default_rng(seed)
        made = [StoredFace(f"{seed}-{number}", str(number), MODEL) for number in range(rows + 2)]
        vectors.add(made, dice.normal(size=(rows + 2, 128)).astype(np.float32))
        vectors.remove([f"{seed}-{rows + 1}"])
    (settings.home / "portal.key").write_bytes(bytes([seed]) * 32)
    load_keys(settings)
    stock_cache(settings, seed)


def stock_cache(settings: Settings, seed: int) -> None:
    with documents_of(settings) as server:
        for name, documents in DOCUMENTS.items():
            server[name].delete_many({})
            server[name].insert_many([{**document, "seed": seed} for document in documents])


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, cache_server: str) -> Path:
    home = tmp_path_factory.mktemp("stocked")
    stock(Settings(home=home, cache_url=f"{cache_server}/stocked"), 4, 1)
    return home


@pytest.fixture
def source(tmp_path: Path, stocked: Path, cache_server: str) -> Settings:
    """A home with something in every store, on SQLite."""
    made = Settings(home=tmp_path / "source", cache_url=f"{cache_server}/source_{os.urandom(4).hex()}")
    shutil.copytree(stocked, made.home)
    stock_cache(made, 1)
    return made


@pytest.fixture
def target(tmp_path: Path, cache_server: str, database_url: str) -> Settings:
    """A home of which nothing is there yet, on SQLite and on a real MariaDB."""
    cache_url = f"{cache_server}/target_{os.urandom(4).hex()}"
    return Settings(home=tmp_path / "target", cache_url=cache_url, database_url=database_url)


def save(settings: Settings, path: Path, *, include_keys: bool = False) -> Manifest:
    return make_backup(settings, path, force=False, include_keys=include_keys)


def test_all_stores_come_back_as_they_were(source: Settings, target: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    before = state(source)
    saved = save(source, archive)
    assert verify(archive) == saved
    assert restore(target, archive, replace=False) == saved
    assert_restored(target, before)
    assert not (target.home / "portal.key").exists()
    assert not (target.home / "evidence.keys").exists()
    with closing(VectorFolder(target.home / "faces" / "local", MODEL)) as vectors:
        number = vectors.load().numbers.max() + 1
        vectors.add([StoredFace("new", "new", MODEL)], np.ones((1, 128), np.float32))
        assert (
            vectors.load().numbers.max() == number + 1
        )  # the number of a face that was removed is not given again
    for path in [archive, *target.home.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert [path for path in target.home.rglob("*") if path.suffix == ".part"] == []


def test_what_is_there_is_given_up_only_when_asked(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar"
    before = state(source)
    save(source, archive)
    stock(target, 6, 2)
    held = state(target)
    with pytest.raises(ArchiveError, match=r"in use already.*--replace"):
        restore(target, archive, replace=False)
    assert state(target) == held
    restore(target, archive, replace=True)
    assert_restored(target, before)
    assert (target.home / "portal.key").read_bytes() == b"\2" * 32


def test_keys_are_in_the_archive_only_when_asked(source: Settings, tmp_path: Path) -> None:
    keys = [(source.home / name).read_bytes() for name in ("portal.key", "evidence.keys")]
    save(source, tmp_path / "without.tar")
    save(source, tmp_path / "with.tar", include_keys=True)
    without, included = ((tmp_path / name).read_bytes() for name in ("without.tar", "with.tar"))
    assert all(key not in without and key in included for key in keys)
    home = Settings(home=tmp_path / "other", cache_url=f"{source.cache_url}_other")
    home.home.mkdir()
    (home.home / "portal.key").write_bytes(b"x" * 32)
    with pytest.raises(ArchiveError, match=r"portal.key is another key"):
        restore(home, tmp_path / "with.tar", replace=False)
    (home.home / "portal.key").unlink()
    restore(home, tmp_path / "with.tar", replace=False)
    assert [(home.home / name).read_bytes() for name in ("portal.key", "evidence.keys")] == keys
    assert (home.home / "evidence.keys").stat().st_mode & 0o777 == 0o600


def test_a_cache_that_is_away_stops_no_backup(source: Settings, tmp_path: Path) -> None:
    away = source.model_copy(update={"cache_url": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300"})
    saved = save(away, tmp_path / "a.tar")
    assert len(saved.notes) == 1
    assert saved.notes[0].startswith("the cache is not in it")
    assert verify(tmp_path / "a.tar").counted("cache/") == 0
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
        restore(away, tmp_path / "a.tar", replace=True)
    restore(source, tmp_path / "a.tar", replace=True)
    assert state(source)["documents"] == {"faces": [], "identity_memory": []}


def test_a_crop_that_is_gone_is_counted(source: Settings, tmp_path: Path) -> None:
    with closing(open_blobs(source)) as blobs:
        blobs.delete(next(iter(blobs.blobs())).name)
    saved = save(source, tmp_path / "a.tar")
    assert saved.counted("evidence") == 3
    assert saved.notes[0].startswith("1 crops are not in")


def test_crops_of_a_database_that_was_given_up_go_and_those_of_others_stay(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    save(source, tmp_path / "a.tar")
    stock(target, 6, 2)
    strange = "5" * 64
    with closing(open_blobs(target)) as blobs:
        given_up = {blob.name for blob in blobs.blobs()}
        blobs.put(strange, b"of another database")
    restore(target, tmp_path / "a.tar", replace=True)
    with (
        closing(open_database(target.resolved_database_url)) as database,
        closing(open_evidence(target, database)) as evidence,
    ):
        assert given_up <= {blob.name for blob in evidence.blobs.blobs()}
        # Before the time of any crop that a look needs is over.
        later = datetime.now(UTC) + timedelta(hours=2)
        with database.writing() as session:
            needed = set(session.scalars(select(EvidenceRow.digest)))
            session.execute(update(EvidenceRow).values(keep_until=later + timedelta(days=1)))
            session.execute(update(BlobRow).where(BlobRow.digest.in_(needed)).values(claimed_at=later))
        assert evidence.sweep(later, thorough=True).unknown == 1
        assert {blob.name for blob in evidence.blobs.blobs()} == needed | {strange}


def test_another_database_s_crops_and_cache_are_in_use(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    save(source, tmp_path / "a.tar")
    shared = target.model_copy(update={"evidence_url": str(source.home / "evidence")})
    with pytest.raises(
        ArchiveError, match=r"the evidence store \(.*source/evidence\) of .* is in use already"
    ):
        restore(shared, tmp_path / "a.tar", replace=False)
    shared = target.model_copy(update={"cache_url": source.cache_url})
    with pytest.raises(ArchiveError, match=r"the cache \(.*\) of .* is in use already"):
        restore(shared, tmp_path / "a.tar", replace=False)


def test_other_programs_documents_are_neither_saved_nor_removed(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    for settings in (source, target):
        with documents_of(settings) as server:
            server["Orders_2026"].insert_one({"_id": 1})
    saved = save(source, tmp_path / "a.tar")
    assert [member.name for member in saved.members if "cache/" in member.name] == [
        "cache/faces.jsonl.gz",
        "cache/identity_memory.jsonl.gz",
    ]
    restore(target, tmp_path / "a.tar", replace=True)
    with documents_of(target) as server:
        assert server["Orders_2026"].count_documents({}) == 1


def test_a_restore_is_noted_once_even_if_it_was_cut_short(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    save(source, tmp_path / "a.tar")
    killed_after("_note", lambda: restore(target, tmp_path / "a.tar", replace=False))
    assert read_mark(target.home) is not None
    restore(target, tmp_path / "a.tar", replace=False)
    restoring._note(target, verify(tmp_path / "a.tar"), "ann@school.example")
    with closing(open_database(target.resolved_database_url)) as database, database.reading() as session:
        assert session.scalars(select(AuditRow.action)).all().count("database.restored") == 1


def test_a_damaged_archive_changes_nothing(source: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    save(source, archive)
    whole, held = archive.read_bytes(), state(source)
    for place in (0.02, 0.3, 0.6, 0.9, 0.99):
        content = bytearray(whole)
        content[int(place * len(content))] ^= 1
        archive.write_bytes(content)
        with pytest.raises(ArchiveError, match="damaged"):
            restore(source, archive, replace=True)
    assert state(source) == held


def test_an_archive_whose_rows_are_forged_changes_nothing(source: Settings, tmp_path: Path) -> None:
    save(source, tmp_path / "a.tar")
    held = state(source)
    forged: list[tuple[Callable[[bytes], bytes], str]] = [
        (lambda rows: rows.replace(b'"student_no"', b'"student_no) --"'), "columns"),
        (lambda rows: rows.replace(b'"int"', b'"list"'), "no row"),
        (lambda rows: rows + b"[1]\n", "no row"),
        (lambda rows: rows + b"nonsense\n", "no row"),
        (lambda rows: rows + b'["5","x","x","x"]\n', "no row"),
        (lambda rows: b"\n".join(rows.splitlines()[:-1]) + b"\n", "rows and not"),
        (
            lambda rows: b"\n".join(rows.splitlines()[:-2]) + b"\n" + rows.splitlines()[-1] + b"\n" * 2,
            "no row",
        ),
    ]
    for change, message in forged:
        _forge(tmp_path / "a.tar", tmp_path / "forged.tar", "database/students.jsonl.gz", change)
        with pytest.raises(ArchiveError, match=message):
            restore(source, tmp_path / "forged.tar", replace=True)
    _forge(
        tmp_path / "a.tar",
        tmp_path / "forged.tar",
        "database/students.jsonl.gz",
        lambda rows: rows,
        drop=True,
    )
    with pytest.raises(ArchiveError, match="its tables are not those of its schema: students"):
        restore(source, tmp_path / "forged.tar", replace=True)
    assert state(source) == held
    assert read_mark(source.home) is None


def _forge(
    path: Path, forged: Path, name: str, change: Callable[[bytes], bytes], *, drop: bool = False
) -> None:
    with open_archive(path) as archive, new_archive(forged, force=True) as writer:
        for member in archive.manifest.members:
            with archive.member(member) as stream:
                content = stream.read()
            if drop and member.name == name:
                continue
            with writer.member(member.name) as out:
                out.write(change(content) if member.name == name else content)
                out.count = member.count
        made = archive.manifest
        said = {field: getattr(made, field) for field in made.__dataclass_fields__}
        writer.finish(Manifest(**{**said, "members": tuple(writer.members)}))


def test_an_archive_that_unpacks_to_more_than_there_is_room_for_is_refused(
    source: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(source, tmp_path / "a.tar")
    monkeypatch.setattr("recognizer.backup.restoring.shutil.disk_usage", lambda home: _Usage())
    with pytest.raises(ArchiveError, match=r"has 0 MB left; free some space, nothing was changed"):
        restore(source, tmp_path / "a.tar", replace=True)


class _Usage:
    free = 1000


def test_a_program_that_runs_keeps_a_restore_from_beginning(source: Settings, tmp_path: Path) -> None:
    save(source, tmp_path / "a.tar")
    held = state(source)
    with closing(VectorFolder(source.home / "faces" / "local", MODEL)) as running:
        running.load()
        with pytest.raises(StoreError, match=r"in use by another program; stop 'gridroll watch'"):
            restore(source, tmp_path / "a.tar", replace=True)
    assert read_mark(source.home) is None
    assert state(source) == held


def killed_after(moment: str, call: Callable[[], object]) -> None:
    """Do something in a process of its own, which is killed where that moment has passed."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == signal.SIGKILL, f"not killed after {moment}"
        return
    try:
        if moment == "first file":  # the database's on SQLite; the faces', where a server has committed
            _arm(restoring, "set_mark", lambda: _arm(Path, "replace", _die))
        else:
            _arm(restoring, moment, _die)
        call()
    finally:
        os._exit(1)


def _arm(holder: Any, name: str, then: Callable[[], None]) -> None:
    do = getattr(holder, name)

    def do_then(*arguments: Any, **options: Any) -> None:
        do(*arguments, **options)
        then()

    setattr(holder, name, do_then)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_at_any_moment_it_is_the_old_or_the_new_or_says_what_completes_it(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    archive, other = tmp_path / "a.tar", tmp_path / "b.tar"
    before = state(source)
    save(source, archive)
    save(source, other, include_keys=True)
    stock(target, 6, 2)
    held = state(target)

    killed_after("_check_space", lambda: restore(target, archive, replace=True))
    assert read_mark(target.home) is None
    assert state(target) == held

    for moment in ("set_mark", "first file", "restore_crops", "restore_documents", "_note"):
        killed_after(moment, lambda: restore(target, archive, replace=True))
        with pytest.raises(ConfigError, match=rf"half restored; run 'gridroll restore {archive}' again"):
            load_settings(target.home)
    with pytest.raises(ArchiveError, match="half restored from another archive"):
        restore(target, other, replace=False)

    restore(target, archive, replace=False)  # completes it without being told to replace anything
    load_settings(target.home)
    assert_restored(target, before)


def test_a_backup_that_is_killed_leaves_no_archive(source: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    child = os.fork()
    if not child:
        making._dump_cache = lambda *_: _die()
        save(source, path)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not path.exists()
    save(source, path)
    verify(path)
    assert [found.name for found in tmp_path.glob(".*")] == []


def test_a_database_that_is_missing_is_no_empty_backup(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="gridroll init"):
        save(Settings(home=tmp_path / "none"), tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_one_restore_at_a_time(source: Settings, tmp_path: Path) -> None:
    save(source, tmp_path / "a.tar")
    folder = os.open(source.home, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(ArchiveError, match="being restored by another program"):
        restore(source, tmp_path / "a.tar", replace=True)
    os.close(folder)
