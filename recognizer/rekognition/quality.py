"""What Rekognition finds wrong with a photograph, said so that the person on it understands."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ATTRIBUTES", "objection_to", "refusal_of"]

ATTRIBUTES = ("DEFAULT", "FACE_OCCLUDED", "SUNGLASSES")
"""What DetectFaces is asked for."""

MIN_CONFIDENCE_PCT = 95.0
MIN_SHARPNESS = 10.0
MIN_BRIGHTNESS, MAX_BRIGHTNESS = 20.0, 95.0
MAX_TURN_DEG = 30.0
CERTAIN_PCT = 90.0
"""AWS's guidelines for faces that are compared ask for one turned less than 45° and bent less than 30°, bright, sharp and
with nothing in front of it, without figures for the latter. For a photograph that somebody takes on purpose 30° is
enough for both. The other bounds are low on purpose: IndexFaces has its own, brightness depends on skin too, and what
a photograph must be like for every engine is asked elsewhere."""

_REASONS = {
    "EXTREME_POSE": "the face is turned away; look straight into the camera",
    "LOW_BRIGHTNESS": "the face is too dark; take the photograph in brighter light",
    "LOW_SHARPNESS": "the face is blurred; hold the camera still and take the photograph again",
    "LOW_CONFIDENCE": "it is hard to see that this is a face; take the photograph from the front, in good light",
    "LOW_FACE_QUALITY": "the face cannot be seen well enough; take the photograph from the front, in good light",
    "SMALL_BOUNDING_BOX": "the face is too small; take the photograph from nearer by",
}


def objection_to(face: Mapping[str, Any]) -> str | None:
    """What stands against enrolling a face, a `FaceDetail` of the service; None: nothing."""
    quality, pose = face.get("Quality", {}), face.get("Pose", {})
    if face.get("Confidence", 100.0) < MIN_CONFIDENCE_PCT:
        return _REASONS["LOW_CONFIDENCE"]
    if face.get("FaceOccluded", {}).get("Value") and face["FaceOccluded"]["Confidence"] >= CERTAIN_PCT:
        return "something covers part of the face; take off a mask or scarf and keep hands and hair away"
    if face.get("Sunglasses", {}).get("Value") and face["Sunglasses"]["Confidence"] >= CERTAIN_PCT:
        return "sunglasses hide the eyes; take them off"
    if max(abs(pose.get(axis, 0.0)) for axis in ("Yaw", "Pitch", "Roll")) > MAX_TURN_DEG:
        return _REASONS["EXTREME_POSE"]
    if quality.get("Brightness", 50.0) < MIN_BRIGHTNESS:
        return _REASONS["LOW_BRIGHTNESS"]
    if quality.get("Brightness", 50.0) > MAX_BRIGHTNESS:
        return "the face is too bright; move away from the lamp or the window"
    if quality.get("Sharpness", 100.0) < MIN_SHARPNESS:
        return _REASONS["LOW_SHARPNESS"]
    return None


def refusal_of(unindexed: Iterable[Mapping[str, Any]]) -> str:
    """Why IndexFaces took no face: its first reason that can be put in words."""
    for face in unindexed:
        for reason in face.get("Reasons", ()):
            if reason in _REASONS:
                return _REASONS[reason]
    return "no face can be seen; give a photograph taken from the front, in good light"
