"""`gridroll roster` and `gridroll faces`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from db.people import indexed_faces
from db.settings import load_settings
from recognizer.enrolment import Enrolment, Imported
from recognizer.stores import Stores, open_stores

__all__ = ["faces", "roster"]

EXISTING_FILE = click.Path(path_type=Path)


@contextmanager
def _enrolment() -> Iterator[tuple[Enrolment, Stores]]:
    with open_stores(load_settings()) as stores:
        yield Enrolment(stores.database, stores.cache, stores.engine, stores.settings), stores


@click.group()
def roster() -> None:
    """Who is expected in a course."""


@roster.command("import")
@click.argument("course")
@click.argument("file", type=EXISTING_FILE)
@click.option("--photos", type=EXISTING_FILE, help="Folder of the photographs; the roster's own if left out.")
@click.option(
    "--consent", default="", metavar="NOTE", help="Under which text the institute holds their agreement."
)
@click.option("--time-zone", metavar="ZONE", help="The course's time zone, e.g. Europe/Berlin.")
def import_(course: str, file: Path, photos: Path | None, consent: str, time_zone: str | None) -> None:
    """Put the students of a CSV FILE on COURSE and index their faces.

    Columns: student_no,name,email,photo and, if wanted, consent. A face is indexed only where NOTE or the consent
    column says under which text the institute holds the student's agreement.
    """
    with _enrolment() as (enrolment, _), Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading photographs", total=None)
        result = enrolment.import_roster(
            course,
            file,
            photos,
            consent.strip(),
            time_zone,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    click.echo(summary(course, result))


def summary(course: str, result: Imported) -> str:
    """What an import did, in a line for each thing worth knowing."""
    known = f", {result.kept} known already" if result.kept else ""
    lines = [f"{course}: {result.students} students, {result.indexed} faces indexed{known}"]
    if result.without_consent:
        lines.append(
            f"no consent on record, so no face indexed: {', '.join(result.without_consent)}; "
            "give --consent NOTE or fill the consent column"
        )
    if result.without_photo:
        lines.append(f"no photograph: {', '.join(result.without_photo)}")
    return "\n".join(lines)


@click.group()
def faces() -> None:
    """The faces the engine knows."""


@faces.command("list")
def list_() -> None:
    """List the indexed faces."""
    with _enrolment() as (_, stores), stores.database.reading() as session:
        table = Table("student", "name", "engine", "photo", "indexed (UTC)", "face id", box=None)
        for face in indexed_faces(session):
            student, indexed = face.student, f"{face.indexed_at:%Y-%m-%d %H:%M}"
            cells = (student.student_no, student.name, face.engine, face.photo, indexed, face.face_id)
            table.add_row(*map(Text, cells))  # as they are: a name may look like the library's markup
        Console(soft_wrap=True).print(table)


@faces.command()
@click.argument("student_no")
@click.argument("photo", type=EXISTING_FILE)
@click.option("--consent", default="", metavar="NOTE", help="Needed where no agreement is on record yet.")
def add(student_no: str, photo: Path, consent: str) -> None:
    """Index one more PHOTO of the student STUDENT_NO."""
    with _enrolment() as (enrolment, _):
        click.echo(enrolment.add(student_no, photo, consent.strip()))


@faces.command()
@click.argument("student_no")
def remove(student_no: str) -> None:
    """Remove all faces of the student STUDENT_NO, here and in the engine."""
    with _enrolment() as (enrolment, _):
        click.echo(f"{enrolment.remove(student_no)} faces of {student_no} removed")


@faces.command()
@click.argument("one", type=EXISTING_FILE)
@click.argument("other", type=EXISTING_FILE)
def compare(one: Path, other: Path) -> None:
    """Say how similar the faces on two photographs are, in percent."""
    with _enrolment() as (enrolment, stores):
        similarity = enrolment.compare(one, other)
        needed = stores.settings.match_threshold_pct
        click.echo(
            f"{similarity:.1f} % ({'the same person' if similarity >= needed else 'no match'} at {needed:g} %)"
        )
