"""What no text of a form may hold: control characters, which break files, calendars and terminals that show it later."""

import unicodedata

from flask import Flask, request

from portal.api.problems import of_api
from portal.errors import FormTextError

__all__ = ["control_character", "refuse_control_characters"]

TAKEN = frozenset("\t\n\r")
SECRETS = frozenset({"password", "again", "current"})
"""Fields that are hashed and shown to nobody: a password that was set with such a character goes on working."""


def refuse_control_characters(app: Flask) -> None:
    """Refuse forms with control characters. To be called after the CSRF check; files, and what programs send, have checks
    of their own."""
    app.before_request(_refuse)


def _refuse() -> None:
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint is None or of_api():
        return
    for field, text in request.form.items(multi=True):
        found = control_character(field) or ("" if field in SECRETS else control_character(text))
        if found:
            name = field.replace(found, "\ufffd")[:40]
            raise FormTextError(
                f"The field “{name}” holds the control character U+{ord(found):04X}, which no text can hold. "
                "Remove it and send the form again; nothing was changed."
            )


def control_character(text: str) -> str:
    """The first of a text, line ends and tabs excepted; empty where there is none."""
    if text.isprintable():
        return ""
    return next((one for one in text if one not in TAKEN and unicodedata.category(one) == "Cc"), "")
