"""Requests that a program sends twice, because it did not hear the answer, are done once: the header Idempotency-Key."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from uuid import uuid4

from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.edits import EditConflictError
from db.errors import GridrollError, NotFoundError, StoreError
from db.replies import (
    Claim,
    LostClaimError,
    claim_reply,
    drop_old_replies,
    find_reply,
    give_back,
    keep_reply,
    reply_key,
)
from portal.api.problems import ProblemError
from portal.bearer import bearer
from portal.desk import desk

__all__ = ["do", "repeatable"]

LONGEST_KEY = 200
BUSY = "a request with this Idempotency-Key is being answered; send it again in a moment"

_log = logging.getLogger(__name__)


def repeatable(view: Callable[..., Any]) -> Callable[..., ResponseReturnValue]:
    """Let a view be asked again under the same key: it is answered as before, and does nothing."""

    @wraps(view)
    def answer(*args: Any, **named: Any) -> ResponseReturnValue:
        claim = _claim()
        if isinstance(claim, Response):
            return claim
        if claim is None:
            answered: ResponseReturnValue = view(*args, **named)
            return answered
        g.claim = claim
        try:
            response = make_response(view(*args, **named))
        except BaseException:
            # What was refused or failed changed nothing, and may be sent again, corrected or not.
            _give_back(claim)
            raise
        if not g.get("claim_kept"):
            status, text = response.status_code, response.get_data(as_text=True)
            desk().database.transact(lambda writing: keep_reply(writing, claim, status, text))
        return response

    return answer


def do(work: Callable[[Session], Mapping[str, Any]], status: int = 200) -> Response:
    """Do what was asked in one transaction, together with the note of what was answered.

    `work` returns the answer's plain values. What it refuses is answered with 422, a name that is none with 404.
    """
    claim: Claim | None = g.get("claim")

    def both(writing: Session) -> str:
        held = None if claim is None else find_reply(writing, claim)
        if held is not None:
            return held
        text = json.dumps(work(writing), ensure_ascii=False) + "\n"
        if claim is not None:
            keep_reply(writing, claim, status, text)
        return text

    try:
        # Without a key, nobody could tell that a transaction whose end was not heard of is done already.
        text = desk().database.transact(both, idempotent=claim is not None)
    except (EditConflictError, NotFoundError, StoreError):
        raise
    except LostClaimError as error:
        raise ProblemError(409, str(error), {"Retry-After": "1"}) from error
    except GridrollError as error:
        raise ProblemError(422, str(error)) from error
    g.claim_kept = True
    return Response(text, status, content_type="application/json")


def _claim() -> Claim | Response | None:
    """The turn to answer; the answer, where it was given before; None where the request brings no key."""
    key, caller = request.headers.get("Idempotency-Key"), bearer()
    if key is None or caller is None:
        return None
    if not 0 < len(key) <= LONGEST_KEY:
        raise ProblemError(
            422, f"Idempotency-Key has {len(key)} characters; give 1 to {LONGEST_KEY}, a UUID for instance"
        )
    asked = hashlib.sha256(f"{request.method} {request.full_path}\n".encode() + request.get_data())
    claim, now = Claim(reply_key(caller.token_id, key), str(uuid4())), desk().now()

    def work(writing: Session) -> Any:
        drop_old_replies(writing, now)
        return claim_reply(writing, claim, asked.hexdigest(), now)

    held = desk().database.transact(work)
    if held is None:
        return claim
    if held.request_sha256 != asked.hexdigest():
        raise ProblemError(422, "this Idempotency-Key was sent with another request; take a new one for each")
    if held.status is None:
        raise ProblemError(409, BUSY, {"Retry-After": "1"})
    answer = Response(held.body, held.status, content_type="application/json")
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _give_back(claim: Claim) -> None:
    try:
        desk().database.transact(lambda writing: give_back(writing, claim))
    except StoreError as error:
        _log.warning("a request that failed can be sent again in two minutes only: %s", error)
