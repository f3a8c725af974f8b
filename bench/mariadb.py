"""A MariaDB of the benchmark's own, as durable as one that a school would run, and thrown away afterwards."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

__all__ = ["Server", "mariadb"]

DEBIAN = "/usr/sbin"
"""Where Debian keeps the server: not on a plain user's path."""

DURABLE = (
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=ON",
    "--innodb-flush-method=O_DIRECT",
    "--innodb-buffer-pool-size=512M",
    "--innodb-log-file-size=512M",
    "--skip-log-bin",
)
"""A commit is on the disk before it is acknowledged. The rest is what a server with 2 GB of memory is given."""

SHOWN = (
    *("version", "innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_flush_method"),
    *("innodb_buffer_pool_size", "innodb_log_file_size", "log_bin"),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `url` ends in the name of an empty database; `settings`: what decides about durability."""

    url: str
    settings: dict[str, str]


@contextmanager
def mariadb(patience_s: float = 60.0) -> Iterator[Server]:
    """Start a server on loopback, and stop it and remove its data at the end.

    Raises SystemExit where the machine has none or it does not start within `patience_s` seconds.
    """
    path = f"{os.environ.get('PATH', '')}:{DEBIAN}"
    install, program = (shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd"))
    if install is None or program is None:
        raise SystemExit("mariadbd is not installed; 'apt-get install mariadb-server' installs it")
    user = ["--user=root"] if os.geteuid() == 0 else []
    # Not deep in a home folder: a socket's path has at most 107 characters.
    with TemporaryDirectory(prefix="gr-bench-", dir="/tmp") as name:
        folder = Path(name)
        log = folder / "log"
        # A folder of its own: each server that starts removes all temporary tables that it finds, whoever uses them.
        base = ["--no-defaults", *user, f"--datadir={folder}/data", f"--tmpdir={folder}"]
        with log.open("w") as output:
            made = subprocess.run(
                [install, *base, "--auth-root-authentication-method=normal", "--skip-test-db"],
                stdout=output,
                stderr=output,
                timeout=120,
            )
            if made.returncode:
                raise SystemExit(f"MariaDB cannot make its tables:\n{log.read_text()[-2000:]}")
            port = _free_port()
            network = [f"--socket={folder}/s.sock", f"--port={port}", "--bind-address=127.0.0.1"]
            rest = [f"--pid-file={folder}/pid", "--character-set-server=utf8mb4", *DURABLE]
            server = subprocess.Popen([program, *base, *network, *rest], stdout=output, stderr=output)
        try:
            url = f"mysql+pymysql://root@127.0.0.1:{port}"
            deadline = time.monotonic() + patience_s
            while (settings := _settings(url)) is None:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"MariaDB does not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield Server(f"{url}/gridroll", settings)
        finally:
            server.terminate()
            server.wait(timeout=60)


def _settings(url: str) -> dict[str, str] | None:
    """Make the empty database and read the settings; None while the server does not answer."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE DATABASE IF NOT EXISTS gridroll CHARACTER SET utf8mb4"))
            found = {name: value for name, value in connection.execute(text("SHOW GLOBAL VARIABLES"))}  # noqa: C416 - dict() knows no row
        return {name: found.get(name, "") for name in SHOWN}
    except OperationalError:
        return None
    finally:
        engine.dispose()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
