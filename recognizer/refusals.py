"""Photographs that were refused, and a report of them to work through."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from recognizer.errors import RecognizerError

__all__ = ["Refusal", "RefusalReport"]

COLUMNS = ("student_no", "name", "email", "photo", "fault", "for_staff", "for_student")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photograph that was not enrolled, and why.

    `photo`: as the roster or the folder names it. `student_no` is empty for a file that is nobody's. `for_staff` may
    name other students, `for_student` never does.
    """

    student_no: str
    name: str
    email: str
    photo: str
    fault: str
    for_staff: str
    for_student: str


class RefusalReport:
    """A CSV file that is written line by line, so that what was refused is there even if the program is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            # With a byte order mark: without it, spreadsheets take the names for another encoding.
            self._file = path.open("w", newline="", encoding="utf-8-sig")
            self._writer = csv.writer(self._file)
            self._write(COLUMNS)

    def add(self, refusal: Refusal) -> None:
        """Write a line, and see that it is on its way to the disk."""
        with self._errors():
            self._write(tuple(getattr(refusal, column) for column in COLUMNS))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, cells: tuple[str, ...]) -> None:
        # A spreadsheet would run what looks like a formula.
        self._writer.writerow([f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells])
        self._file.flush()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecognizerError(
                f"cannot write the report {self._path}: {error.strerror}; choose another file"
            ) from error
