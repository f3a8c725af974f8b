"""Answers that browsers save as files."""

import re

from flask import Response, make_response

__all__ = ["CSV", "XLSX", "download", "stem"]

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def download(content: bytes | str, mimetype: str, name: str) -> Response:
    response = make_response(content)
    response.headers["Content-Type"] = mimetype
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def stem(*parts: str) -> str:
    """A file name without its ending: letters, digits, dashes and underscores."""
    plain = (re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-") for part in parts)
    return "-".join(part for part in plain if part) or "gridroll"
