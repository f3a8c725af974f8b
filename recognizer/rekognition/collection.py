"""The faces and users of a collection: listed, joined and taken out again."""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

from recognizer.engine import IndexedFace
from recognizer.errors import EngineError
from recognizer.rekognition.calls import REKOGNITION, Calls
from recognizer.rekognition.errors import RekognitionError

__all__ = ["FaceCollection", "decode_number", "encode_number", "model_name"]

PAGE = 4096
"""Faces that the service lists or deletes in one call."""

USER_PAGE = 100
"""Faces that it takes out of a user in one call."""

JOIN_THRESHOLD_PCT = 75.0
"""Similarity from which the service lets a photograph join a user's; its own default."""

USERS_AGE_S = 60.0
"""How long it may take until another program's changes to users are seen; listing is free, but not instant."""

MAX_NUMBER = 128
"""Characters of a user id."""

_FACE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def encode_number(student_no: str) -> str:
    """A student number in the service's alphabet `[a-zA-Z0-9_.\\-:]`: other characters, and `:`, as `:` and two hex digits.

    Raises EngineError for one that is empty, or too long for a user id then.
    """
    encoded = quote(student_no, safe="").replace("~", "%7E").replace("%", ":")
    if not 1 <= len(encoded) <= MAX_NUMBER:
        raise EngineError(
            f"student number {student_no!r} cannot be kept in Rekognition, where it takes {len(encoded)} characters; "
            f"give one that takes 1 to {MAX_NUMBER}"
        )
    return encoded


def decode_number(external_id: str) -> str:
    """The student number again; what was not encoded here comes out much as it is."""
    return unquote(external_id.replace(":", "%"))


def model_name(version: str) -> str:
    return f"Rekognition face model {version}"


