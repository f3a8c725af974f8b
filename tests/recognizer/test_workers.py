import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recognizer.workers import WORKERS, side_by_side


def test_results_come_in_the_order_of_the_items_however_long_each_takes() -> None:
    later_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later_is_done.wait(10)
        else:
            later_is_done.set()
        return item * item

    assert side_by_side(work, range(7)) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_share_are_done_by_who_asks(count: int) -> None:
    assert side_by_side(lambda _: threading.get_ident(), range(count)) == [threading.get_ident()] * count


def test_as_many_are_worked_on_at_once_as_there_are_workers() -> None:
    together = threading.Barrier(WORKERS, timeout=10)
    assert len(side_by_side(lambda _: together.wait(), range(WORKERS))) == WORKERS


def test_what_the_work_raises_reaches_who_asked() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 // item, [1, 0, 2])


def test_work_may_itself_be_shared() -> None:
    nested = side_by_side(lambda _: side_by_side(str, range(3)), range(2 * WORKERS))
    assert nested == [["0", "1", "2"]] * 2 * WORKERS


def test_a_forked_process_has_workers_of_its_own() -> None:
    program = (
        "import os, threading\n"
        "from recognizer.workers import side_by_side\n"
        "side_by_side(str, range(4))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    threading.Timer(20, os._exit, [3]).start()\n"  # without workers the next line waits forever
        "    os._exit(0 if side_by_side(str, range(2)) == ['0', '1'] else 2)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert said.strip() == "0"
