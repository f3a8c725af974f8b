"""The format of archives: what was changed, cut or made by somebody else is always noticed."""

import gzip
import hashlib
import os
import re
import resource
import tarfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from db.backup import archive as archive_module
from db.backup.archive import open_archive
from db.backup.manifest import FORMAT, ArchiveError, Manifest, Member, header
from db.backup.writer import ArchiveWriter, new_archive

ROWS = b"".join(b"[%d]\n" % number for number in range(5000))
CROPS = os.urandom(700)


def finish(writer: ArchiveWriter, **changed: object) -> None:
    said = {
        "made_at": datetime(2026, 11, 20, tzinfo=UTC),
        "gridroll": "0.1.0",
        "engine": "sqlite",
        "revision": "0004",
    }
    said |= {"audit_seq": 3, "audit_hash": "0" * 64, "notes": ("no",), "members": tuple(writer.members)}
    writer.finish(Manifest(**(said | changed)))  # type: ignore[arg-type]


def write(path: Path) -> bytes:
    with new_archive(path, force=False) as writer:
        with writer.member("database/students.jsonl.gz") as member:
            member.write(ROWS)
            member.count = 5000
        with writer.member("evidence.crops") as member:
            member.write(CROPS)
        finish(writer)
    return path.read_bytes()


def check(path: Path) -> Manifest:
    with open_archive(path) as archive:
        archive.verify()
        return archive.manifest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    path = tmp_path_factory.mktemp("archive") / "whole.tar"
    return SimpleNamespace(path=path, content=write(path))


def test_what_was_written_is_read(whole: SimpleNamespace) -> None:
    manifest = check(whole.path)
    assert [(member.name, member.count) for member in manifest.members] == [
        ("database/students.jsonl.gz", 5000),
        ("evidence.crops", 0),
    ]
    with open_archive(whole.path) as archive:
        rows, crops = archive.manifest.members
        assert b"\n".join(archive.lines(rows)) + b"\n" == ROWS
        with archive.member(crops) as stream:
            assert stream.read() == CROPS


def test_an_archive_is_an_ordinary_tar_for_its_owner_only(whole: SimpleNamespace) -> None:
    with tarfile.open(whole.path) as tar:
        names = tar.getnames()
        content = [found.read() for name in names if (found := tar.extractfile(name)) is not None]
    rows, _, manifest, seal = content
    assert gzip.decompress(rows) == ROWS
    assert seal.decode() == f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n"
    assert names == ["database/students.jsonl.gz", "evidence.crops", "manifest.json", "manifest.sha256"]
    assert whole.path.stat().st_mode & 0o777 == 0o600


@configured(max_examples=400, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(whole: SimpleNamespace, place: float, bit: int) -> None:
    content = bytearray(whole.content)
    content[int(place * len(content))] ^= 1 << bit
    _refused(whole.path.with_name("flipped.tar"), bytes(content))


def test_a_changed_byte_is_noticed_in_every_header_and_padding(whole: SimpleNamespace) -> None:
    # Every byte that is in no member's content, of which the test before meets few.
    with tarfile.open(whole.path) as tar:
        inside = [range(entry.offset_data, entry.offset_data + entry.size) for entry in tar]
    outside = [place for place in range(len(whole.content)) if not any(place in span for span in inside)]
    for place in outside[::7]:
        content = bytearray(whole.content)
        content[place] ^= 0x20
        _refused(whole.path.with_name("flipped.tar"), bytes(content))


@configured(max_examples=100, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_an_archive_cut_short_is_noticed(whole: SimpleNamespace, share: float) -> None:
    _refused(whole.path.with_name("cut.tar"), whole.content[: int(share * len(whole.content))])


@pytest.mark.parametrize("tail", [b"\0", bytes(512), bytes(10240), b"more"])
def test_what_stands_behind_the_end_is_noticed(whole: SimpleNamespace, tail: bytes) -> None:
    _refused(whole.path.with_name("longer.tar"), whole.content + tail)


def _refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ArchiveError) as error:
        check(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "database/../x.jsonl.gz", "keys/id_rsa", "x"]
)
def test_a_name_that_leads_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("db.backup.writer.NAME", re.compile(".*"))  # as a program of somebody else's
    with new_archive(tmp_path / "a.tar", force=False) as writer:
        with writer.member(name) as member:
            member.write(b"x")
        finish(writer)
    with pytest.raises(ArchiveError, match="no archive that 'gridroll backup' wrote"):
        check(tmp_path / "a.tar")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_folders_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("database/students.jsonl.gz")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(ArchiveError, match="no archive that 'gridroll backup' wrote"):
        check(tmp_path / "a.tar")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" * 400, bytes(5000), bytes(1024)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    _refused(tmp_path / "other", content)


