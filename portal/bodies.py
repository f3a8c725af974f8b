"""How much a view takes: small forms, unless it says that it takes more."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

from db.settings import Settings
from portal.desk import desk

__all__ = ["LARGEST_BODY", "limit_bodies", "takes"]

View = TypeVar("View", bound=Callable[..., Any])

LARGEST_BODY = 16 * 1024 * 1024
"""What the server itself reads of a request, whichever view it is for."""


def takes(
    max_bytes: int | Callable[[Settings], int], max_parts: int = 1000, *, files: bool = False
) -> Callable[[View], View]:
    """Let a view take a larger body than small forms are, and more fields than a thousand.

    `files`: what is large are files, not fields.
    """
    if isinstance(max_bytes, int) and max_bytes > LARGEST_BODY:
        raise ValueError(f"{max_bytes} bytes are more than the server reads, {LARGEST_BODY}")

    def declare(view: View) -> View:
        view.__dict__["body_limits"] = (max_bytes, max_parts, files)
        return view

    return declare


def limit_bodies(app: Flask) -> None:
    """Set what each request may bring. To be called before anything reads forms."""
    app.before_request(_limit)


def _limit() -> None:
    if request.endpoint is None:
        return
    limits = getattr(current_app.view_functions[request.endpoint], "body_limits", None)
    if limits is not None:
        max_bytes, request.max_form_parts, files = limits
        request.max_content_length = max_bytes if isinstance(max_bytes, int) else max_bytes(desk().settings)
        if not files:
            request.max_form_memory_size = request.max_content_length
