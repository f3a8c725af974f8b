"""Attendance from one picture of a class: every face in it, and who each one is, as a look like an agent's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from db.audit import Change
from db.database import Database
from db.face_cache import FaceCache
from db.people import students_of
from db.settings import Settings
from db.stored_look import stored_look
from recognizer.engine import FaceEngine
from recognizer.errors import PhotoError
from recognizer.evidence import Evidence
from recognizer.observation import Box, FaceCrop, Image, Observation, SeenFace
from recognizer.photo import every_face
from recognizer.picture import decode_picture
from recognizer.verify import Verifier

__all__ = ["ClassPicture", "PictureFace", "PictureTaker", "open_class_picture"]

TRIGGER = "picture"
LONGEST_SIDE_PX = 1920
"""Smaller faces than this leaves are too small to be known by."""
MARGIN = 0.6
"""Of a face's height, kept around it."""


@dataclass(frozen=True, slots=True)
class ClassPicture:
    """A picture and its faces, from left to right in rows. `image`: owned, nobody writes to it."""

    image: Image
    boxes_xyxy: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class PictureFace:
    """A face of a picture and what was concluded. `verdict`: `named`, `guest`, `doubtful` or `unknown`.

    `student_no`, `name`: whom it shows, or of whom it is in doubt; `name` alone of a guest; empty for nobody.
    """

    box_xyxy: Box
    verdict: str
    student_no: str = ""
    name: str = ""


def open_class_picture(content: bytes, name: str, max_pixels: int) -> ClassPicture:
    """Decode a picture and find its faces. Raises PhotoError for what is no picture, or shows no face."""
    image = decode_picture(content, name, max_pixels, LONGEST_SIDE_PX)
    boxes = every_face(image)
    if not boxes:
        raise PhotoError(
            f"no face is found on {name}; take it from the front, in good light, and near enough",
            fault="none",
        )
    return ClassPicture(image, tuple(in_rows(boxes)))


class PictureTaker:
    """Takes attendance on behalf of `actor`. The same picture handed in twice with the same `uid` counts once.

    Nobody will look again, so that each face is concluded at once: whoever is not clearly a student is a doubt for staff.
    """

    def __init__(
        self,
        database: Database,
        cache: FaceCache,
        engine: FaceEngine,
        settings: Settings,
        evidence: Evidence,
        actor: str,
    ) -> None:
        once = settings.model_copy(update={"max_looks_per_face": 1})
        self._database = database
        self._verifier = Verifier(database, cache, engine, once, evidence)
        self._actor = actor

    def take(self, session_id: int, uid: str, taken_at: datetime, picture: ClassPicture) -> list[PictureFace]:
        """Store the picture's look; returns its faces in the picture's order. Raises as `Verifier.verify`."""
        key = str(uuid5(NAMESPACE_URL, f"gridroll/picture/{session_id}/{uid}"))
        faces = tuple(
            SeenFace(f"p{key[:13]}-{place}", box, box, _crop(picture.image, box))
            for place, box in enumerate(picture.boxes_xyxy, 1)
        )
        told = {"heads": len(faces), "look": key}
        taken = Change(self._actor, "picture.taken", f"session:{session_id}", None, told, "")
        receipt = self._verifier.verify(
            Observation(key, session_id, taken_at, taken_at, TRIGGER, len(faces), faces), (taken,)
        )
        with self._database.reading() as session:
            look = stored_look(session, session_id, key)
            assert look is not None
            verdicts = [
                look.verdicts.get(look.people.get(face.box_xyxy, ""), ("unknown", None)) for face in faces
            ]
            students = {
                student.id: student
                for student in students_of(session, {key for _, key in verdicts if key is not None})
            }
        found = []
        for face, (verdict, student_id) in zip(faces, verdicts, strict=True):
            guest = receipt.guests.get(face.track)
            if guest is not None:
                found.append(PictureFace(face.box_xyxy, "guest", "", guest))
            elif student_id in students and verdict in {"named", "doubtful"}:
                student = students[student_id]
                found.append(PictureFace(face.box_xyxy, verdict, student.student_no, student.name))
            else:
                found.append(PictureFace(face.box_xyxy, "unknown"))
        return found


def in_rows(boxes: Sequence[Box]) -> list[Box]:
    """As people read: rows from the top, each from the left. A face is of a row where its middle is within its first's."""
    rest, rows = sorted(boxes, key=lambda box: box[1] + box[3]), list[list[Box]]()
    for box in rest:
        middle = (box[1] + box[3]) / 2
        if rows and rows[-1][0][1] <= middle < rows[-1][0][3]:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row)]


def _crop(image: Image, box: Box) -> FaceCrop:
    x1, y1, x2, y2 = box
    margin = round((y2 - y1) * MARGIN)
    left, top = max(0, x1 - margin), max(0, y1 - margin)
    cut = image[top : y2 + margin, left : x2 + margin].copy()
    return FaceCrop(cut, (x1 - left, y1 - top, x2 - left, y2 - top))
