"""The contract of stores of crops, on a folder and on a bucket at a real S3 server, and what is peculiar to each."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from db.errors import ConfigError, EvidenceError
from db.evidence.blobs import MissingBlobError, open_blobs
from db.evidence.bucket import BucketBlobs
from db.evidence.folder import FolderBlobs
from db.settings import Settings
from tests.conftest import free_port
from tests.db.evidence.conftest import Bucket, Shelf, files_under

ONE, TWO = "1" * 64, "a2" * 32


def test_what_is_put_is_got_back_and_replaced_as_a_whole(shelf: Shelf) -> None:
    shelf.blobs.put(ONE, b"first, and longer")
    shelf.blobs.put(TWO, b"")
    shelf.blobs.put(ONE, b"second")
    assert (shelf.blobs.get(ONE), shelf.blobs.get(TWO)) == (b"second", b"")
    assert shelf.contents() == {ONE: b"second", TWO: b""}


def test_what_is_deleted_is_gone_and_may_be_deleted_again(shelf: Shelf) -> None:
    shelf.blobs.put(ONE, b"one")
    shelf.blobs.put(TWO, b"two")
    for _ in range(2):
        shelf.blobs.delete(ONE)
    with pytest.raises(MissingBlobError, match=r"crop 111111111111… is missing in .+; restore"):
        shelf.blobs.get(ONE)
    assert shelf.contents() == {TWO: b"two"}


def test_what_is_just_being_erased_is_missing_and_never_read_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, fsync, readings = FolderBlobs(tmp_path), os.fsync, list[Future[bytes]]()
    blobs.put(ONE, b"one")
    with ThreadPoolExecutor(1) as reader:

        def overwritten(descriptor: int) -> None:
            readings.append(reader.submit(blobs.get, ONE))
            wait(readings, 0.3)
            fsync(descriptor)

        monkeypatch.setattr("db.files.os.fsync", overwritten)
        blobs.delete(ONE)
        with pytest.raises(MissingBlobError):
            readings[0].result(10)


def test_all_blobs_are_listed_with_the_time_they_were_written(shelf: Shelf) -> None:
    assert list(shelf.blobs.blobs()) == []
    before = datetime.now(UTC) - timedelta(seconds=2)
    for name in (ONE, TWO):
        shelf.blobs.put(name, b"x")
    shelf.litter()
    listed = {blob.name: blob.stored_at for blob in shelf.blobs.blobs()}
    assert listed.keys() == {ONE, TWO}
    assert all(before <= at <= datetime.now(UTC) + timedelta(seconds=2) for at in listed.values())


@pytest.mark.parametrize("name", ["", "../../etc/passwd", ONE + "0", ONE.replace("1", "A"), f"{ONE}/x"])
def test_a_name_that_is_none_leads_nowhere(shelf: Shelf, name: str) -> None:
    for act in (
        lambda: shelf.blobs.put(name, b"x"),
        lambda: shelf.blobs.get(name),
        lambda: shelf.blobs.delete(name),
    ):
        with pytest.raises(EvidenceError, match="is no name of a crop"):
            act()
    assert shelf.contents() == {}


def test_several_threads_may_write_the_same_blob_and_others_at_once(shelf: Shelf) -> None:
    names = [f"{number % 8:064x}" for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: shelf.blobs.put(name, name.encode() * 100), names))
    assert {blob.name for blob in shelf.blobs.blobs()} == set(names)
    assert all(shelf.blobs.get(name) == name.encode() * 100 for name in set(names))


def test_trying_a_store_leaves_nothing_in_it(shelf: Shelf) -> None:
    shelf.blobs.put(ONE, b"one")
    assert shelf.blobs.check() == shelf.blobs.where
    assert shelf.contents() == {ONE: b"one"}


def test_a_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "made" / "for" / "crops")
    blobs.put(ONE, b"x")
    root = tmp_path / "made" / "for" / "crops"
    assert [path.stat().st_mode & 0o777 for path in (root, root / "11", root / "11" / ONE)] == [
        0o700,
        0o700,
        0o600,
    ]


def test_trying_a_folder_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    assert FolderBlobs(tmp_path / "crops").check() == f"{tmp_path / 'crops'}, made with the first crop"
    assert list(tmp_path.iterdir()) == []


def test_what_a_folder_deletes_is_overwritten(tmp_path: Path) -> None:
    FolderBlobs(tmp_path).put(ONE, b"a face")
    with (tmp_path / "11" / ONE).open("rb") as held:
        FolderBlobs(tmp_path).delete(ONE)
        assert held.read() == bytes(6)


def test_what_a_killed_writer_left_in_a_folder_is_tidied_away_and_a_living_one_s_is_not(
    tmp_path: Path,
) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.put(ONE, b"x")
    part = tmp_path / "11" / "tmpabc.part"
    part.write_bytes(b"half a fa")
    assert [blob.name for blob in blobs.blobs()] == [ONE]
    blobs.tidy(datetime.now(UTC) - timedelta(hours=1))
    assert part.exists()
    blobs.tidy(datetime.now(UTC) + timedelta(seconds=2))
    assert files_under(tmp_path) == [tmp_path / "11" / ONE]


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blobs = FolderBlobs(tmp_path / "file" / "crops")
    with pytest.raises(EvidenceError, match=r"cannot write .*file.crops: .+; check the folder") as error:
        blobs.put(ONE, b"x")
    assert "\n" not in str(error.value)


def test_a_bucket_s_crops_lie_under_its_prefix_and_nothing_else_is_touched(
    bucket: Bucket, bucket_settings: Settings, s3_url: str
) -> None:
    bucket.write(f"other/{ONE}", b"theirs")
    with closing(open_blobs(bucket_settings)) as blobs:
        blobs.put(ONE, b"ours")
        assert [blob.name for blob in blobs.blobs()] == [ONE]
        assert blobs.where == f"s3://{bucket.name}/school/crops at {s3_url}"
    assert bucket.contents() == {f"other/{ONE}": b"theirs", f"school/crops/{ONE}": b"ours"}


def test_a_bucket_s_list_is_read_to_its_last_page(
    bucket_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.evidence.bucket.PAGE", 3)
    names = {f"{number:064x}" for number in range(10)}
    with closing(open_blobs(bucket_settings)) as blobs:
        for name in names:
            blobs.put(name, b"x")
        assert {blob.name for blob in blobs.blobs()} == names


def test_a_bucket_that_keeps_old_versions_is_refused(bucket: Bucket, bucket_settings: Settings) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    with (
        closing(open_blobs(bucket_settings)) as blobs,
        pytest.raises(EvidenceError, match="what is erased may stay"),
    ):
        blobs.check()


def test_a_bucket_that_is_not_there_is_said(bucket_settings: Settings) -> None:
    settings = bucket_settings.model_copy(update={"evidence_url": "s3://nobody-made-this"})
    with (
        closing(open_blobs(settings)) as blobs,
        pytest.raises(EvidenceError, match="no bucket 'nobody-made-this'") as error,
    ):
        blobs.put(ONE, b"x")
    assert not error.value.transient


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """The address of a service that answers everything with an error."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(
    ("status", "code", "message", "transient"),
    [
        (403, "AccessDenied", r"may not s3:PutObject in s3://b/p.*docs/operator.md", False),
        (403, "SignatureDoesNotMatch", "does not accept the credentials", False),
        (503, "SlowDown", "try again later", True),
        (500, "InternalError", "try again later", True),
        (400, "EntityTooLarge", r"refuses s3:PutObject \(EntityTooLarge: said so\)", False),
    ],
)
def test_what_s3_refuses_is_one_line_that_says_whether_to_try_again(
    credentials: None, status: int, code: str, message: str, transient: bool
) -> None:
    with (
        answering(status, code) as url,
        closing(BucketBlobs("b", "p", "us-east-1", url)) as blobs,
        pytest.raises(EvidenceError, match=message) as error,
    ):
        blobs.put(ONE, b"x")
    assert error.value.transient is transient
    assert "\n" not in str(error.value)


