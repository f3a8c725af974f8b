"""Desk: web pages and files for staff and students.

The portal shows what the ledger says and how sure it is. Views validate, call `db`, and render; every page is
made on the server and works without JavaScript. Nothing is open to anybody unless its view says to whom.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["create_app"]

if TYPE_CHECKING:
    from portal.app import create_app


def __getattr__(name: str) -> Any:
    # Commands that only print a report need not wait for Flask.
    if name == "create_app":
        from portal.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
