"""The face engine whose faces are kept by Amazon Rekognition."""

import math
from collections.abc import Collection, Iterator, Sequence

from db.settings import Settings
from recognizer.engine import Answer, Candidate, IndexedFace, Probe
from recognizer.errors import EngineError, PhotoError
from recognizer.metering import Meter
from recognizer.observation import FaceCrop
from recognizer.rekognition.calls import REKOGNITION, Calls
from recognizer.rekognition.collection import FaceCollection, encode_number, model_name
from recognizer.rekognition.crops import portrait_of
from recognizer.rekognition.evidence import Evidence
from recognizer.rekognition.permissions import lacking_permissions
from recognizer.rekognition.quality import ATTRIBUTES, objection_to, refusal_of
from recognizer.rekognition.searches import Found, Searches

__all__ = ["REKOGNITION", "RekognitionEngine"]


MAX_WORKERS = 32


class RekognitionEngine:
    """A FaceEngine in a provider's hands: photographs and crops leave this machine, and most calls are billed.

    Searches of one look run side by side, as far as the rate allows. `meter`: keeps account of every call; None: no
    account is kept.
    """

    collections = frozenset({REKOGNITION})
    bills = True

    def __init__(self, settings: Settings, meter: Meter | None = None) -> None:
        # Enough to keep up the rate when answers take two seconds.
        workers = min(MAX_WORKERS, math.ceil(2 * settings.rekognition_rate_per_s))
        self._calls = Calls(settings, meter, workers)
        self._faces = FaceCollection(self._calls)
        self._name = settings.rekognition_collection
        self._users = settings.rekognition_search == "users"
        self._searches = Searches(self._calls, self._users, workers)

    @property
    def description(self) -> str:
        return f"{REKOGNITION}: {'users' if self._users else 'faces'} of collection {self._name} at {self._calls.where}"

    def prepare(self) -> str:
        """Make the collection, and give every face its user where users are searched. Safe to repeat.

        Returns what it did, in one line. Raises EngineError.
        """
        done = "made" if self._faces.make() else "there"
        joined = self._faces.join_strays() if self._users else 0
        return f"collection {self._name} at {self._calls.where} {done}" + (
            f", {joined} faces given their users" if joined else ""
        )

    def status(self) -> str:
        """How the collection is, in one line. Raises EngineError where it cannot be reached or is none."""
        content = self._calls.send("DescribeCollection").content
        model = model_name(str(content.get("FaceModelVersion", "?")))
        return f"{self.description}; {content.get('FaceCount', 0)} faces indexed, {model}"

    def denied(self) -> tuple[str, ...]:
        """Actions that the engine needs and the credentials lack, as IAM names them. Raises EngineError."""
        return lacking_permissions(self._calls, self._users)

    def objection(self, crop: FaceCrop) -> str | None:
        portrait = portrait_of(crop)
        reply = self._calls.send(
            "DetectFaces", Image={"Bytes": portrait.content}, Attributes=list(ATTRIBUTES)
        )
        faces = [face for face in reply.content.get("FaceDetails", ()) if portrait.shows(face["BoundingBox"])]
        if not faces:
            return refusal_of(())
        return objection_to(max(faces, key=lambda face: float(face["BoundingBox"]["Height"])))

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        number, portrait = encode_number(external_id), portrait_of(crop)
        reply = self._calls.send(
            "IndexFaces",
            Image={"Bytes": portrait.content},
            ExternalImageId=number,
            MaxFaces=1,
            QualityFilter="AUTO",
            DetectionAttributes=["DEFAULT"],
        )
        records = reply.content.get("FaceRecords", ())
        if not records:
            reason = refusal_of(reply.content.get("UnindexedFaces", ()))
            raise PhotoError(
                f"Rekognition does not take the photograph of student {external_id}: {reason}",
                f"The recognition service does not take this photo: {reason}. Take another one from the front, in good light.",
                "provider",
            )
        face_id = str(records[0]["Face"]["FaceId"])
        try:
            if not portrait.shows(records[0]["Face"]["BoundingBox"]):
                raise PhotoError(
                    f"Rekognition sees another face first on the photograph of student {external_id}; give one with "
                    "nobody else in it",
                    "The recognition service sees another face first on this photo: take one with nobody else in it.",
                    "provider",
                )
            if self._users:
                self._faces.join(number, face_id)
        except BaseException as error:
            self._take_back(face_id, error)
            raise
        self._searches.forget()
        model = model_name(str(reply.content.get("FaceModelVersion", "?")))
        return (IndexedFace(face_id, external_id, REKOGNITION, model),)

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        # What cannot be asked fails before anything is paid for.
        held = [Evidence.from_bytes(probe.template) for probe in probes]
        portraits = [portrait_of(probe.crop) for probe in probes]
        if not probes:
            return []
        found = self._searches.run(portraits, session_id)
        wanted = None if among is None else frozenset(among)
        return [self._answer(one, evidence, wanted) for one, evidence in zip(found, held, strict=True)]

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        source, target = portrait_of(one), portrait_of(other)
        reply = self._calls.send(
            "CompareFaces",
            SourceImage={"Bytes": source.content},
            TargetImage={"Bytes": target.content},
            SimilarityThreshold=0.0,
            QualityFilter="NONE",
        )
        if reply.no_face:
            raise EngineError("Rekognition finds no face in one of the two pictures; give clearer ones")
        if not source.shows(reply.content["SourceImageFace"]["BoundingBox"]):
            raise EngineError(
                "Rekognition sees another face first in the first picture; give one of one person"
            )
        matches = [
            float(match["Similarity"])
            for match in reply.content.get("FaceMatches", ())
            if target.shows(match["Face"]["BoundingBox"])
        ]
        return max(matches, default=0.0)

    def faces(self) -> Iterator[IndexedFace]:
        return self._faces.faces()

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        try:
            return self._faces.remove(face_ids)
        finally:
            self._searches.forget()

    def close(self) -> None:
        self._searches.close()
        self._calls.close()

    def _take_back(self, face_id: str, error: BaseException) -> None:
        try:
            self._faces.remove([face_id])
        except EngineError as failure:
            raise EngineError(
                f"{error}; and face {face_id} is still in the collection ({failure}): remove the student's faces"
            ) from error

    def _answer(self, found: Found, held: Evidence, wanted: frozenset[str] | None) -> Answer:
        if found.similarities is None:
            template = held.to_bytes() if held.looks else None
            return Answer((), REKOGNITION, found.model, template, found.billed)
        shown = self._shown(found.similarities, wanted)
        evidence = held.with_look({key: found.similarities[key] for key in shown})
        similarities = evidence.similarities
        shown = self._shown(similarities, wanted)
        candidates = [Candidate(shown[key], similarities[key]) for key in shown]
        candidates.sort(key=lambda one: (-one.similarity_pct, one.face_id))
        return Answer(tuple(candidates), REKOGNITION, found.model, evidence.to_bytes(), found.billed)

    def _shown(self, keys: Collection[str], wanted: frozenset[str] | None) -> dict[str, str]:
        """The face id that stands for each face or user, those left out that are not wanted."""
        faces = self._faces.faces_of(keys) if self._users and keys else {key: (key,) for key in keys}
        shown = {}
        for key in keys:
            for face_id in faces.get(key, ()):
                if wanted is None or face_id in wanted:
                    shown[key] = face_id
                    break
        return shown
