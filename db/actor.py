"""Who does what a command does."""

import getpass
import os
import socket

from db.errors import GridrollError

__all__ = ["acting", "at_keyboard"]


def at_keyboard() -> str:
    """Whoever started this program, as `user@host`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        name = f"uid{os.getuid()}"
    return f"{name}@{socket.gethostname()}"[:254]


def acting(by: str | None) -> str:
    """The e-mail address that was given; None: whoever is at the keyboard. Raises GridrollError for what is no address."""
    who = by or at_keyboard()
    if "@" not in who or len(who) > 254:
        raise GridrollError(f"{who[:40]!r} is no e-mail address; give --by the one of who does this")
    return who
