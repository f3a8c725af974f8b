"""A student's data as a ZIP file: tables as JSON and CSV, and their photographs and pictures."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from db.database import Database
from db.errors import EvidenceError, NotFoundError
from db.evidence import Archive
from db.own_crops import OwnCrop, own_crops
from db.own_data import OwnData, own_data
from portal.moments import utc_text
from portal.report_files import safe_text

__all__ = ["MOST_PICTURE_BYTES", "pack"]

IN_MEMORY_BYTES = 4 * 2**20
"""What is larger waits on the disk until it is sent."""

MOST_PICTURE_BYTES = 64 * 2**20
"""Pictures of thousands of looks; whoever has more is told which are left out."""

README = """\
What Gridroll holds about {name} ({student_no}), as of {now}.

data.json           everything below in one file
*.csv               the same, one table each; they open in any spreadsheet
photographs/        the photographs you were enrolled with
pictures/           small pictures of your face from classes, each named by when it was taken (UTC)

Times are UTC. "recognitions" lists when a face was compared with yours and how alike the two were; it was named as you where
the verdict says so. Why you were excused is in "excuses", as staff wrote it down. What else staff wrote as reasons and remarks to
each other, and who of them did what, is not in here, nor anything about others. The numbers that are computed from your photographs stay with the program that compares them; they
cannot be read as a picture, and are removed when you withdraw your consent.
{left_out}"""


def pack(database: Database, archive: Archive, student_id: int, now: datetime) -> IO[bytes]:
    """The ZIP file, to be read from its beginning; closing it removes it. Raises the stores' errors."""
    with database.reading() as reading:
        data = own_data(reading, student_id)
        crops = own_crops(reading, student_id)
    pictures = [
        *(
            (f"photographs/{one['id']}.jpg", one["bytes"], one["id"], True)
            for one in data.tables["photographs"]
        ),
        *(
            (
                f"pictures/session-{one.session_id}/{one.taken_at:%Y-%m-%dT%H%M%S}-{one.id}.jpg",
                one.bytes,
                one.id,
                False,
            )
            for one in crops
        ),
    ]
    file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - whoever sends it closes it
    try:
        left_out, size = [], 0
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archived:
            for name, table in _texts(data, _table(crops)):
                archived.writestr(_entry(name, now), table)
            for name, length, key, is_photo in pictures:
                size += length
                if size > MOST_PICTURE_BYTES:
                    left_out.append(name)
                    continue
                try:
                    content = archive.read_photo(key) if is_photo else archive.read(key)
                except (NotFoundError, EvidenceError):
                    # Expired while this went on, or damaged: the rest is still theirs.
                    left_out.append(name)
                    continue
                archived.writestr(_entry(name, now, zipfile.ZIP_STORED), content)
            archived.writestr(_entry("README.txt", now), _readme(data, left_out, now))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _table(crops: list[OwnCrop]) -> list[dict[str, Any]]:
    return [
        {
            "session": one.session_id,
            "taken_at": one.taken_at,
            "by_staff": one.by_staff,
            "similarity_pct": one.similarity_pct,
            "threshold_pct": one.threshold_pct,
            "keep_until": one.keep_until,
        }
        for one in crops
    ]


def _texts(data: OwnData, crops: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    tables = {**data.tables, "pictures": crops}
    plain = {"person": dict(data.person), **tables}
    yield "data.json", json.dumps(plain, ensure_ascii=False, indent=1, default=_plain)
    for name, rows in tables.items():
        if rows:
            yield f"{name}.csv", _csv(rows)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    # The mark by which spreadsheets know UTF-8.
    return "\ufeff" + text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return safe_text(value) if isinstance(value, str) else value


def _plain(value: Any) -> str:
    return utc_text(value) if isinstance(value, datetime) else str(value)


def _readme(data: OwnData, left_out: list[str], now: datetime) -> str:
    lines = ""
    if left_out:
        lines = (
            "\nLeft out, for they are gone or would make the file too large; ask staff for them:\n"
            + "\n".join(left_out)
        )
    return README.format(
        name=data.person["name"], student_no=data.person["student_no"], now=utc_text(now), left_out=lines
    )


def _entry(name: str, now: datetime, how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = how
    entry.external_attr = 0o600 << 16
    return entry
