"""Looks and receipts as plain values, for an agent that hands them in over a network."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from recognizer.errors import RecognizerError
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace

__all__ = ["LONGEST_SIDE_PX", "observation_json", "read_receipt", "receipt_json"]

LONGEST_SIDE_PX = 1024
"""Of a crop that is sent: what a face is recognised by has 150 pixels."""

QUALITY = 95


def observation_json(observation: Observation) -> dict[str, Any]:
    """A look without its session, whose number stands in the address. Crops are JPEG files in base64."""
    return {
        "uid": observation.uid,
        "began_at": _moment(observation.began_at),
        "taken_at": _moment(observation.taken_at),
        "trigger": observation.trigger,
        "headcount": observation.headcount,
        "faces": [_face(face) for face in observation.faces],
    }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    return {
        "uid": receipt.uid,
        "headcount": receipt.headcount,
        "identified": receipt.identified,
        "unknown": receipt.unknown,
        "searches": receipt.searches,
        "paid": receipt.paid,
        "embedded": receipt.embedded,
        "names": dict(receipt.names),
        "guests": dict(receipt.guests),
        "wanted": sorted(receipt.wanted),
        "continues": dict(receipt.continues),
    }


def read_receipt(values: Mapping[str, Any]) -> Receipt:
    """Raises RecognizerError for what is none."""
    try:
        return Receipt(
            str(values["uid"]),
            int(values["headcount"]),
            int(values["searches"]),
            int(values["paid"]),
            {str(track): str(name) for track, name in values["names"].items()},
            frozenset(map(str, values["wanted"])),
            {str(track): str(person) for track, person in values["continues"].items()},
            {str(track): str(name) for track, name in values["guests"].items()},
            int(values["embedded"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecognizerError(
            f"the portal's answer is no receipt ({error!r}); is it of another version?"
        ) from error


def _face(face: SeenFace) -> dict[str, Any]:
    return {
        "track": face.track,
        "tile": list(face.tile_xyxy),
        "box": list(face.box_xyxy),
        "crop": None if face.crop is None else _crop(face.crop),
        "spot_check": face.spot_check,
        "succeeds": face.succeeds,
        "cue": face.cue,
        "repeats": face.repeats,
    }


def _crop(crop: FaceCrop) -> dict[str, Any]:
    image, box = crop.image, crop.box_xyxy
    height, width = image.shape[:2]
    scale = LONGEST_SIDE_PX / max(1, height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        x1, y1, x2, y2 = (round(edge * scale) for edge in box)
        box = (x1, y1, min(size[0], max(x2, x1 + 1)), min(size[1], max(y2, y1 + 1)))
    encoded, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not encoded:
        raise RecognizerError(f"a crop of shape {image.shape} cannot be made a JPEG")
    return {"image": base64.b64encode(content.tobytes()).decode(), "box": [int(edge) for edge in box]}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
