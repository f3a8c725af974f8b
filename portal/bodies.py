"""How much a view takes: small forms, unless it says that it takes more."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

__all__ = ["LARGEST_BODY", "limit_bodies", "takes"]

View = TypeVar("View", bound=Callable[..., Any])

LARGEST_BODY = 16 * 1024 * 1024
"""What the server itself reads of a request, whichever view it is for."""


def takes(max_bytes: int, max_parts: int = 1000) -> Callable[[View], View]:
    """Let a view take a larger body than small forms are, and more fields than a thousand."""
    if max_bytes > LARGEST_BODY:
        raise ValueError(f"{max_bytes} bytes are more than the server reads, {LARGEST_BODY}")

    def declare(view: View) -> View:
        view.__dict__["body_limits"] = (max_bytes, max_parts)
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
        request.max_content_length, request.max_form_parts = limits
        request.max_form_memory_size = request.max_content_length
