"""Roster files: what a CSV file says of students, and all that is wrong with it."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from db.errors import RosterError
from db.names import email_faults, name_faults
from db.years import FIRST_YEAR, LAST_YEAR

__all__ = [
    "EARLIEST",
    "LATEST",
    "STUDENT_NO",
    "RosterFile",
    "RosterLine",
    "RosterProblem",
    "parse_roster",
    "read_roster",
]

COLUMNS = ("student_no", "name", "email", "photo")
OPTIONAL = ("consent", "enrolled_on")
STUDENT_NO = re.compile(r"[A-Za-z0-9_.\-:]{1,64}")
"""What a face engine takes as an external id: Amazon Rekognition's ExternalImageId has this alphabet."""

EARLIEST, LATEST = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
"""Between these, students join courses."""

DELIMITERS = ",;\t"
"""Spreadsheets of countries that write a decimal comma separate by semicolons."""


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A student as a roster file gives them. `photo`, `consent` and `enrolled_on` are empty where the file has none.

    `enrolled_on`: the ISO 8601 date from which they are expected.
    """

    student_no: str
    name: str
    email: str
    photo: str
    consent: str
    enrolled_on: str = ""


@dataclass(frozen=True, slots=True)
class RosterProblem:
    """What is wrong on a line and what to do about it. `student_no`: as it stands there, empty where there is none."""

    line: int
    student_no: str
    text: str


@dataclass(frozen=True, slots=True)
class RosterFile:
    """The lines that are good, by their number in the file, and all that is wrong with the others."""

    lines: Mapping[int, RosterLine]
    problems: tuple[RosterProblem, ...]


def read_roster(path: Path) -> list[RosterLine]:
    """Read `student_no,name,email,photo[,consent][,enrolled_on]` from a UTF-8 CSV file.

    Raises RosterError naming the line and the remedy; a roster is good as a whole or not at all.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RosterError(f"cannot read roster {path}: {error.strerror}") from error
    found = parse_roster(content, f"roster {path}")
    for problem in found.problems:
        raise RosterError(f"roster {path}, line {problem.line}: {problem.text}")
    return list(found.lines.values())


def parse_roster(content: bytes, name: str, columns: Sequence[str] = COLUMNS) -> RosterFile:
    """Read a roster to its end, whatever is wrong in it. `name`: of the file, for errors; `columns`: those it must have.

    Raises RosterError for what is no roster at all.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RosterError(
            f"{name} is not UTF-8 (byte {error.start}); save it again as 'CSV UTF-8' and import that"
        ) from error
    try:
        return _parse(text, name, columns)
    except csv.Error as error:
        raise RosterError(f"{name} is no CSV file ({error}); save it again as 'CSV UTF-8'") from error


def _parse(text: str, name: str, columns: Sequence[str]) -> RosterFile:
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    header = [title.strip().lower() for title in reader.fieldnames or ()]
    reader.fieldnames = header
    if missing := [column for column in columns if column not in header]:
        raise RosterError(
            f"{name} lacks the column {', '.join(missing)}; "
            f"its first line must be {','.join(columns)} (and may add consent)"
        )
    lines: dict[int, RosterLine] = {}
    problems: list[RosterProblem] = []
    first_seen: dict[str, int] = {}
    for row in reader:
        cells = {title: _plain(row.get(title) or "") for title in (*COLUMNS, *OPTIONAL)}
        if not any(cells.values()):
            continue
        number = cells["student_no"]
        wrong = list(_wrong(cells, None in row, first_seen.get(number)))
        if number:
            first_seen.setdefault(number, reader.line_num)
        problems += [RosterProblem(reader.line_num, number, text) for text in wrong]
        if not wrong:
            lines[reader.line_num] = RosterLine(**cells)
    if not lines and not problems:
        raise RosterError(f"{name} names no student; add a line for each")
    return RosterFile(lines, tuple(problems))


def _wrong(cells: Mapping[str, str], overlong: bool, seen_on: int | None) -> Iterator[str]:
    number = cells["student_no"]
    if not number:
        yield f"the student number is empty; give {cells['name'] or 'this student'} one"
    elif not STUDENT_NO.fullmatch(number):
        yield (
            f"student number {number!r} has characters other than letters, digits and _ . - : "
            "(at most 64); correct it"
        )
    elif seen_on is not None:
        yield f"student number {number} stands on line {seen_on} already; remove one of them"
    if overlong:
        yield "there are more cells than columns; put a name that holds a comma into double quotes"
        # What stands in which column is not known then.
        return
    who = f"student {number}" if number else "this student"
    others = (cell for column, cell in cells.items() if column not in {"name", "email"})
    if any(unicodedata.category(character) == "Cc" for cell in others for character in cell):
        yield f"a cell of {who} holds a control character; remove it"
    for fault in email_faults(cells["email"]):
        yield f"the e-mail {cells['email'][:80]!r} of {who} {fault}"
    if cells["enrolled_on"] and not _is_date(cells["enrolled_on"]):
        yield f"{cells['enrolled_on']!r} of {who} is no date; write e.g. 2026-11-20"
    elif cells["enrolled_on"] and not EARLIEST <= date.fromisoformat(cells["enrolled_on"]) <= LATEST:
        yield (
            f"the year of {cells['enrolled_on']} of {who} cannot be; write e.g. 2026-11-20, or leave it empty for "
            "from the beginning"
        )
    if not cells["name"]:
        yield f"{who} has no name; give one"
        return
    for fault in name_faults(cells["name"]):
        yield f"the name {cells['name'][:80]!r} of {who} {fault}"


def _plain(cell: str) -> str:
    """Without the apostrophe that Gridroll's own files have before what a spreadsheet would take for a formula."""
    text = cell.strip()
    return text[1:] if text[:2] in {"'=", "'+", "'-", "'@"} else text


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
