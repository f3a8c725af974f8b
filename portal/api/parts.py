"""What the parts of the API have in common: how a view says its address, its scope, and what it takes and gives."""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import flask_smorest
from flask import current_app, request
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields

from db.tokens import SCOPES
from db.years import FIRST_YEAR, LAST_YEAR
from portal.access import scoped
from portal.api.problems import ProblemError
from portal.api.rate import Allowances
from portal.api.repeats import repeatable
from portal.bearer import bearer
from portal.form_texts import control_character
from portal.moments import utc_text

__all__ = ["MAX_BODY_BYTES", "Moment", "Part", "described", "listed"]

View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "/api/v1"
MAX_BODY_BYTES = 256 * 1024
"""Of a request's body, unless a view takes more."""

ALLOWANCES = "gridroll-api-rate"

HALF = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\0")
"""Where a body may hold half a character: escaped, as bytes, or in an encoding of two or four bytes."""

CONTROL = re.compile(rb"\\u00[0189][0-9a-fA-F]|\\u007[fF]|\\[bf]|\x7f|\xc2[\x80-\x9f]|\0")
"""Where a body may hold a control character; no other place of it can."""

REPEATS = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": 200},
    "description": "Chosen by the program, new for each request. Sent again within 24 hours with the same body, the "
    "request is done once and answered as before.",
}


class Part(flask_smorest.Blueprint):  # type: ignore[misc]
    """The views of one kind of thing. `title`: what the description calls it."""

    def __init__(self, name: str, title: str, description: str) -> None:
        super().__init__(f"api_{name}", __name__, url_prefix=PREFIX, description=description)
        self.title = title
        self.max_bytes: dict[str, int] = {}
        self.before_request(self._refuse)

    def at(
        self, method: str, rule: str, scope: str, max_bytes: int = MAX_BODY_BYTES
    ) -> Callable[[View], View]:
        """Answer a method at an address to the tokens of a scope."""
        changes = method not in {"GET", "HEAD"}

        def declare(view: View) -> View:
            self.max_bytes[view.__name__] = max_bytes
            documented = self.doc(
                security=[{"token": []}],
                description=f"Scope `{scope}`: {SCOPES[scope]}.",
                **({"parameters": [REPEATS]} if changes else {}),
            )
            shown = documented(repeatable(view) if changes else view)
            self.route(rule, methods=[method], tags=[self.title])(scoped(scope)(shown))
            return view

        return declare

    def takes(self, schema: type[Schema], location: str = "json") -> Callable[[View], View]:
        """Give the view what was sent, checked, as an argument in front of those of the address."""
        # A query may hold what others put into addresses; in a body, a name that is none is a mistake.
        held = schema(unknown=RAISE if location == "json" else EXCLUDE)
        taking: Callable[[View], View] = self.arguments(held, location=location, unknown=held.unknown)
        return taking

    def gives(self, schema: type[Schema], status: int = 200, words: str = "") -> Callable[[View], View]:
        """Answer with what the view returns, as the schema writes it; an answer ready made stays as it is."""
        giving: Callable[[View], View] = self.response(status, schema, description=words or None)
        return giving

    def _refuse(self) -> ResponseReturnValue | None:
        caller = bearer()
        assert caller is not None, "the guard lets no one else in"
        allowances: Allowances = current_app.extensions[ALLOWANCES]
        wait_s = allowances.wait_s(caller.token_id)
        if wait_s:
            raise ProblemError(
                429,
                "this token asks too often; wait as Retry-After says",
                {"Retry-After": str(math.ceil(wait_s))},
            )
        name = (request.endpoint or "").rpartition(".")[2]
        request.max_content_length = self.max_bytes.get(name, MAX_BODY_BYTES)
        if request.method in {"POST", "PUT"} and not request.is_json:
            raise ProblemError(415, "")
        if request.method in {"POST", "PUT"}:
            _check_texts(request.get_data())
        return None


def _check_texts(body: bytes) -> None:
    """Raises ProblemError for a body whose texts cannot be written in UTF-8 or shown, or that Python does not take."""
    try:
        sent = json.loads(body)
        if HALF.search(body):
            json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ProblemError(
            422, "a text holds half a character, a surrogate without its other; send whole ones"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError):
        # Told where the body is read, as whatever else is wrong with it.
        return
    except (RecursionError, ValueError) as error:
        raise ProblemError(
            400, "the body nests too deep, or holds a number of too many digits; send less"
        ) from error
    found = next(filter(None, map(control_character, _texts(sent))), "") if CONTROL.search(body) else ""
    if found:
        raise ProblemError(422, f"a text holds the control character U+{ord(found):04X}; remove it")


def _texts(sent: Any) -> Iterator[str]:
    if isinstance(sent, str):
        yield sent
    elif isinstance(sent, list):
        for one in sent:
            yield from _texts(one)
    elif isinstance(sent, dict):
        for name, one in sent.items():
            yield name
            yield from _texts(one)


class Moment(fields.AwareDateTime):
    """A moment, written in UTC with `Z`; read with any offset, but never without one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {})
        kwargs["metadata"] = {"example": "2026-11-20T09:00:00.000000Z", **kwargs["metadata"]}
        super().__init__(format="iso", **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValidationError(f"the year is not between {FIRST_YEAR} and {LAST_YEAR}")
        return moment

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        del attr, obj, kwargs
        return None if value is None else utc_text(value)


def described(description: str, example: Any = None, **more: Any) -> dict[str, Any]:
    """The words of a field for people who read the description."""
    told = {"description": description, **more}
    return told if example is None else told | {"example": example}


def listed(schema: type[Schema], name: str) -> type[Schema]:
    """A slice of a list of these."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(schema)),
            "next": fields.String(
                allow_none=True,
                metadata=described("Address of the slice behind this one; null at the end of the list."),
            ),
        },
        name=name,
    )
