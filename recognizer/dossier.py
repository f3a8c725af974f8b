"""What an engine made of two knows of a tracked face: the template it hands out."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass

from recognizer.errors import EngineError

__all__ = ["Dossier"]

VERSION = 1
MAX_BYTES = 65_536
"""No engine's template comes near; it is kept for every face that is not settled."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """After `looks` looks: the templates of both engines, and how often the second one was `asked`.

    `stranger`: engine and model that said that this is nobody of the roster; None: nobody has said so.
    """

    looks: int = 0
    asked: int = 0
    local: bytes | None = None
    remote: bytes | None = None
    stranger: tuple[str, str] | None = None

    def to_bytes(self) -> bytes:
        """Raises EngineError where the engines' templates are too large to be kept."""
        held = {
            "version": VERSION,
            "looks": self.looks,
            "asked": self.asked,
            "local": _text(self.local),
            "remote": _text(self.remote),
            "stranger": self.stranger,
        }
        template = json.dumps(held, separators=(",", ":")).encode()
        if len(template) > MAX_BYTES:
            raise EngineError(f"a template of {len(template)} bytes cannot be kept; at most {MAX_BYTES} fit")
        return template

    @staticmethod
    def from_bytes(template: bytes | None) -> "Dossier":
        """Read a template; None: no look yet. Raises EngineError for one that another engine or version made."""
        if template is None:
            return Dossier()
        try:
            if len(template) > MAX_BYTES:
                raise ValueError("too large")
            held = json.loads(template)
            if held["version"] != VERSION:
                raise ValueError(f"version {held['version']}")
            looks, asked, said = int(held["looks"]), int(held["asked"]), held["stranger"]
            if looks < 1 or asked < 0:
                raise ValueError(f"{looks} looks, asked {asked} times")
            stranger = None if said is None else (str(said[0]), str(said[1]))
            return Dossier(looks, asked, _bytes(held["local"]), _bytes(held["remote"]), stranger)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise EngineError(
                f"a template of {len(template)} bytes is not this engine's; start the session's watch again"
            ) from error


def _text(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode("ascii")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
