"""Which actions the credentials need, and whether they have them."""

from typing import Any

from recognizer.rekognition.calls import Calls
from recognizer.rekognition.errors import RekognitionError

__all__ = ["lacking_permissions"]

_NO_PICTURE = {"Bytes": b"\0"}
_NO_FACE_ID = "00000000-0000-0000-0000-000000000000"
_NO_USER = "gridroll-doctor"
_USER_FACE = {"UserId": _NO_USER, "FaceIds": [_NO_FACE_ID]}

_PROBES: dict[str, dict[str, Any]] = {
    "ListFaces": {"MaxResults": 1},
    "DeleteFaces": {"FaceIds": [_NO_FACE_ID]},
    "IndexFaces": {"Image": _NO_PICTURE},
    "DetectFaces": {"Image": _NO_PICTURE},
    "CompareFaces": {"SourceImage": _NO_PICTURE, "TargetImage": _NO_PICTURE},
}
_FACE_PROBES: dict[str, dict[str, Any]] = {"SearchFacesByImage": {"Image": _NO_PICTURE}}
_USER_PROBES: dict[str, dict[str, Any]] = {
    "SearchUsersByImage": {"Image": _NO_PICTURE},
    "AssociateFaces": _USER_FACE,
    "DisassociateFaces": _USER_FACE,
    "DeleteUser": {"UserId": _NO_USER},
}
"""Requests that nothing comes of, whoever is allowed to make them: no picture, no such face, no such user. AWS looks at
the permission first, and bills no refusal. CreateUser has no such request, and is taken to go with DeleteUser."""

_EXPECTED = frozenset(
    {"InvalidImageFormatException", "InvalidParameterException", "ResourceNotFoundException"}
)


def lacking_permissions(calls: Calls, users: bool) -> tuple[str, ...]:
    """Actions that these credentials are denied, as IAM names them. `users`: whether users are searched.

    Raises RekognitionError for what is no matter of permission: credentials that are not accepted, no connection.
    """
    denied = []
    for operation, parameters in (_PROBES | (_USER_PROBES if users else _FACE_PROBES)).items():
        try:
            calls.send(operation, **parameters)
        except RekognitionError as error:
            if error.code in {"AccessDeniedException", "AccessDenied"}:
                denied.append(f"rekognition:{operation}")
            elif error.code not in _EXPECTED:
                raise
    return tuple(denied)