def test_an_s3_out_of_reach_may_be_back_later(credentials: None) -> None:
    nowhere = BucketBlobs("b", "", "us-east-1", f"http://127.0.0.1:{free_port()}")
    with closing(nowhere), pytest.raises(EvidenceError, match="cannot be reached") as error:
        nowhere.get(ONE)
    assert error.value.transient


def test_without_credentials_s3_says_what_to_set(s3_url: str) -> None:
    with (
        closing(BucketBlobs("b", "", "us-east-1", s3_url)) as blobs,
        pytest.raises(EvidenceError, match="no credentials"),
    ):
        blobs.get(ONE)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("", "{home}/evidence"),
        ("crops", "{home}/crops"),
        ("/srv/crops", "/srv/crops"),
        ("s3://b", "s3://b"),
        ("s3://b/a/c/", "s3://b/a/c"),
    ],
)
def test_the_address_chooses_the_store(settings: Settings, url: str, where: str) -> None:
    chosen = open_blobs(settings.model_copy(update={"evidence_url": url}))
    assert chosen.where == where.format(home=settings.home)


@pytest.mark.parametrize(
    "url", ["gs://b/p", "s3://", "s3:///p", "s3://key:secret@b", "http://x/b", "s3://b?x=1"]
)
def test_an_address_that_is_none_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor a bucket"):
        open_blobs(settings.model_copy(update={"evidence_url": url}))
