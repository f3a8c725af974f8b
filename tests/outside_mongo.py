"""A MongoDB-protocol server that is not Gridroll's own, as an institute's MongoDB is not: it is killed and comes back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.conftest import free_port

__all__ = ["OutsideMongo"]


class OutsideMongo:
    """nx-27017 on a port that it keeps. `start()`, `kill()`, `hang()`, `start()` again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self._folder / "pid").unlink(missing_ok=True)
        command = [sys.executable, "-m", "nx_27017.nx_27017", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--data-dir", str(self._folder / "data"), "--log-file", str(self._folder / "log")]
        command += ["--pid-file", str(self._folder / "pid")]
        with (self._folder / "out").open("w") as out:
            self._server = subprocess.Popen(command, stdout=out, stderr=out, umask=0o077)
        client: MongoClient[dict[str, object]] = MongoClient(self.url, serverSelectionTimeoutMS=30_000)
        try:
            client.admin.command("ping")
        except PyMongoError as error:
            raise AssertionError((self._folder / "out").read_text()) from error
        finally:
            client.close()

    def kill(self) -> None:
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGCONT)
        self._server.kill()
        self._server.wait(timeout=20)
        self._server = None

    def hang(self) -> None:
        """Goes on listening, and answers no more."""
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._server is not None:
            self.kill()
