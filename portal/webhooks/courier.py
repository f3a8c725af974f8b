"""Sends webhooks their messages while the portal runs."""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session

from db.database import Database
from db.replies import drop_old_replies
from db.settings import Settings
from db.webhook_events import sessions_ended, tell_changes, tell_ended, webhooks_behind
from db.webhooks import (
    Delivery,
    claim_delivery,
    drop_old_deliveries,
    due_deliveries,
    finish_delivery,
)
from portal.errors import PortalError
from portal.secret import Box, load_secret_key
from portal.webhooks.post import TOTAL_S, Outcome, post, signature

__all__ = ["Courier", "secret_box"]

EVERY_S = 1.0
ENDED_EVERY_S = 15.0
TIDY_EVERY_S = 3600.0
SENDERS = 4
TURN_S = 10.0
"""For how long a webhook is sent one message after another in a round."""

STOP_PATIENCE_S = 20.0

_log = logging.getLogger(__name__)


def secret_box(settings: Settings) -> Box:
    """Where the secrets of webhooks are sealed. Raises PortalError where the portal's key cannot be used."""
    return Box(load_secret_key(settings.home / "portal.key"), "webhooks")


class Courier:
    """Puts events into messages and sends those that are due, from entering the block to leaving it, in threads of its own.

    Several portals may run one each: a message is claimed before it is sent. Who is killed between sending and writing
    that down leaves it to be sent again under the same id. In a round each webhook has a turn, `SENDERS` of them at a
    time; it ends with a message that fails, and begins none after `TURN_S`. So one that is dead or slow has the others
    wait for `TURN_S` and one message's time limit at most, unless there are as many such as senders.
    """

    def __init__(
        self, settings: Settings, database: Database, every_s: float = EVERY_S, timeout_s: float = TOTAL_S
    ) -> None:
        self._settings = settings
        self._database = database
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._stopping = threading.Event()
        self._ended_at = self._tidied_at = float("-inf")
        self._told = False
        self._thread = threading.Thread(target=self._run, name="webhook-courier", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_PATIENCE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.round()
                if self._told:
                    self._told = False
                    _log.warning("webhooks are told again")
            except Exception as error:  # a thread that ended would leave all webhooks without a word
                if not self._told:
                    self._told = True
                    _log.warning("webhooks are not told, which is tried again: %s", error)
            self._stopping.wait(self._every_s)

    def round(self) -> None:
        """Put into messages what happened since the last round, and send what is due, once."""
        self._put_into_words()
        with self._database.reading() as reading:
            due = due_deliveries(reading, _now())
        if not due:
            return
        with ThreadPoolExecutor(min(SENDERS, len(due)), "webhook-sender") as senders:
            for done in [senders.submit(self._send_all, messages) for messages in due.values()]:
                done.result()

    def _put_into_words(self) -> None:
        with self._database.reading() as reading:
            behind = webhooks_behind(reading)
        for one in behind:
            while self._database.transact(partial(tell_changes, webhook_id=one, now=_now())):
                if self._stopping.is_set():
                    return
        now_s = time.monotonic()
        if now_s - self._ended_at >= ENDED_EVERY_S:
            self._ended_at = now_s
            with self._database.reading() as reading:
                ended = sessions_ended(reading, _now())
            if ended:
                self._database.transact(partial(tell_ended, now=_now()))
        if now_s - self._tidied_at >= TIDY_EVERY_S:
            self._tidied_at = now_s
            self._database.transact(partial(_tidy, now=_now()))

    def _send_all(self, messages: Sequence[tuple[int, datetime]]) -> None:
        ends_at_s = time.monotonic() + TURN_S
        for number, (key, next_at) in enumerate(messages):
            if self._stopping.is_set() or (number and time.monotonic() >= ends_at_s):
                return
            # A claim whose end was not heard of is not repeated: the message is sent when its lease is over.
            claim = partial(claim_delivery, delivery_id=key, next_at=next_at, now=_now())
            claimed = self._database.transact(claim, idempotent=False)
            if claimed is not None and not self._send(claimed):
                return

    def _send(self, message: Delivery) -> bool:
        outcome = self._post(message)
        self._database.transact(
            lambda writing: finish_delivery(writing, message, _now(), outcome.status_code, outcome.error)
        )
        return outcome.error is None

    def _post(self, message: Delivery) -> Outcome:
        try:
            secret = secret_box(self._settings).unseal(message.secret)
        except PortalError as error:
            return Outcome(None, str(error))
        body = message.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Gridroll",
            "Gridroll-Event": message.event,
            "Gridroll-Delivery": message.uid,
            "Gridroll-Signature": signature(secret, int(time.time()), body),
        }
        return post(message.url, body, headers, self._settings.webhook_private, self._timeout_s)


def _tidy(session: Session, now: datetime) -> None:
    drop_old_deliveries(session, now)
    drop_old_replies(session, now)


def _now() -> datetime:
    return datetime.now(UTC)
