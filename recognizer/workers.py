"""Two threads for what OpenCV and onnxruntime compute: both let go of Python's lock while they do."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import current_thread
from typing import TypeVar

__all__ = ["WORKERS", "side_by_side"]

Item = TypeVar("Item")
Result = TypeVar("Result")

PREFIX = "gridroll-worker"
WORKERS = 2
"""The meeting runs on the same machine: the rest of its cores are left to it."""


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each item, in their order. It may be called by two threads at once.

    Raises what `work` raises.
    """
    # A worker that waited for the others would be waited for by them.
    if len(items) < 2 or current_thread().name.startswith(PREFIX):
        return [work(item) for item in items]
    return list(_pool().map(work, items))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, PREFIX)


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    # A forked process has the pool but not its threads, and would wait for them forever.
    os.register_at_fork(after_in_child=_pool.cache_clear)
