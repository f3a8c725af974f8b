"""Fixtures for driving the real commands."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


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
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gridroll, Ran]:
    """`gridroll demo --no-serve`, run once on a virtual display for all tests."""
    gridroll = Gridroll(tmp_path_factory.mktemp("demo"))
    ran = gridroll.run("demo", "--no-serve", timeout_s=600)
    return Gridroll(gridroll.home / "demo"), ran
