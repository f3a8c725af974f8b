"""Lists in slices: an opaque cursor holds the key of the last line, so that nothing is skipped or told twice."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request, url_for
from marshmallow import Schema, fields
from marshmallow.validate import Length, Range

from portal.api.problems import ProblemError
from portal.moments import utc_text

__all__ = ["Window", "moment_and_id", "slice_of", "text_key"]

Line = TypeVar("Line")

MOST = 200
LONGEST = 400


class Window(Schema):
    """Which slice of a list."""

    limit = fields.Integer(
        load_default=50,
        validate=Range(1, MOST),
        metadata={"description": "Lines at most.", "example": 50},
    )
    cursor = fields.String(
        load_default=None,
        validate=Length(1, LONGEST),
        metadata={"description": "Where to go on, as `next` of the slice before says."},
    )


def slice_of(
    window: Mapping[str, Any],
    read: Callable[[int], Sequence[Line]],
    key: Callable[[Line], Sequence[Any]],
) -> dict[str, Any]:
    """The lines of a slice, and the address of the next one.

    `read`: returns at most so many lines behind the cursor; `key`: of a line, as the cursor keeps it.
    """
    limit: int = window["limit"]
    lines = read(limit + 1)
    shown = lines[:limit]
    following = None if len(lines) <= limit else _address(_text(key(shown[-1])))
    return {"items": shown, "next": following}


def moment_and_id(cursor: str | None) -> tuple[datetime, int] | None:
    """The key of a list that is ordered by time. Raises ProblemError."""
    match _values(cursor):
        case None:
            return None
        case [str() as at, int() as key] if 0 <= key < 2**63:
            try:
                moment = datetime.fromisoformat(at)
                if moment.tzinfo is not None:
                    return moment.astimezone(UTC), key
            except (ValueError, OverflowError):
                raise _unreadable() from None
    raise _unreadable()


def text_key(cursor: str | None) -> str | None:
    """The key of a list that is ordered by a text. Raises ProblemError."""
    match _values(cursor):
        case None:
            return None
        case [str() as text]:
            return text
    raise _unreadable()


def _text(values: Sequence[Any]) -> str:
    plain = [utc_text(value) if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, ensure_ascii=False).encode()).decode().rstrip("=")


def _values(cursor: str | None) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(found, list):
        raise _unreadable()
    return found


def _unreadable() -> ProblemError:
    return ProblemError(
        422,
        "cursor: it is none of this list; follow 'next' as it is, or begin without one",
        errors=[{"field": "cursor", "detail": "it is none of this list"}],
    )


def _address(cursor: str) -> str:
    assert request.endpoint is not None
    asked = {**request.args, "cursor": cursor}
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode(asked)}"
