"""The portal's web server: waitress on one socket, stoppable from any thread."""

import errno
import gc
import logging
import socket
import sys
import threading
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore

from portal.bodies import LARGEST_BODY
from portal.desk import desk_of
from portal.errors import PortalError
from portal.uploads import largest_body

__all__ = ["Server", "answer_evenly", "make_server"]

THREADS = 8
BACKLOG = 128
PULL_S = 5.0
SWITCH_S = 0.0005
"""How long a thread keeps the others waiting: by default ten times as long, at each of a page's questions to the ledger."""

YOUNG = 50_000
"""Objects made before the collector looks for circles among them; by default 700."""


class Server:
    """A bound server. `url` is its address; it answers from the moment `serve()` runs."""

    def __init__(self, app: Flask, listener: socket.socket) -> None:
        # A browser that asks for a page and its parts at once makes a short queue, and so does a
        # thread that is still starting. It is normal work, not a line for whoever runs the portal.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        host, port = listener.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._sockets: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=self._sockets,
            sockets=[listener],
            threads=THREADS,
            backlog=BACKLOG,
            ident=None,
            # Each view says what it takes, see portal/bodies.py and portal/uploads.py.
            max_request_body_size=max(LARGEST_BODY, largest_body(app)),
            # Behind proxies the application reads these headers, as far as it believes them.
            clear_untrusted_proxy_headers=not desk_of(app).settings.portal_proxies,
        )
        self._lock = threading.Lock()
        self._stopping = False

    def serve(self) -> None:
        """Answer requests until `stop()` is called, or KeyboardInterrupt or SystemExit reaches the main thread."""
        try:
            self._server.run()
        finally:
            with self._lock:
                self._stopping = True
            wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Let `serve()` finish what it is answering and return. Thread-safe; may be called again."""
        with self._lock:
            if not self._stopping:
                self._stopping = True
                pulled = threading.Event()
                self._server.trigger.pull_trigger(lambda: self._wind_up(pulled))
                pulled.set()

    def _wind_up(self, pulled: threading.Event) -> None:
        # Somebody else's pull may lead here before this one was made, which needs the trigger that is closed below.
        pulled.wait(PULL_S)
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)


def make_server(app: Flask, host: str, port: int) -> Server:
    """Bind the portal to an address; port 0 takes a free one.

    Raises PortalError where the address is in use, not allowed or not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise PortalError(
            f"host {host!r} is not known ({error.strerror}); take 127.0.0.1 or 0.0.0.0"
        ) from error
    # A name such as localhost often means IPv6 first, where many clients try IPv4 first.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening at once: of two programs that bound the same port, the second learns of it here.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortalError(f"cannot listen on {host}:{port}: {_reason(error)}") from error
    return Server(app, listener)


def answer_evenly() -> None:
    """Tune a program that does nothing but serve: no page waits long for another one, or for the collection of garbage."""
    sys.setswitchinterval(SWITCH_S)
    # All that was imported stays; looking through it again and again took a fifth of a second each time, of all threads.
    gc.collect()
    gc.freeze()
    # A page of a large class makes as much as this, and nearly all of it goes without being looked for.
    gc.set_threshold(YOUNG, 20, 50)


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the address is in use; stop the other program or take another --port (0 finds a free one)"
        case errno.EACCES:
            return "not allowed; take a --port of 1024 or above"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address; take 127.0.0.1 or 0.0.0.0"
    return error.strerror or str(error)