def test_a_tar_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(__file__, "manifest.json")
    with pytest.raises(ArchiveError):
        check(tmp_path / "a.tar")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(ArchiveError, match=rf"cannot read {path}: .*; name an archive"):
            check(path)


def test_an_archive_of_another_format_asks_for_a_newer_program(tmp_path: Path) -> None:
    with new_archive(tmp_path / "a.tar", force=False) as writer:
        finish(writer, format=FORMAT + 1)
    with pytest.raises(ArchiveError, match="is of format 2, this program knows 1; use a newer Gridroll"):
        check(tmp_path / "a.tar")


@pytest.mark.parametrize("twice", [False, True])
def test_a_member_that_is_missing_or_there_twice_is_noticed(tmp_path: Path, twice: bool) -> None:
    with new_archive(tmp_path / "a.tar", force=False) as writer:
        for name in ("database/a.jsonl.gz", "database/a.jsonl.gz" if twice else "database/b.jsonl.gz"):
            with writer.member(name) as member:
                member.write(b"x")
        finish(writer, members=tuple(writer.members if twice else writer.members[:1]))
    with pytest.raises(ArchiveError, match="its members are not those of its manifest"):
        check(tmp_path / "a.tar")


@pytest.mark.parametrize("said", [100, 300_000_000])
def test_what_unpacks_to_more_or_less_than_it_says_is_stopped_early(tmp_path: Path, said: int) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    with new_archive(tmp_path / "a.tar", force=False) as writer:
        with writer.member("database/a.jsonl.gz") as member:
            member._put(bomb)
            member._squeeze = None
        (made,) = writer.members
        finish(writer, members=(Member(made.name, made.packed_bytes, said, 1, made.sha256),))
    tracemalloc.start()
    with open_archive(tmp_path / "a.tar") as archive:
        archive.verify()
        with pytest.raises(ArchiveError, match="damaged"):
            _read(archive, archive.manifest.members[0])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


def _read(archive: archive_module.Archive, member: Member) -> None:
    with archive.member(member) as stream:
        while stream.read(1 << 20):
            pass


def test_a_line_without_end_is_not_gathered(whole: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "LONGEST_LINE", 3)
    with open_archive(whole.path) as archive, pytest.raises(ArchiveError, match="has no end"):
        list(archive.lines(archive.manifest.members[0]))


def test_a_member_larger_than_eight_gigabytes_has_a_header() -> None:
    block = header("evidence.crops", 10 << 30)
    assert len(block) == 512
    assert tarfile.TarInfo.frombuf(block, "ascii", "strict").size == 10 << 30


def test_nothing_is_left_of_an_archive_that_could_not_be_finished(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_archive(tmp_path / "a.tar", force=False) as writer:  # noqa: PT012
        with writer.member("evidence.crops") as member:
            member.write(CROPS)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cache/Orders-2026.jsonl.gz", "../a", "evidence.crops\n", ""])
def test_a_name_that_no_reader_takes_is_not_written(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(ArchiveError, match="is no name in an archive; nothing was written"),
        new_archive(tmp_path / "a.tar", force=False) as writer,
        writer.member(name),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    message = r"cannot write .*a.tar: File too large; nothing was written"
    with _small_files(200_000), pytest.raises(ArchiveError, match=message):
        _write_noise(tmp_path / "a.tar", 1_000_000)
    assert list(tmp_path.iterdir()) == []


def _write_noise(path: Path, size: int) -> None:
    with new_archive(path, force=False) as writer, writer.member("evidence.crops") as member:
        for _ in range(size // 10_000):
            member.write(os.urandom(10_000))


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"precious")
    with pytest.raises(ArchiveError, match=r"there already.*--force"):
        write(path)
    assert path.read_bytes() == b"precious"
    with new_archive(path, force=True) as writer:
        finish(writer)
        assert path.read_bytes() == b"precious"
    assert check(path).members == ()


@pytest.mark.parametrize("name", ["", "none/a.tar"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match=str(tmp_path)):
        write(tmp_path / name)


def test_what_a_killed_program_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".a.tar.killed.part").write_bytes(CROPS)
    with new_archive(tmp_path / "a.tar", force=False) as writer:
        with pytest.raises(KeyboardInterrupt), new_archive(tmp_path / "a.tar", force=False):  # noqa: PT012
            assert len(list(tmp_path.glob(".a.tar.*.part"))) == 2  # one is being written, and locked
            raise KeyboardInterrupt
        finish(writer)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@contextmanager
def _small_files(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