class FaceCollection:
    """Bookkeeping in the configured collection. Safe to share between threads; raises RekognitionError and EngineError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._users: dict[str, tuple[str, ...]] = {}
        self._users_until = 0.0

    def make(self) -> bool:
        """Make the collection; False if it is there already."""
        try:
            self._calls.send("CreateCollection")
        except RekognitionError as error:
            if error.code == "ResourceAlreadyExistsException":
                return False
            raise
        return True

    def records(self, **narrowed: Any) -> Iterator[Mapping[str, Any]]:
        """The service's records of the faces, page by page; `narrowed`: `UserId` or `FaceIds`."""
        token: str | None = None
        while True:
            page: dict[str, Any] = {"NextToken": token} if token else {}
            content = self._calls.send("ListFaces", MaxResults=PAGE, **narrowed, **page).content
            model = content.get("FaceModelVersion", "")
            yield from ({"IndexFacesModelVersion": model, **face} for face in content.get("Faces", ()))
            token = content.get("NextToken")
            if not token:
                return

    def faces(self) -> Iterator[IndexedFace]:
        for record in self.records():
            number, version = (
                decode_number(record.get("ExternalImageId", "")),
                record["IndexFacesModelVersion"],
            )
            yield IndexedFace(record["FaceId"], number, REKOGNITION, model_name(version))

    def faces_of(self, users: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """The face ids of these users, and of others; at most a minute old, and fresh when a user is new."""
        with self._lock:
            if time.monotonic() >= self._users_until or not self._users.keys() >= set(users):
                held = defaultdict(list)
                for record in self.records():
                    if user := record.get("UserId"):
                        held[user].append(record["FaceId"])
                self._users = {user: tuple(faces) for user, faces in held.items()}
                self._users_until = time.monotonic() + USERS_AGE_S
            return self._users

    def join(self, user: str, face_id: str) -> None:
        """Put a face among the user's, who is made if need be. Raises EngineError where it does not resemble them."""
        made = self._make_user(user)
        try:
            self._associate(user, face_id)
        except BaseException:
            if made:
                self._calls.send("DeleteUser", UserId=user)
            raise
        finally:
            self._forget_users()

    def join_strays(self) -> int:
        """Give faces without a user theirs, as after `rekognition_search` was changed; returns how many."""
        strays = [record for record in self.records() if not record.get("UserId")]
        for record in strays:
            if number := record.get("ExternalImageId"):
                self.join(number, record["FaceId"])
        return len(strays)

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        """Delete faces, and users who have none left; returns the ids that were there.

        Raises EngineError where the service keeps any: none of those is told to be gone, and the call can be repeated.
        """
        there: set[str] = set()
        # Anything else cannot be an id of this service, which would refuse the whole request for it.
        ids = sorted(face_id for face_id in set(face_ids) if _FACE_ID.fullmatch(face_id))
        for batch in _batches(ids, PAGE):
            owned = defaultdict(list)
            listed = set()
            for record in self.records(FaceIds=batch):
                listed.add(record["FaceId"])
                if user := record.get("UserId"):
                    owned[user].append(record["FaceId"])
            for user, faces in owned.items():
                self._leave(user, faces)
            if listed:
                self._delete(sorted(listed))
            there |= listed
        self._forget_users()
        return frozenset(there)

    def _make_user(self, user: str) -> bool:
        try:
            self._calls.send("CreateUser", UserId=user)
        except RekognitionError as error:
            if error.code == "ConflictException":  # it is there
                return False
            raise
        return True

    def _associate(self, user: str, face_id: str) -> None:
        content = self._calls.send(
            "AssociateFaces", UserId=user, FaceIds=[face_id], UserMatchThreshold=JOIN_THRESHOLD_PCT
        ).content
        for refused in content.get("UnsuccessfulFaceAssociations", ()):
            if "LOW_MATCH_CONFIDENCE" in refused.get("Reasons", ()):
                raise EngineError(
                    f"the photograph does not resemble the others of student {decode_number(user)} "
                    f"({refused.get('Confidence', 0):.0f} %, {JOIN_THRESHOLD_PCT:g} needed); give another one, or remove "
                    "the others first"
                )
            raise EngineError(
                f"Rekognition does not add the face to student {decode_number(user)} "
                f"({_reasons(refused)}); remove the student's faces and add them again"
            )

    def _leave(self, user: str, face_ids: Sequence[str]) -> None:
        """Take faces out of a user, who is deleted with the last one: that is free, taking single ones out is billed."""
        left = {record["FaceId"] for record in self.records(UserId=user)} - set(face_ids)
        if not left:
            self._calls.send("DeleteUser", UserId=user)
            return
        for batch in _batches(face_ids, USER_PAGE):
            content = self._calls.send("DisassociateFaces", UserId=user, FaceIds=batch).content
            for kept in content.get("UnsuccessfulFaceDisassociations", ()):
                if "FACE_NOT_FOUND" not in kept.get("Reasons", ()):
                    raise EngineError(
                        f"Rekognition keeps face {kept.get('FaceId')} with {user} ({_reasons(kept)}); remove it again"
                    )

    def _delete(self, face_ids: Sequence[str]) -> None:
        content = self._calls.send("DeleteFaces", FaceIds=list(face_ids)).content
        kept = [
            face
            for face in content.get("UnsuccessfulFaceDeletions", ())
            if "FACE_NOT_FOUND" not in face.get("Reasons", ())  # an attempt whose answer was lost deleted it
        ]
        if kept:
            shown = ", ".join(f"{face.get('FaceId')} ({_reasons(face)})" for face in kept[:3])
            raise RekognitionError(
                f"Rekognition did not remove {len(kept)} of {len(face_ids)} faces: {shown}; remove them again",
                "UnsuccessfulFaceDeletions",
                transient=True,
            )

    def _forget_users(self) -> None:
        with self._lock:
            self._users_until = 0.0


def _reasons(record: Mapping[str, Any]) -> str:
    return ", ".join(record.get("Reasons", ())) or "no reason given"


def _batches(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, size)):
        yield batch
