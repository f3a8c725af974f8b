"""An end to a whole exchange over a socket, however many steps it is made of."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Deadline"]


class Deadline:
    """Cuts the sockets it watches when so many seconds have passed since the block was entered.

    Whoever waits at such a socket then reads its end, or an error. Leaving the block ends the watch.
    """

    def __init__(self, after_s: float) -> None:
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._over = False
        self._timer = threading.Timer(after_s, self._cut)
        self._timer.daemon = True

    @property
    def is_over(self) -> bool:
        return self._over

    def watch(self, opened: socket.socket) -> socket.socket:
        """The same socket. One that is wrapped in TLS later is cut as well."""
        with self._lock:
            self._watched.append(opened.dup())
            over = self._over
        if over:
            self._cut()
        return opened

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        for watched in self._watched:
            watched.close()

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            for watched in self._watched:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
