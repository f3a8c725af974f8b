"""Observations: what an agent without database and without engine sees, recognised and stored here."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from db.report import SessionLine, session_line
from portal.api.parts import Moment, Part, described
from portal.api.problems import ProblemError
from portal.api.recognition import recognition
from portal.desk import desk
from portal.moments import utc_text
from portal.session_page import SESSION
from recognizer.errors import PhotoError
from recognizer.observation import Box, FaceCrop, Observation, SeenFace
from recognizer.picture import decode_picture
from recognizer.picture_header import JPEG, check_picture
from recognizer.wire import receipt_json

__all__ = ["part"]

part = Part("observations", "Observations", "For agents: what is seen of a session, look by look.")

TRIGGERS = ("headcount", "tile", "unsettled", "spot", "none")
CUES = ("still_picture", "loop")
MOST_FACES = 500
MOST_CROPS = 100
MAX_LOOK_BYTES = 16 * 1024 * 1024
MAX_CROP_BYTES = 2_250_000
MAX_CROP_PIXELS = 2_000_000
MAX_PIXELS = 30_000_000
"""Of all crops of a look together: 90 MB once they are unpacked."""

OUTSIDE_S = 3600.0
"""How long before and after its session a look may be: clocks differ, and classes run over."""

TEXT = Regexp(r"^[\x21-\x7e]+\Z", error="give letters, digits and punctuation, without spaces")


class SpanShape(Schema):
    id = fields.Integer(metadata=described("The session's number.", 12))
    course = fields.String(metadata=described("The course's code.", "MATH-101"))
    title = fields.String(metadata=described("What the session is called.", "Week 3: limits"))
    starts_at = Moment(metadata=described("Planned beginning."))
    ends_at = Moment(metadata=described("Planned end."))
    looks = fields.Integer(metadata=described("Looks stored so far.", 60))
    now = Moment(metadata=described("The portal's time, to set a clock by."))


def box_field(description: str) -> fields.List[Any]:
    return fields.List(
        fields.Integer(strict=True, validate=Range(-100_000, 100_000)),
        required=True,
        validate=Length(equal=4),
        metadata=described(f"{description}: x1, y1, x2, y2; x2 and y2 lie one past it.", [10, 20, 110, 140]),
    )


class CropShape(Schema):
    image = fields.String(
        required=True,
        validate=Length(1, 3_000_000),
        metadata=described("A JPEG file in base64 of the head and what is around it.", format="byte"),
    )
    box = box_field("The face within the crop, in pixels")


class FaceShape(Schema):
    track = fields.String(
        required=True,
        validate=(Length(1, 48), TEXT),
        metadata=described("Names who sits in a tile, from coming to leaving, whoever it is.", "t7"),
    )
    tile = box_field("The tile, in pixels of the frame")
    box = box_field("The head, in pixels of the frame")
    crop = fields.Nested(
        CropShape,
        load_default=None,
        allow_none=True,
        metadata=described("Null where the agent does not ask who this is."),
    )
    spot_check = fields.Boolean(
        load_default=False, metadata=described("A face with a name, verified at random.")
    )
    succeeds = fields.String(
        load_default=None,
        allow_none=True,
        validate=(Length(1, 48), TEXT),
        metadata=described("The track that was in this place at the look before and looked different."),
    )
    cue = fields.String(
        load_default=None,
        allow_none=True,
        validate=OneOf(CUES),
        metadata=described("What is odd about the tile's picture; null: nothing."),
    )
    repeats = fields.Boolean(load_default=False, metadata=described("Asked about in this pose before."))


class LookShape(Schema):
    uid = fields.String(
        required=True,
        validate=(Length(1, 36), TEXT),
        metadata=described(
            "Chosen by the agent. The same look sent again has the same and is stored once.", "9f0c…"
        ),
    )
    began_at = Moment(required=True, metadata=described("The first frame of the look."))
    taken_at = Moment(required=True, metadata=described("The last frame of the look."))
    trigger = fields.String(
        required=True, validate=OneOf(TRIGGERS), metadata=described("Why faces are asked about.", "headcount")
    )
    headcount = fields.Integer(
        required=True,
        strict=True,
        validate=Range(0, MOST_FACES),
        metadata=described("Heads that were counted.", 14),
    )
    faces = fields.List(
        fields.Nested(FaceShape),
        required=True,
        validate=Length(max=MOST_FACES),
        metadata=described("Each head that has a track."),
    )

    @validates_schema
    def _whole(self, look: Mapping[str, Any], **kwargs: Any) -> None:
        del kwargs
        tracks = [face["track"] for face in look["faces"]]
        if len(set(tracks)) != len(tracks):
            raise ValidationError("two faces have the same track", "faces")
        if len(tracks) > look["headcount"]:
            raise ValidationError("there are more faces than heads", "headcount")
        if sum(face["crop"] is not None for face in look["faces"]) > MOST_CROPS:
            raise ValidationError(f"there are more than {MOST_CROPS} crops", "faces")
        if look["taken_at"] < look["began_at"]:
            raise ValidationError("it is before began_at", "taken_at")


class ReceiptShape(Schema):
    uid = fields.String(metadata=described("Of the look."))
    headcount = fields.Integer()
    identified = fields.Integer(metadata=described("Heads with a name.", 13))
    unknown = fields.Integer(  # type: ignore[assignment]
        metadata=described("Heads without one.", 1)
    )
    searches = fields.Integer(metadata=described("Faces sent to an engine.", 2))
    paid = fields.Integer(metadata=described("Of these, searches that a provider bills.", 0))
    embedded = fields.Integer(metadata=described("Faces that went through the network here.", 2))
    names = fields.Dict(metadata=described("Track to the student's name."))
    guests = fields.Dict(metadata=described("Track to a guest's name."))
    wanted = fields.List(
        fields.String(), metadata=described("Tracks whose face should be shown at the next look.")
    )
    continues = fields.Dict(
        metadata=described("Track to the one it succeeded, where both are the same person.")
    )


@part.at("GET", f"/sessions/{SESSION}/observations", "observations")
@part.gives(SpanShape)
def span(session_id: int) -> dict[str, Any]:
    """What an agent needs to know before it looks."""
    line = _line(session_id)
    return {
        "id": line.id,
        "course": line.course,
        "title": line.title,
        "starts_at": line.starts_at,
        "ends_at": line.ends_at,
        "looks": line.looks,
        "now": desk().now(),
    }


@part.at("POST", f"/sessions/{SESSION}/observations", "observations", MAX_LOOK_BYTES)
@part.takes(LookShape)
@part.gives(ReceiptShape, words="What came of the look. Once this is answered, the look is stored durably.")
def take(look: Mapping[str, Any], session_id: int) -> dict[str, Any]:
    """Take in a look: recognise the faces that are asked about, and store it."""
    line = _line(session_id)
    early = (line.starts_at - look["began_at"]).total_seconds()
    late = (look["taken_at"] - line.ends_at).total_seconds()
    if max(early, late) > OUTSIDE_S:
        raise _refused(
            "taken_at",
            f"a look at {utc_text(look['taken_at'])} is none of session {session_id}, which is from "
            f"{utc_text(line.starts_at)} to {utc_text(line.ends_at)}",
        )
    return receipt_json(recognition().take(_observation(session_id, look)))


def _line(session_id: int) -> SessionLine:
    with desk().database.reading() as reading:
        return session_line(reading, session_id)


def _observation(session_id: int, look: Mapping[str, Any]) -> Observation:
    faces, pixels = [], 0
    for number, face in enumerate(look["faces"]):
        crop = None if face["crop"] is None else _crop(face["crop"], f"faces.{number}.crop.image")
        if crop is not None:
            pixels += crop.image.shape[0] * crop.image.shape[1]
        if pixels > MAX_PIXELS:
            raise _refused("faces", f"the crops have more than {MAX_PIXELS / 1e6:.0f} megapixels together")
        faces.append(
            SeenFace(
                track=face["track"],
                tile_xyxy=_box(face["tile"]),
                box_xyxy=_box(face["box"]),
                crop=crop,
                spot_check=face["spot_check"],
                succeeds=face["succeeds"],
                cue=face["cue"],
                repeats=face["repeats"],
            )
        )
    return Observation(
        uid=look["uid"],
        session_id=session_id,
        began_at=look["began_at"],
        taken_at=look["taken_at"],
        trigger=look["trigger"],
        headcount=look["headcount"],
        faces=tuple(faces),
    )


def _crop(crop: Mapping[str, Any], where: str) -> FaceCrop:
    try:
        content = base64.b64decode(crop["image"], validate=True)
        if not content.startswith(JPEG):
            raise _refused(where, "it is no JPEG file; give one")
        check_picture(content, where, MAX_CROP_BYTES, MAX_CROP_PIXELS)
        image = decode_picture(content, where, MAX_CROP_PIXELS, formats=("JPEG",))
    except binascii.Error as error:
        raise _refused(where, "it is not base64") from error
    except PhotoError as error:
        raise _refused(where, str(error).removeprefix(f"{where} ")) from error
    x1, y1, x2, y2 = box = _box(crop["box"])
    height, width = image.shape[:2]
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise _refused(where, f"the box {list(box)} is not within its {width}×{height} pixels")
    return FaceCrop(image, box)


def _box(edges: list[int]) -> Box:
    x1, y1, x2, y2 = edges
    return x1, y1, x2, y2


def _refused(field: str, detail: str) -> ProblemError:
    return ProblemError(422, f"{field}: {detail}", errors=[{"field": field, "detail": detail}])
