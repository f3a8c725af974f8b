"""Processes that make the pages which take long, so that no short one waits for them.

A page of three hundred students keeps Python busy for as long as ten short ones, and of one process only one thread is ever
busy. What `takes_long` is therefore made in another process: the whole request, by the same application with the same
guards. Everything else stays in the first one: forms, programs' requests, and what is remembered between requests.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from db.database import Database
from db.settings import Settings
from portal.desk import desk_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Workers", "takes_long"]

View = TypeVar("View", bound=Callable[..., Any])
Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers, body."""

REST_S = 10.0
"""How long after its start a pool that broke is left alone; the portal makes the pages itself meanwhile."""

_log = logging.getLogger(__name__)


def takes_long(view: View) -> View:
    """Mark a view that another process may make when it is got.

    It works with the request, the ledger and the kept pictures alone, with nothing that this process remembers.
    """
    view.__dict__["takes_long"] = True
    return view


class Workers:
    """Has long pages of a portal made elsewhere, from entering the block to leaving it. Thread-safe.

    Where no process is free, or one was killed, the portal makes the page itself: nobody waits for a worker, and no request
    is lost with one.
    """

    def __init__(self, app: Flask, processes: int) -> None:
        self._app = app
        self._processes = processes
        self.ready: list[Future[None]] = []
        """One for each process, done when it can make pages."""

        self._here: WSGIApplication = app.wsgi_app
        self._free = threading.Semaphore(processes)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._began_at = 0.0
        self._life: Connection | None = None

    def __enter__(self) -> Self:
        if self._processes:
            self._begin()
            self._app.wsgi_app = self  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._app.wsgi_app = self._here  # type: ignore[assignment,method-assign]
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._life is not None:
            # The server has ended: whoever still waits in a worker, for a ledger that is away, waits for nothing.
            self._life.close()
            pool.shutdown()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if (answer := self._made_elsewhere(environ)) is None:
            return self._here(environ, start_response)
        status, headers, body = answer
        start_response(status, headers)
        return [body]

    def _made_elsewhere(self, environ: "WSGIEnvironment") -> Answer | None:
        """None where it is to be made here."""
        if environ["REQUEST_METHOD"] != "GET" or not self._takes_long(environ):
            return None
        pool = self._pool
        if pool is None or not any(begun.done() for begun in self.ready):
            return None
        if not self._free.acquire(blocking=False):
            return None
        # Of all that the server puts in there, these are the request; who gets a page sends no body.
        asked = {name: value for name, value in environ.items() if isinstance(value, (str, bool, tuple))}
        try:
            return pool.submit(_answer, asked).result()
        except (BrokenProcessPool, CancelledError):
            self._begin_anew(pool)
            return None
        finally:
            self._free.release()

    def _takes_long(self, environ: "WSGIEnvironment") -> bool:
        try:
            endpoint, _ = self._app.url_map.bind_to_environ(environ).match()
        except HTTPException:
            return False
        return hasattr(self._app.view_functions.get(endpoint), "takes_long")

    def _begin(self) -> None:
        settings, url = desk_of(self._app).settings, self._app.config["PUBLIC_URL"]
        # A fork would take along the locks of threads that it does not have.
        context = get_context("spawn")
        until, self._life = context.Pipe(duplex=False)
        self._began_at = time.monotonic()
        self._pool = ProcessPoolExecutor(
            self._processes, mp_context=context, initializer=_open, initargs=(settings, url, until)
        )
        # Begun by these, not by the first who ask for a page.
        self.ready = [self._pool.submit(_beready) for _ in range(self._processes)]

    def _begin_anew(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            # At the end there is none, another thread may have been faster, and what breaks at once shall rest a while.
            if self._pool is broken and time.monotonic() - self._began_at > REST_S:
                _log.warning("a process that makes long pages has ended, and is started again")
                broken.shutdown(wait=False)
                self._begin()


_app: Flask | None = None
"""The portal of this process, where it is a worker."""


def _open(settings: Settings, public_url: str, until: Connection) -> None:
    """Make the portal once more, in the process of a worker that ends when the other end of `until` is closed."""
    from portal.app import create_app
    from portal.server import answer_evenly

    global _app  # a pool hands its processes nothing but calls
    # Ctrl-C is for the portal, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(until,), daemon=True).start()
    # The portal has looked at the ledger when it started; one that is away now will be back.
    _app = create_app(settings, Database(settings.resolved_database_url))
    _app.config["PUBLIC_URL"] = public_url
    for name in _app.jinja_env.list_templates(extensions=["html"]):
        _app.jinja_env.get_template(name)
    answer_evenly()


def _end_with(until: Connection) -> None:
    """A portal that was killed closes its end as well, and leaves no process behind."""
    until.poll(None)
    os._exit(0)


def _beready() -> None:
    assert _app is not None


def _answer(environ: dict[str, Any]) -> Answer:
    assert _app is not None
    streams = {"wsgi.input": BytesIO(), "wsgi.errors": sys.stderr}
    made = Response.from_app(_app, environ | streams, buffered=True)
    return made.status, made.headers.to_wsgi_list(), made.get_data()
