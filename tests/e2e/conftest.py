"""Fixtures for driving the real commands."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

import gridroll as program
from demo.classroom import CONSENT, write_roster
from tests.conftest import require

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--no-first-run",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


class Gridroll:
    """The `gridroll` command as a program of its own, in a home of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GRIDROLL_", "AWS_"))
        }
        kept.pop("DISPLAY", None)
        self.environment = {
            **kept,
            "GRIDROLL_HOME": str(home),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        }

    def start(self, *arguments: str, under: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        """Start it; `under` is a command that starts commands, such as nohup."""
        return subprocess.Popen(
            [*under, sys.executable, str(ROOT / "gridroll.py"), *arguments],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, timeout_s: float = 120) -> Ran:
        program = self.start(*arguments)
        try:
            out, err = program.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            program.kill()
            out, err = program.communicate()
            pytest.fail(f"gridroll {arguments} took more than {timeout_s} s:\n{out}\n{err}")
        return Ran(program.returncode, out, err)

    def ok(self, *arguments: str, timeout_s: float = 120) -> str:
        ran = self.run(*arguments, timeout_s=timeout_s)
        assert ran.code == 0, f"gridroll {arguments} ended with {ran.code}:\n{ran.out}\n{ran.err}"
        return ran.out

    def left_running(self) -> list[Sequence[str]]:
        """Processes that still use this home."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if any(str(self.home) in part for part in command):
                found.append(command)
        return found


@pytest.fixture
def gridroll(tmp_path: Path) -> Gridroll:
    return Gridroll(tmp_path / "home")


@pytest.fixture(scope="session")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the cast's `roster.csv` and photographs, and a `home` in which they are enrolled in BIO, to be copied.

    Made once for all processes: to know sixteen faces takes longer than most of what is tried with them.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "classroom"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "home").exists():
            roster, made = write_roster(folder), Gridroll(folder / "making")
            made.ok("init")
            made.ok(
                "roster", "import", "BIO", str(roster), "--consent", CONSENT, "--time-zone", "Europe/Berlin"
            )
            made.home.rename(folder / "home")
    return folder


@pytest.fixture
def enrolled(gridroll: Gridroll, classroom: Path) -> Gridroll:
    """A home in which the cast is enrolled in BIO."""
    shutil.copytree(classroom / "home", gridroll.home)
    return gridroll


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gridroll, Ran]:
    """`gridroll demo --no-serve`, run once on a virtual display for all tests."""
    gridroll = Gridroll(tmp_path_factory.mktemp("demo"))
    ran = gridroll.run("demo", "--no-serve", timeout_s=600)
    return Gridroll(gridroll.home / "demo"), ran


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> Iterator[Browser]:
    require(pytestconfig, CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache_server: str) -> Run:
    """Runs `gridroll` in this process, in the test's own home: exit code, stdout, stderr."""
    monkeypatch.setenv("GRIDROLL_CACHE_URL", cache_server)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gridroll", *arguments])
        monkeypatch.setattr("signal.signal", lambda number, handler: None)
        with pytest.raises(SystemExit) as ended:
            program.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out, err

    return run


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
