"""Turns between the programs of one machine, by a lock on a file; whoever is killed gives it back."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_lock"]

POLL_S = 0.002


@contextmanager
def file_lock(path: Path, *, shared: bool = False, patience_s: float | None = None) -> Iterator[None]:
    """Hold a file's lock, alone or with others who share it. The file is made where there is none, and stays.

    `patience_s`: how long to wait for it; None: as long as it takes. Raises TimeoutError after that, and OSError.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if patience_s is None:
            fcntl.flock(descriptor, kind)
        else:
            _take(descriptor, kind, time.monotonic() + patience_s)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("others hold it") from None
            time.sleep(POLL_S)
        else:
            return
