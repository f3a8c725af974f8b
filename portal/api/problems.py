"""What goes wrong under /api, told to programs: problem details (RFC 9457)."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from portal.bearer import bearer

__all__ = ["ProblemError", "http_problem", "of_api", "problem"]

MEDIA_TYPE = "application/problem+json"

EXPLAINED = {
    401: "send the header 'Authorization: Bearer TOKEN' with a token that an admin made and that has not ended",
    403: "the token's scopes do not open this; ask an admin for one that has the scope",
    404: "there is nothing at this address, or it is not the token's to see",
    405: "this address does not take this method; see the header Allow",
    413: "the body is larger than is taken here; send less at once",
    415: "the body must be JSON; send it with 'Content-Type: application/json'",
    500: "this is the portal's fault and has been written to its log",
    503: "the ledger is busy or away, nothing was changed; send the same again in a moment",
}


class ProblemError(HTTPException):
    """An answer that a view ends with. `more`: further members of the problem; `headers`: of the answer."""

    def __init__(self, code: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = dict(headers or {})
        self.more = more


def of_api() -> bool:
    """Whether the request is a program's."""
    return request.path.startswith("/api/")


def problem(code: int, detail: str = "", headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """The answer, with what an HTTP status means and what was wrong this time."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": detail or EXPLAINED.get(code, ""),
        **more,
    }
    answer = Response(json.dumps(told, ensure_ascii=False) + "\n", code, content_type=MEDIA_TYPE)
    answer.headers.update(headers or {})
    if code == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="gridroll"'
    elif code == 403 and bearer() is not None:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="gridroll", error="insufficient_scope"'
    return answer


def http_problem(error: HTTPException) -> Response:
    """The answer to what a view, the guard or Flask itself refused."""
    if isinstance(error, ProblemError):
        return problem(error.code or 500, error.description or "", error.headers, **error.more)
    response = error.get_response()
    if response.status_code < 400:
        return Response(response=response.response, status=response.status, headers=response.headers)
    kept = {name: value for name, value in response.headers if name in {"Allow", "Retry-After"}}
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        errors = [{"field": field, "detail": detail} for field, detail in _told(messages)]
        first = errors[0] if errors else {"field": "body", "detail": "cannot be read"}
        return problem(response.status_code, f"{first['field']}: {first['detail']}", kept, errors=errors)
    return problem(response.status_code, "", kept)


def _told(messages: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Field and message, of what marshmallow says: objects by field and index, with lists of messages in them."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            if not at and name in {"json", "query", "headers"}:
                yield from _told(inner)
            elif name == "_schema":
                yield from _told(inner, at)
            else:
                yield from _told(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _told(inner, at)
    else:
        yield at or "body", str(messages).rstrip(".")
