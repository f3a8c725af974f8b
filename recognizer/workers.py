"""Two threads for what OpenCV and onnxruntime compute: both let go of Python's lock while they do."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

__all__ = ["WORKERS", "side_by_side"]

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2
"""The meeting runs on the same machine: the rest of its cores are left to it."""


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each item, in their order. It may be called by two threads at once, and must not call this.

    Raises what `work` raises.
    """
    if len(items) < 2:
        return [work(item) for item in items]
    return list(_pool().map(work, items))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "gridroll-worker")


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    # A forked process has the pool but not its threads, and would wait for them forever.
    os.register_at_fork(after_in_child=_pool.cache_clear)
