"""A MongoDB server at the other end of a URL: asked within a time, explained where it fails, left alone while it is away."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC
from threading import Lock
from typing import Any, TypeVar

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure, PyMongoError

from db.embedded_mongo import EmbeddedMongo
from db.errors import ConfigError, StoreError
from db.outage import Outage

__all__ = ["CacheAwayError", "CacheError", "CacheRefusedError", "Documents", "MongoServer", "place_of"]

Documents = Database[dict[str, Any]]
Result = TypeVar("Result")

DATABASE = "gridroll"
TIMEOUT_S = 3.0
AGAIN_S = 1.0
"""How long an answer is waited for; and while the server is away, so that trying again holds nobody up."""
NOT_AUTHENTICATED, NOT_ALLOWED = 18, 13
HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[\w.\-%]+)(?::\d+)?"
URL = re.compile(rf"mongodb(?:\+srv)?://(?:[^/?@]*@)?({HOST}(?:,{HOST})*)(?:[/?].*)?", re.ASCII | re.DOTALL)


class CacheError(StoreError):
    """The face cache cannot be used. `problem`: what is wrong, `remedy`: what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


class CacheAwayError(CacheError):
    """The cache's server does not answer; later it may."""

    transient = True


class CacheRefusedError(CacheError):
    """The cache's server, or this program, refuses: a password, a right or a certificate is wrong."""


class MongoServer:
    """One database of a server. Safe to share between threads.

    `database`: its name; None takes the URL's, else `gridroll`. `owned`: the embedded server, started again where it
    dies; None: somebody else's. Raises ConfigError for a URL that is none.
    """

    def __init__(self, url: str, database: str | None = None, owned: EmbeddedMongo | None = None) -> None:
        self._owned = owned
        self._name = database
        self._failure: CacheError | None = None
        self._outage = Outage()
        self._reviving = Lock()
        self._connect(url)

    def _connect(self, url: str) -> None:
        self.url, self.place = url, place_of(url)
        # A time-out in the URL is its owner's choice: PyMongo would let these outrank it.
        limits: dict[str, Any] = {
            name: int(TIMEOUT_S * 1000)
            for name in ("timeoutMS", "serverSelectionTimeoutMS")
            if f"{name.lower()}=" not in url.lower()
        }
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                url, tz_aware=True, tzinfo=UTC, connect=False, **limits
            )
            name = self._name or self._client.get_default_database(DATABASE).name
            self._documents: Documents = self._client[name]
        except (PyMongoError, ValueError, OSError, TypeError) as error:
            raise ConfigError(
                f"cache_url {self.place!r} cannot be used{_certificate_file(error)}; write mongodb://host:port"
            ) from error

    @property
    def database(self) -> str:
        return self._documents.name

    def run(self, action: Callable[[Documents], Result], limit_s: float | None = None) -> Result:
        """Do something with the database that may be repeated. `limit_s`: seconds it may take; None: the usual ones.

        The embedded server is started again, once, where it has gone away. While the server is known to be away,
        nothing is asked and the error comes at once. Raises CacheAwayError and CacheRefusedError.
        """
        if self._failure is not None and self._outage.pauses:
            raise type(self._failure)(self._failure.problem, self._failure.remedy)
        if limit_s is None and self._outage.lasts:
            limit_s = AGAIN_S
        try:
            result = self._run(action, limit_s)
        except CacheError as error:
            self._failure = error
            self._outage.failed()
            raise
        self._outage.ended()
        return result

    def _run(self, action: Callable[[Documents], Result], limit_s: float | None) -> Result:
        client = self._client
        try:
            if limit_s is not None and limit_s > TIMEOUT_S:
                # PyMongo waits as long for a server as for its answer; one that is away is to be noticed sooner.
                client.admin.command("ping")
            with pymongo.timeout(limit_s) if limit_s is not None else nullcontext():
                return action(self._documents)
        except PyMongoError as error:
            if self._owned is None or not isinstance(error, ConnectionFailure | ExecutionTimeout):
                raise self._explained(error) from error
        try:
            with self._reviving:
                if self._client is client:  # else another thread was here meanwhile
                    client.close()
                    self._connect(self._owned.revive())
            return action(self._documents)
        except PyMongoError as error:
            raise self._explained(error) from error
        except StoreError as error:
            raise CacheAwayError(self._problem(str(error)), "start Gridroll again") from error

    def _explained(self, error: PyMongoError) -> CacheError:
        text = str(error)
        code = error.code if isinstance(error, OperationFailure) else None
        if code == NOT_AUTHENTICATED:
            return CacheRefusedError(
                f"the face cache at {self.place} refuses the user or the password of cache_url",
                "correct them, and authSource",
            )
        if code == NOT_ALLOWED:
            return CacheRefusedError(
                f"the face cache at {self.place} does not let this user read and write {self._documents.name!r}",
                "give it the role readWrite there, and the user and the password in cache_url",
            )
        if "certificate has expired" in text:
            return CacheRefusedError(
                f"the certificate of the face cache at {self.place} has expired", "renew it"
            )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            found = re.search(r"certificate verify failed: ([^(\n]+)", text)
            return CacheRefusedError(
                f"the certificate of the face cache at {self.place} cannot be trusted"
                + (f" ({found[1].strip()})" if found else ""),
                "name the file of the authority that issued it with tlsCAFile in cache_url",
            )
        if isinstance(error, OperationFailure) and error.details:
            text = str(error.details.get("errmsg", text))
        return CacheAwayError(self._problem(text), "start it again")

    def _problem(self, text: str) -> str:
        # PyMongo adds its settings and the state of the whole cluster.
        detail = re.split(r" \(configured timeouts|, Timeout:|\n", text)[0]
        return f"the face cache at {self.place} does not answer ({detail[:120]})"

    def close(self) -> None:
        self._client.close()
        if self._owned is not None:
            self._owned.close()


def place_of(url: str) -> str:
    """The hosts of a MongoDB URL, without what signs in to them and without its options, which may hold secrets."""
    found = URL.fullmatch(url)
    return found[1] if found else "an address that is none"


def _certificate_file(error: Exception) -> str:
    """Which file of the URL's cannot be read; the message of any other error may hold the URL, so it stays unsaid."""
    if isinstance(error, OSError) and error.filename:
        return f": {error.strerror}: {error.filename}"
    return ""
