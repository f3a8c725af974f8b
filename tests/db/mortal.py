"""Programs that are killed in the middle of a migration, at a statement chosen beforehand."""

import os
import signal
import sys
from multiprocessing import get_context
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

import gridroll
from db.database import make_database

__all__ = ["at_once", "init", "migrate_until"]

# Forked from a server that has imported all: starting an interpreter for each takes a second.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["gridroll", "recognizer.preparation", "pymysql"])

CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


def migrate_until(url: str, moment: str, wanted: int) -> bool:
    """Migrate in a program that is killed `before` or `after` its wanted change; False where there were fewer."""
    program = PROCESSES.Process(target=_migrate_until, args=(url, moment, wanted))
    program.start()
    program.join(120)
    assert program.exitcode in {0, -signal.SIGKILL}
    return program.exitcode != 0


def at_once(url: str, programs: int) -> list[int | None]:
    """Migrate in several programs at the same time; returns their exit codes."""
    started = [PROCESSES.Process(target=_migrate_until, args=(url, "after", 0)) for _ in range(programs)]
    for program in started:
        program.start()
    for program in started:
        program.join(120)
    return [program.exitcode for program in started]


def init(environment: dict[str, str], kill_after_s: float | None = None) -> int | None:
    """`gridroll init`, killed after so many seconds, or not at all; returns its exit code."""
    program = PROCESSES.Process(target=_init, args=(environment,))
    program.start()
    program.join(120 if kill_after_s is None else kill_after_s)
    program.kill()
    program.join()
    return program.exitcode


def _init(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    sys.argv = ["gridroll", "init"]
    gridroll.main()


def _migrate_until(url: str, moment: str, wanted: int) -> None:
    count = 0

    @event.listens_for(Engine, f"{moment}_cursor_execute")
    def count_changes(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        nonlocal count
        if statement.split()[0] in CHANGES and "migration_progress" not in statement:
            count += 1
            if count == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

    make_database(url).close()
