"""Photographs in folders: which file is whose, and none from outside the folder."""

from collections.abc import Collection, Iterator
from pathlib import Path

from recognizer.errors import PhotoError, RecognizerError

__all__ = ["contained", "photos_in", "printable"]

PICTURES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif")
)
"""What people hand in as a photograph. Not all of them can be opened; those that cannot are refused by name."""


UNREADABLE = "The photo cannot be read: hand it in again."


def contained(folder: Path, name: str) -> Path:
    """The file of that name within the folder. Raises PhotoError for one that lies elsewhere, by a link too."""
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise PhotoError(f"{name!r} is no file name in {folder} ({error}); correct it", UNREADABLE) from error
    if not inside:
        raise PhotoError(
            f"{name} lies outside the folder {folder}; put the photograph into the folder", UNREADABLE
        )
    return folder / name


def printable(name: object) -> str:
    """A file's name as it can be printed, stored and written: one may hold line ends, escapes or bytes of no text."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(name)
    )


def photos_in(folder: Path, student_nos: Collection[str]) -> Iterator[tuple[str | None, str]]:
    """Each picture in a folder, by name, with the student number it is for: (number or None, path in the folder).

    A file is for the longest number that its name begins with and that no letter or digit follows: `S12.jpg`,
    `S12_2.jpg` and `S12 front.png` are all S12's. A subfolder named like a number holds that student's. Other kinds of
    file and hidden ones are passed over.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise RecognizerError(f"cannot read the folder {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            owner = entry.name if entry.name in student_nos else None
            for file in sorted(entry.rglob("*")):
                if _is_picture(file):
                    yield owner, str(file.relative_to(folder))
        elif _is_picture(entry):
            yield _owner(entry.stem, student_nos), entry.name


def _owner(stem: str, student_nos: Collection[str]) -> str | None:
    beginnings = (
        stem[:length] for length in range(len(stem), 0, -1) if not stem[length : length + 1].isalnum()
    )
    return next((beginning for beginning in beginnings if beginning in student_nos), None)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and not path.is_dir()
