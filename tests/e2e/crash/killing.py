"""Kills programs at random moments and starts them again, until their work is done or nobody is left to be killed."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from tests.e2e.crash.nursery import Child

__all__ = ["Kills", "Said", "see_through", "seeded", "side_by_side"]

STUCK_S = 300.0
AWAY = ("cannot be reached", "is busy", "does not answer")


class Kills:
    """So many kills to be shared out, `wanted` in all. `done`: those that met a running program."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._left = wanted
        self._guard = threading.Lock()
        self.done = 0

    @property
    def are_left(self) -> bool:
        return self._left > 0

    def take(self) -> bool:
        with self._guard:
            is_one = self._left > 0
            self._left -= is_one
            return is_one

    def met(self, one: bool) -> None:
        """Whether the kill that was taken met anybody; one that did not is given back."""
        with self._guard:
            self.done += one
            self._left += not one


class Said:
    """All that a program, however often it was started, wrote before it was ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lines(self) -> list[str]:
        """The whole lines: a kill may cut the last one short."""
        text = self.path.read_text() if self.path.exists() else ""
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def __str__(self) -> str:
        return "".join(self.lines)

    @property
    def done(self) -> list[str]:
        """What was acknowledged."""
        return [line.removeprefix("done ").strip() for line in self.lines if line.startswith("done ")]


def see_through(
    start: Callable[[Path], Child],
    output: Path,
    kills: Kills,
    moment_s: Callable[[], float],
    is_away: bool = False,
) -> Said:
    """Start a program, kill it after `moment_s` seconds, start it again, until it ends by itself.

    `is_away`: a database that is killed meanwhile may end it with one line that says so.
    """
    said = Said(output)
    while True:
        before = len(said.lines)
        child, is_to_die = start(output), kills.take()
        if is_to_die:
            code = child.wait(moment_s())
            was_killed = code is None and child.kill()
            kills.met(was_killed)
            if was_killed:
                continue
        code = child.wait(STUCK_S)
        if code is None:
            child.kill()
            pytest.fail(f"stuck for {STUCK_S:g} s:\n{''.join(said.lines[before:])[-2000:]}")
        if code == 0:
            return said
        new = said.lines[before:]
        if is_away and code == 1 and "gridroll: " in new[-1] and any(reason in new[-1] for reason in AWAY):
            assert not any(line.startswith("Traceback") for line in new), "".join(new)
            continue
        pytest.fail(f"ended with {code}:\n{''.join(new)[-3000:]}")


def side_by_side(works: Sequence[Callable[[], object]]) -> None:
    """Do works in a thread each; raises what the first of them raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()


def seeded(seed: int, *parts: object) -> Random:
    """Random numbers of one part of a test's own: threads take turns as they like."""
    return Random(f"{seed}/{'/'.join(map(str, parts))}")
