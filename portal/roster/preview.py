"""What somebody was shown before they confirm it: the file and the changes, sealed, so that it cannot become another."""

import base64
import json
import zlib
from dataclasses import dataclass

from flask import current_app

from portal.secret import Box

__all__ = ["Preview"]

PURPOSE = "roster import"


@dataclass(frozen=True, slots=True)
class Preview:
    """The file that was handed in, by whom and for which course. `digest`: of the changes shown, see `db.roster`."""

    course_id: int
    user_id: int
    file: str
    content: bytes
    digest: str

    def seal(self) -> str:
        packed = base64.b64encode(zlib.compress(self.content, 6)).decode()
        return _box().seal(json.dumps([self.course_id, self.user_id, self.file, packed, self.digest]))

    @classmethod
    def unseal(cls, sealed: str) -> "Preview":
        """Raises PortalError for what this portal never sealed."""
        course_id, user_id, file, packed, digest = json.loads(_box().unseal(sealed))
        return cls(course_id, user_id, file, zlib.decompress(base64.b64decode(packed)), digest)


def _box() -> Box:
    key = current_app.config["SECRET_KEY"]
    assert isinstance(key, bytes)
    return Box(key, PURPOSE)
