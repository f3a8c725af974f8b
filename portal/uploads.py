"""Pictures that people hand in: which pages take them, how large they may be, and what becomes of them first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, request

from portal.bodies import takes
from portal.desk import desk, desk_of
from portal.errors import PortalError
from recognizer.intake import sha256_of
from recognizer.picture import clean_jpeg
from recognizer.picture_header import check_picture

__all__ = [
    "Upload",
    "largest_body",
    "picture_page",
    "stored_name",
    "takes_pictures",
    "uploaded",
]

View = TypeVar("View", bound=Callable[..., Any])

AROUND_BYTES = 64 * 1024
"""The form around a picture."""
CALLED = "the photograph"
TOLD = 4
"""Times the largest picture: who sends a larger one than this is cut off without a word."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that was checked. `content`: the file as it came, for recognition only. `jpeg`: the picture anew, which is
    all that is ever kept or shown. `name`: what to call it, whatever the file was called."""

    content: bytes
    jpeg: bytes
    name: str


def picture_page(view: View) -> View:
    """Let a view take a picture, and its page use the camera."""
    view.__dict__["takes_pictures"] = True
    return takes(lambda settings: settings.max_photo_bytes + AROUND_BYTES, files=True)(view)


def takes_pictures(endpoint: str | None) -> bool:
    view = current_app.view_functions.get(endpoint or "")
    return bool(getattr(view, "takes_pictures", False))


def largest_body(app: Flask) -> int:
    """Bytes that the server reads of a request before it ends it: enough for a page to say that a picture is too large."""
    return max(int(app.config["LARGEST_BODY"]), TOLD * desk_of(app).settings.max_photo_bytes)


def uploaded(field: str = "photo") -> Upload | None:
    """The picture of a form; None where none was chosen.

    Raises PhotoError where it is none, too large, damaged, or more than a picture, with one line that says so.
    """
    files = request.files.getlist(field)
    if len(files) > 1:
        raise PortalError("one photograph at a time; send the others after it")
    content = files[0].read() if files else b""
    if not content and not (files and files[0].filename):
        return None
    settings = desk().settings
    check_picture(content, CALLED, settings.max_photo_bytes, settings.max_photo_pixels)
    return Upload(content, clean_jpeg(content, CALLED, settings.max_photo_pixels), CALLED)


def stored_name(upload: Upload) -> str:
    """What the ledger calls an uploaded photograph: made here, of nothing that its sender chose."""
    return f"upload-{sha256_of(upload.content)[:16]}.jpg"
