"""A MongoDB-protocol server of Gridroll's own, for machines without a MongoDB.

Started on a free loopback port under the home folder, shared by every Gridroll program of that home, and stopped by
the last of them. Each program holds a shared lock while it uses the server; who can turn it into an exclusive one
is alone. The kernel drops the lock of a killed program, so a left-over server is found and used by the next one.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from db.errors import StoreError

__all__ = ["EmbeddedMongo", "stop_left_over"]

START_TIMEOUT_S = 30.0
LAUNCH = """
import subprocess, sys
log = open(sys.argv[1], "w")
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
print(server.pid)
server.returncode = 0
"""


class EmbeddedMongo:
    """The embedded server while this program uses it. `url` is its address; `close()` lets go of it.

    Raises StoreError where the server cannot be started.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._users = _open_lock(folder / "users.lock")
        except OSError as error:
            raise StoreError(
                f"cannot write {folder}: {error.strerror}; choose another GRIDROLL_HOME"
            ) from error
        with _open_lock(folder / "start.lock") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self.url = self._running() or self._start()
            except BaseException:
                self._users.close()
                raise

    def revive(self) -> str:
        """Start the server again where it has gone away, unless another program just did; returns its address."""
        with _open_lock(self._folder / "start.lock") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            self.url = self._running() or self._start()
        return self.url

    def close(self) -> None:
        if self._users.closed:
            return
        try:
            with _open_lock(self._folder / "start.lock") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                if self._is_last(self._users):
                    self._stop()
        except FileNotFoundError:  # somebody removed the folder: nobody else can be using the server
            self._stop()
        self._users.close()

    @staticmethod
    def _is_last(users: IO[str]) -> bool:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _running(self) -> str | None:
        try:
            state = json.loads((self._folder / "server.json").read_text())
            url = f"mongodb://127.0.0.1:{int(state['port'])}"
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not _answers(url, within_s=2.0):
            return None
        self._pid = int(state["pid"])
        return url

    def _start(self) -> str:
        log = self._folder / "server.log"
        log.touch(mode=0o600)
        self._end_left_over()
        for _ in range(3):  # the port may be taken between finding it free and using it
            port = _free_port()
            # The start lock says that no server runs; the number a killed one left may be another process by now.
            (self._folder / "nx.pid").unlink(missing_ok=True)
            server = self._launch(port, log)
            try:
                if self._awaited(server, port):
                    self._pid = server.pid
                    return f"mongodb://127.0.0.1:{port}"
            except BaseException:
                _end(server)
                raise
            _end(server)
        raise StoreError(f"the embedded cache server does not start; see {log}, or set GRIDROLL_CACHE_URL")

    def _end_left_over(self) -> None:
        """End servers of this folder that do not answer, or that nobody noted because their starter was killed.

        Two on the same files would get in each other's way.
        """
        number = str(self._folder / "nx.pid")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if _runs(process) and number in process.cmdline():
                    process.kill()  # one that hangs would not heed less
                    _ends(process)

    def _awaited(self, server: psutil.Process, port: int) -> bool:
        """Wait until the server answers, and note where it is; False when it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while _runs(server) and time.monotonic() < deadline:
            if _answers(f"mongodb://127.0.0.1:{port}", within_s=1.0):
                state = self._folder / "server.json"
                state.touch(mode=0o600)
                state.write_text(json.dumps({"port": port, "pid": server.pid}))
                return True
            time.sleep(0.05)
        return False

    def _launch(self, port: int, log: Path) -> psutil.Process:
        server = [sys.executable, "-m", "nx_27017.nx_27017", "--host", "127.0.0.1", "--port", str(port)]
        server += ["--data-dir", str(self._folder / "data"), "--log-file", str(log)]
        server += ["--pid-file", str(self._folder / "nx.pid")]
        # Through a go-between that ends at once: the server outlives the program that started it.
        started = subprocess.run(
            [sys.executable, "-c", LAUNCH, str(log), *server],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
        )
        try:
            return psutil.Process(int(started.stdout))
        except (ValueError, psutil.Error) as error:
            raise StoreError(
                f"the embedded cache server does not start: {started.stderr.strip()[-200:]}"
            ) from error

    def _stop(self) -> None:
        with suppress(psutil.Error):
            _end(psutil.Process(self._pid))
        (self._folder / "server.json").unlink(missing_ok=True)


def stop_left_over(folder: Path) -> bool:
    """Stop the server that a killed program left running in `folder`; False while a program is using it."""
    if not (folder / "server.json").exists():
        return True
    server = EmbeddedMongo(folder)
    server.close()
    return not (folder / "server.json").exists()


def _open_lock(path: Path) -> IO[str]:
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w")
    os.fchmod(file.fileno(), 0o600)  # an older version made it for all to read
    return file


def _runs(server: psutil.Process) -> bool:
    """Whether this is still our server: numbers of ended processes are given to others."""
    try:
        return any("nx_27017" in part for part in server.cmdline())
    except psutil.Error:
        return False


def _end(server: psutil.Process) -> None:
    if not _runs(server):
        return
    with suppress(psutil.NoSuchProcess):
        server.terminate()
        if not _ends(server):
            server.kill()
            _ends(server)


def _ends(server: psutil.Process, within_s: float = 5.0) -> bool:
    """Wait until it has ended: until it is a zombie, for some systems' first process reaps late or, in a container, never."""
    deadline = time.monotonic() + within_s
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _answers(url: str, within_s: float) -> bool:
    client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=int(within_s * 1000))
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
