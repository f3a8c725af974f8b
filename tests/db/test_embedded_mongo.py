"""The MongoDB-protocol server of Gridroll's own: shared, started again, stopped by the last, and private."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from db.embedded_mongo import EmbeddedMongo
from db.errors import StoreError
from db.face_cache import CachedFace, FaceCache, Note, open_cache
from db.health import State, check_stores
from db.settings import Settings

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def face(face_id: str) -> CachedFace:
    return CachedFace(face_id, 1, "S1", "Ann Öberg", "local", "model", 0.75, NOW)


def test_an_embedded_server_that_dies_is_started_again(tmp_path: Path) -> None:
    cache = open_cache("", tmp_path / "c")
    cache.put([face("f1")])
    os.kill(json.loads((tmp_path / "c" / "server.json").read_text())["pid"], signal.SIGKILL)
    assert cache.face_ids() == {"f1"}
    cache.close()
    assert running_servers(tmp_path) == []


def test_a_folder_removed_while_in_use_leaves_no_server_behind(tmp_path: Path) -> None:
    server = EmbeddedMongo(tmp_path / "c")
    shutil.rmtree(tmp_path / "c")
    server.close()
    assert running_servers(tmp_path) == []


def test_the_embedded_server_is_shared_and_stopped_by_the_last_user(tmp_path: Path) -> None:
    first, second = EmbeddedMongo(tmp_path / "c"), EmbeddedMongo(tmp_path / "c")
    assert first.url == second.url
    first.close()
    still = FaceCache(second.url)
    still.ping()
    still.close()
    second.close()
    assert not (tmp_path / "c" / "server.json").exists()
    assert running_servers(tmp_path) == []


UNDER_ONE_THAT_DOES_NOT_REAP = """
import ctypes, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER: orphans become this program's children
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]]).returncode)
"""
OPEN_AND_CLOSE = """
import sys
from pathlib import Path
import psutil
from db.embedded_mongo import EmbeddedMongo
server = EmbeddedMongo(Path(sys.argv[1]))
def kill(process):
    raise AssertionError("it had ended")
psutil.Process.kill = kill
server.close()
ended = psutil.Process(server._pid)
assert ended.status() == psutil.STATUS_ZOMBIE, ended
"""


def test_a_server_that_ended_is_not_waited_for_where_nothing_reaps_it(tmp_path: Path) -> None:
    """As in a container whose first program is none that looks after others."""
    subprocess.run(
        [sys.executable, "-c", UNDER_ONE_THAT_DOES_NOT_REAP, OPEN_AND_CLOSE, tmp_path / "c"], check=True
    )


def test_the_embedded_server_starts_where_a_killed_one_left_a_number_that_is_another_process_by_now(
    tmp_path: Path,
) -> None:
    (tmp_path / "nx.pid").write_text(str(os.getpid()))
    server = EmbeddedMongo(tmp_path)
    server.close()


def test_the_embedded_server_keeps_its_documents(tmp_path: Path) -> None:
    for known in (set(), {"f1"}):
        cache = open_cache("", tmp_path / "c")
        assert cache.face_ids() == known
        cache.put([face("f1")])
        cache.close()


def test_only_the_owner_can_read_the_embedded_servers_files_also_when_they_have_grown(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        cache = open_cache("", tmp_path / "c")
        cache.prepare()
        for batch in range(4):
            cache.put([face(f"{batch}-{number}") for number in range(1000)])
            cache.remember(batch, "me", [Note(f"{batch}-{key}", {"t": "x" * 6000}) for key in range(200)])
        cache.forget(1)
        assert sum(path.stat().st_size for path in (tmp_path / "c").rglob("*")) > 4_000_000
        assert exposed(tmp_path / "c") == set()
        cache.close()
    finally:
        os.umask(before)
    assert exposed(tmp_path / "c") == set()


def exposed(folder: Path) -> set[str]:
    """Files and folders that somebody else may read, write or enter."""
    return {str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077}


def test_the_embedded_server_listens_on_this_machine_only(tmp_path: Path) -> None:
    server = EmbeddedMongo(tmp_path / "c")
    number = json.loads((tmp_path / "c" / "server.json").read_text())["pid"]
    listening = [
        one.laddr for one in psutil.Process(number).net_connections() if one.status == psutil.CONN_LISTEN
    ]
    assert [address.ip for address in listening] == ["127.0.0.1"]
    server.close()


def test_a_server_whose_starter_was_killed_before_it_was_noted_is_ended_by_the_next(tmp_path: Path) -> None:
    first = EmbeddedMongo(tmp_path / "c")
    (tmp_path / "c" / "server.json").unlink()
    second = EmbeddedMongo(tmp_path / "c")
    assert second.url != first.url
    assert len(running_servers(tmp_path)) == 1
    first.close()
    second.close()
    assert running_servers(tmp_path) == []


def test_a_server_that_hangs_is_replaced(tmp_path: Path) -> None:
    cache = open_cache("", tmp_path / "c")
    cache.put([face("f1")])
    os.kill(json.loads((tmp_path / "c" / "server.json").read_text())["pid"], signal.SIGSTOP)
    assert cache.face_ids() == {"f1"}
    assert len(running_servers(tmp_path)) == 1
    cache.close()
    assert running_servers(tmp_path) == []


def test_the_doctor_ends_a_server_that_a_killed_program_left(settings: Settings, tmp_path: Path) -> None:
    killed_program(settings.home / "cache")
    assert len(running_servers(tmp_path)) == 1
    (check,) = [check for check in check_stores(settings) if check.name == "face cache"]
    assert check.state is State.WORKS
    assert running_servers(tmp_path) == []


def test_a_server_left_by_a_killed_program_is_used_and_stopped_by_the_next(tmp_path: Path) -> None:
    url = killed_program(tmp_path / "c")
    server = EmbeddedMongo(tmp_path / "c")
    assert server.url == url
    server.close()
    deadline = time.monotonic() + 10
    while running_servers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running_servers(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another GRIDROLL_HOME"):
        EmbeddedMongo(tmp_path / "file" / "c")


def killed_program(folder: Path) -> str:
    """A program that used the cache in `folder` and was killed; returns the address of the server it left."""
    program = "import sys, time\nfrom pathlib import Path\nfrom db.embedded_mongo import EmbeddedMongo\n"
    program += "print(EmbeddedMongo(Path(sys.argv[1])).url, flush=True)\ntime.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    return url


def running_servers(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_text()
        except OSError:
            continue
        if "nx_27017" in command and os.fspath(folder) in command:
            found.append(command)
    return found
