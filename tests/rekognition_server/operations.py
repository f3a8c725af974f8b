"""What the service does, operation by operation."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

from tests.rekognition_server.collection import FACE_MODEL, Collection, HeldFace, similarity
from tests.rekognition_server.faults import ServiceError
from tests.rekognition_server.pictures import FoundFace, find, open_picture

__all__ = ["Operations"]

Answer = dict[str, Any]
ARN = "arn:aws:rekognition:eu-west-1:123456789012:collection"
FACES_PER_USER = 100
NO_FACE = "There are no faces in the image. Should be at least 1."


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a listing stopped."""

    start: int

    @property
    def token(self) -> str:
        return f"page-{self.start}"

    @staticmethod
    def of(token: str | None) -> "_Page":
        if token is None:
            return _Page(0)
        if not token.removeprefix("page-").isdigit():
            raise ServiceError("InvalidPaginationTokenException", "The token is invalid")
        return _Page(int(token.removeprefix("page-")))


class Operations:
    """The service's memory and its methods, named as the operations are. Safe to share between threads.

    `page_size`: faces in a page of ListFaces, however many are asked for.
    """

    def __init__(self, folder: Path, page_size: int = 4096) -> None:
        self._folder = folder
        self.page_size = page_size
        self._lock = threading.RLock()
        self._collections: dict[str, Collection] = {}
        self._done: dict[tuple[str, str], tuple[Any, Answer]] = {}

    def __call__(self, operation: str, parameters: Answer) -> Answer:
        method = getattr(self, operation, None)
        if method is None:
            raise ServiceError("UnknownOperationException", f"{operation} is not in this server")
        token = parameters.pop("ClientRequestToken", None)
        with self._lock:
            if token is not None and (operation, token) in self._done:
                asked, answer = self._done[operation, token]
                if asked != parameters:
                    raise ServiceError("IdempotentParameterMismatchException", "The token was used before")
                return dict(answer)
        answer = method(**parameters)
        with self._lock:
            if token is not None:
                self._done[operation, token] = (parameters, answer)
        return dict(answer)

    def CreateCollection(self, CollectionId: str, Tags: Answer | None = None) -> Answer:
        with self._lock:
            if CollectionId in self._collections:
                raise ServiceError(
                    "ResourceAlreadyExistsException", f"The collection id: {CollectionId} already exists"
                )
            self._collections[CollectionId] = Collection(self._folder / uuid4().hex)
        return {"StatusCode": 200, "CollectionArn": f"{ARN}/{CollectionId}", "FaceModelVersion": FACE_MODEL}

    def DescribeCollection(self, CollectionId: str) -> Answer:
        held = self._collection(CollectionId)
        return {
            "FaceCount": len(held.faces),
            "UserCount": len(held.users),
            "FaceModelVersion": FACE_MODEL,
            "CollectionARN": f"{ARN}/{CollectionId}",
            "CreationTimestamp": datetime.now(UTC),
        }

    def IndexFaces(
        self,
        CollectionId: str,
        Image: Answer,
        ExternalImageId: str = "",
        DetectionAttributes: Sequence[str] = (),
        MaxFaces: int = 100,
        QualityFilter: str = "AUTO",
    ) -> Answer:
        held = self._collection(CollectionId)
        found = find(open_picture(Image["Bytes"]))
        digest = hashlib.sha256(Image["Bytes"]).digest()
        unindexed = []
        with self._lock:
            faces = [held.faces[face_id] for face_id in held.images.get((digest, ExternalImageId), ())]
            if not faces:
                image_id = str(uuid5(NAMESPACE_OID, digest.hex()))
                for place, face in enumerate(found):
                    reasons = ["EXCEEDS_MAX_FACES"] if place >= MaxFaces else []
                    reasons += face.faults() if QualityFilter != "NONE" else []
                    if reasons:
                        unindexed.append({"Reasons": reasons, "FaceDetail": face.detail})
                    else:
                        faces.append(held.add(face, image_id, ExternalImageId or None))
                if ExternalImageId:  # the same picture under the same name is not stored twice
                    held.images[digest, ExternalImageId] = [face.face_id for face in faces]
        return {
            "FaceRecords": [{"Face": face.record(), "FaceDetail": face.found.detail} for face in faces],
            "UnindexedFaces": unindexed,
            "FaceModelVersion": FACE_MODEL,
        }

    def SearchFacesByImage(
        self,
        CollectionId: str,
        Image: Answer,
        MaxFaces: int = 80,
        FaceMatchThreshold: float = 80.0,
        QualityFilter: str = "NONE",
    ) -> Answer:
        held = self._collection(CollectionId)
        face = _largest(Image["Bytes"], QualityFilter)
        if face is None:
            raise ServiceError("InvalidParameterException", NO_FACE)
        matches = [
            {"Similarity": pct, "Face": one.record()}
            for one, pct in self._resembling(held, face)
            if pct >= FaceMatchThreshold
        ]
        return {
            "SearchedFaceBoundingBox": face.box,
            "SearchedFaceConfidence": face.detail["Confidence"],
            "FaceMatches": matches[:MaxFaces],
            "FaceModelVersion": FACE_MODEL,
        }

    def SearchUsersByImage(
        self,
        CollectionId: str,
        Image: Answer,
        UserMatchThreshold: float = 80.0,
        MaxUsers: int = 500,
        QualityFilter: str = "NONE",
    ) -> Answer:
        held = self._collection(CollectionId)
        face = _largest(Image["Bytes"], QualityFilter)
        if face is None:
            return {"UserMatches": [], "UnsearchedFaces": [], "FaceModelVersion": FACE_MODEL}
        best: dict[str, float] = {}
        for one, pct in self._resembling(held, face):
            if one.user_id is not None:
                best.setdefault(one.user_id, pct)
        matches = [
            {"Similarity": pct, "User": {"UserId": user, "UserStatus": "ACTIVE"}}
            for user, pct in best.items()
            if pct >= UserMatchThreshold
        ]
        return {
            "UserMatches": matches[:MaxUsers],
            "SearchedFace": {"FaceDetail": face.detail},
            "UnsearchedFaces": [],
            "FaceModelVersion": FACE_MODEL,
        }

    def CompareFaces(
        self,
        SourceImage: Answer,
        TargetImage: Answer,
        SimilarityThreshold: float = 80.0,
        QualityFilter: str = "NONE",
    ) -> Answer:
        source = _largest(SourceImage["Bytes"], QualityFilter)
        targets = find(open_picture(TargetImage["Bytes"]))
        if source is None or not targets:
            raise ServiceError("InvalidParameterException", "Request has invalid parameters")
        engine = Collection(self._folder / uuid4().hex).engine
        matches, unmatched = [], []
        for face in targets:
            shown = {"BoundingBox": face.box, "Confidence": face.detail["Confidence"]}
            pct = similarity(engine.compare(source.crop, face.crop))
            if pct >= SimilarityThreshold:
                matches.append({"Similarity": pct, "Face": shown})
            else:
                unmatched.append(shown)
        matches.sort(key=lambda match: -float(match["Similarity"]))  # type: ignore[arg-type]
        return {
            "SourceImageFace": {"BoundingBox": source.box, "Confidence": source.detail["Confidence"]},
            "FaceMatches": matches,
            "UnmatchedFaces": unmatched,
        }

    def DetectFaces(self, Image: Answer, Attributes: Sequence[str] = ("DEFAULT",)) -> Answer:
        return {"FaceDetails": [face.detail for face in find(open_picture(Image["Bytes"]))]}

    def ListFaces(
        self,
        CollectionId: str,
        NextToken: str | None = None,
        MaxResults: int = 1000,
        UserId: str | None = None,
        FaceIds: Sequence[str] | None = None,
    ) -> Answer:
        held = self._collection(CollectionId)
        with self._lock:
            if UserId is not None:
                self._user(held, UserId)
            faces = [
                face.record()
                for face in held.faces.values()
                if (UserId is None or face.user_id == UserId) and (FaceIds is None or face.face_id in FaceIds)
            ]
        start = _Page.of(NextToken).start
        end = start + min(MaxResults or 1000, self.page_size)
        more = {"NextToken": _Page(end).token} if end < len(faces) else {}
        return {"Faces": faces[start:end], "FaceModelVersion": FACE_MODEL, **more}

    def DeleteFaces(self, CollectionId: str, FaceIds: Sequence[str]) -> Answer:
        held = self._collection(CollectionId)
        deleted, kept = [], []
        with self._lock:
            for face_id in FaceIds:
                face = held.faces.get(face_id)
                if face is None:
                    kept.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
                elif face.user_id is not None:
                    reasons = ["ASSOCIATED_TO_AN_EXISTING_USER"]
                    kept.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": reasons})
                else:
                    deleted.append(face_id)
            held.drop(deleted)
        # The model wants at least one in a list of deleted faces.
        return {"UnsuccessfulFaceDeletions": kept, **({"DeletedFaces": deleted} if deleted else {})}

    def CreateUser(self, CollectionId: str, UserId: str) -> Answer:
        held = self._collection(CollectionId)
        with self._lock:
            if UserId in held.users:
                raise ServiceError("ConflictException", f"The user id: {UserId} already exists")
            held.users[UserId] = []
        return {}

    def DeleteUser(self, CollectionId: str, UserId: str) -> Answer:
        held = self._collection(CollectionId)
        with self._lock:
            for face_id in self._user(held, UserId):
                held.faces[face_id].user_id = None
            del held.users[UserId]
        return {}

    def ListUsers(
        self,
        CollectionId: str,
        MaxResults: int = 500,
        NextToken: str | None = None,
    ) -> Answer:
        users = list(self._collection(CollectionId).users)
        start = _Page.of(NextToken).start
        end = start + min(MaxResults, self.page_size)
        more = {"NextToken": _Page(end).token} if end < len(users) else {}
        return {"Users": [{"UserId": user, "UserStatus": "ACTIVE"} for user in users[start:end]], **more}

    def AssociateFaces(
        self,
        CollectionId: str,
        UserId: str,
        FaceIds: Sequence[str],
        UserMatchThreshold: float = 75.0,
    ) -> Answer:
        held = self._collection(CollectionId)
        joined: list[Answer] = []
        refused: list[Answer] = []
        with self._lock:
            members = self._user(held, UserId)
            if len(members) + len(FaceIds) > FACES_PER_USER:
                raise ServiceError("ServiceQuotaExceededException", "A user has at most 100 faces")
            for face_id in FaceIds:
                face = held.faces.get(face_id)
                if face is None:
                    refused.append({"FaceId": face_id, "UserId": UserId, "Reasons": ["FACE_NOT_FOUND"]})
                elif face.user_id not in {None, UserId}:
                    reasons = ["ASSOCIATED_TO_A_DIFFERENT_USER"]
                    refused.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": reasons})
                elif (pct := self._likeness(held, face, members)) < UserMatchThreshold:
                    reasons = ["LOW_MATCH_CONFIDENCE"]
                    refused.append(
                        {"FaceId": face_id, "UserId": UserId, "Confidence": pct, "Reasons": reasons}
                    )
                elif face.user_id is None:
                    face.user_id = UserId
                    members.append(face_id)
                    joined.append({"FaceId": face_id})
        return {
            "AssociatedFaces": joined,
            "UnsuccessfulFaceAssociations": refused,
            "UserStatus": "UPDATING",
        }

    def DisassociateFaces(self, CollectionId: str, UserId: str, FaceIds: Sequence[str]) -> Answer:
        held = self._collection(CollectionId)
        left, refused = [], []
        with self._lock:
            members = self._user(held, UserId)
            for face_id in FaceIds:
                face = held.faces.get(face_id)
                if face is None:
                    refused.append({"FaceId": face_id, "UserId": UserId, "Reasons": ["FACE_NOT_FOUND"]})
                elif face.user_id not in {None, UserId}:
                    reasons = ["ASSOCIATED_TO_A_DIFFERENT_USER"]
                    refused.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": reasons})
                elif face.user_id == UserId:
                    face.user_id = None
                    members.remove(face_id)
                    left.append({"FaceId": face_id})
        return {
            "DisassociatedFaces": left,
            "UnsuccessfulFaceDisassociations": refused,
            "UserStatus": "UPDATING",
        }

    def _collection(self, collection_id: str) -> Collection:
        with self._lock:
            if collection_id not in self._collections:
                raise ServiceError(
                    "ResourceNotFoundException", f"The collection id: {collection_id} does not exist"
                )
            return self._collections[collection_id]

    def _user(self, held: Collection, user_id: str) -> list[str]:
        if user_id not in held.users:
            raise ServiceError("ResourceNotFoundException", f"The user id: {user_id} does not exist")
        return held.users[user_id]

    def _resembling(self, held: Collection, face: FoundFace) -> list[tuple[HeldFace, float]]:
        with self._lock:
            return held.resembling(face.crop)

    def _likeness(self, held: Collection, face: HeldFace, members: Sequence[str]) -> float:
        others = [held.faces[face_id].found.crop for face_id in members]
        return max(
            (similarity(held.engine.compare(face.found.crop, other)) for other in others), default=100.0
        )


def _largest(content: bytes, quality_filter: str) -> FoundFace | None:
    """The face that is searched: the largest, if the filter lets it through."""
    faces = find(open_picture(content))
    return None if not faces or (quality_filter != "NONE" and faces[0].faults()) else faces[0]
