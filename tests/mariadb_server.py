"""A MariaDB of the tests' own, which can be killed, hung and started again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

__all__ = ["MariaServer", "PortTakenError"]

USER = ["--user=root"] if os.geteuid() == 0 else []


class PortTakenError(Exception):
    """Somebody was quicker; the server can be given another port."""


class MariaServer:
    """A server with its data in `folder`, listening on a loopback port, root without a password.

    `durable`: what was committed survives `kill`; otherwise it is quicker. The folder's path is short: a socket's has at
    most 107 characters. `options` are the server's own, as `--max-connections=5`; a change of them holds from the next start.
    """

    def __init__(self, folder: Path, port: int, *options: str, durable: bool = False) -> None:
        self.folder = folder
        self.port = port
        self.url = f"mysql+pymysql://root@127.0.0.1:{port}"
        self.options = [*options, f"--innodb-flush-log-at-trx-commit={1 if durable else 0}"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with the data it had, and wait until it answers. Raises PortTakenError."""
        data, temporary = self.folder / "data", self.folder / "tmp"
        # A folder of its own: each server that starts removes all temporary tables that it finds, whoever uses them.
        apart = f"--tmpdir={temporary}"
        if not data.exists():
            temporary.mkdir(parents=True)
            install = ["mariadb-install-db", "--no-defaults", *USER, f"--datadir={data}", apart]
            install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run(install, check=True, stdout=subprocess.DEVNULL, timeout=120)
        command = ["mariadbd", "--no-defaults", *USER, f"--datadir={data}", f"--socket={self.folder}/s.sock"]
        command += [apart, f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder}/pid"]
        command += ["--character-set-server=utf8mb4", "--skip-log-bin"]
        command += ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                if "Address already in use" in said:
                    raise PortTakenError
                pytest.fail(f"MariaDB does not start:\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order, if it runs; by force where it does not come to an end."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """End it like a power failure does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=60)
        self._process = None

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Connections are taken and never answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def tell(self, *statements: str) -> None:
        """Run statements as root."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def copying(self, name: str) -> list[str]:
        """The statements that make all tables of a database, with their rows, in the one that is in use."""
        engine = create_engine(f"{self.url}/{name}")
        with engine.connect() as connection:
            tables = connection.execute(text("SHOW TABLES")).scalars().all()
            made = [connection.execute(text(f"SHOW CREATE TABLE `{one}`")).one()[1] for one in tables]
            filled = [
                one for one in tables if connection.execute(text(f"SELECT 1 FROM `{one}` LIMIT 1")).first()
            ]
        engine.dispose()
        rows = [f"INSERT INTO `{one}` SELECT * FROM `{name}`.`{one}`" for one in filled]
        return ["SET foreign_key_checks = 0", *made, *rows]

    def make(self, name: str, charset: str = "utf8mb4") -> str:
        """Make an empty database; returns its address."""
        self.tell(f"CREATE DATABASE {name} CHARACTER SET {charset}")
        return f"{self.url}/{name}"

    def _answers(self) -> bool:
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                folder = connection.execute(text("SELECT @@datadir")).scalar()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return folder == f"{self.folder}/data/"  # and not another one that has the port
