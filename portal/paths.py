"""Addresses that came from outside, and those that leave the portal."""

from urllib.parse import urlsplit

from flask import current_app
from werkzeug.routing import BaseConverter

__all__ = ["CodeConverter", "public_address", "public_host", "safe_path"]


class CodeConverter(BaseConverter):
    """A course's code in an address, as `<course:code>`: up to 64 characters, slashes among them, as in CS/101."""

    part_isolating = False
    regex = r"[^/].{0,63}?"
    weight = 200


def safe_path(wanted: str | None) -> str | None:
    """A path on this site, or None: a link to the login page must not lead anywhere else afterwards."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 500:
        return None
    # Browsers read a backslash as a slash and drop control characters.
    if "\\" in wanted or any(ord(character) < 33 or ord(character) == 127 for character in wanted):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted


def public_address(path: str) -> str:
    """The address by which people reach a path. What a request claims to have been sent to plays no part in it."""
    base: str = current_app.config["PUBLIC_URL"]
    return base.rstrip("/") + path


def public_host() -> str:
    """The host of that address, without its port."""
    return urlsplit(current_app.config["PUBLIC_URL"]).hostname or "localhost"
