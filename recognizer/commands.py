"""`gridroll roster` and `gridroll faces`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from db.actor import at_keyboard
from db.people import indexed_faces
from db.settings import load_settings
from recognizer.enrolment import Enrolment, Imported
from recognizer.errors import PhotoError, RecognizerError, UnlikeError
from recognizer.rebuild import rebuild
from recognizer.refusals import Refusal, RefusalReport
from recognizer.stores import Stores, open_stores

__all__ = ["faces", "roster"]

EXISTING_FILE = click.Path(path_type=Path)
REPORT = click.option(
    "--report", type=EXISTING_FILE, metavar="CSV", help="Write the photographs that are refused to a file."
)


@contextmanager
def _enrolment() -> Iterator[tuple[Enrolment, Stores]]:
    with open_stores(load_settings()) as stores:
        yield (
            Enrolment(stores.database, stores.cache, stores.engine, stores.settings, at_keyboard()),
            stores,
        )


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
@REPORT
def import_(
    course: str, file: Path, photos: Path | None, consent: str, time_zone: str | None, report: Path | None
) -> None:
    """Put the students of a CSV FILE on COURSE and index their faces.

    Columns: student_no,name,email,photo and, if wanted, consent. A face is indexed only where NOTE or the consent
    column says under which text the institute holds the student's agreement. A photograph that is refused keeps no
    other one out.
    """
    with _enrolment() as (enrolment, _):
        _in_bulk(
            course,
            report,
            lambda told, refused: enrolment.import_roster(
                course, file, photos, consent.strip(), time_zone, told, refused
            ),
        )


def _in_bulk(
    course: str,
    report: Path | None,
    enrol: Callable[[Callable[[int, int], None], Callable[[Refusal], None]], Imported],
) -> None:
    """Enrol with a progress bar, say what was done, and list what was refused, also where the run is cut short."""
    refusals: list[Refusal] = []
    with RefusalReport(report) if report else nullcontext() as file:

        def refused(refusal: Refusal) -> None:
            refusals.append(refusal)
            if file is not None:
                file.add(refusal)

        try:
            console = Console(stderr=True)
            with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
                task = bar.add_task("Enrolling photographs", total=None)
                result = enrol(lambda done, total: bar.update(task, completed=done, total=total), refused)
        finally:
            for refusal in refusals:
                click.echo(refusal.for_staff, err=True)
    click.echo(summary(course, result))
    if refusals:
        raise _refused(len(refusals), result.indexed + result.kept, "run the same command again")


def _refused(count: int, taken: int, remedy: str) -> RecognizerError:
    photographs = "1 photograph" if count == 1 else f"{count} photographs"
    return RecognizerError(f"{photographs} refused, {taken} enrolled; correct what is listed and {remedy}")


def summary(course: str, result: Imported) -> str:
    """What an import did, in a line for each thing worth knowing."""
    known = f", {result.kept} known already" if result.kept else ""
    faces = "1 face" if result.indexed == 1 else f"{result.indexed} faces"
    students = "1 student" if result.students == 1 else f"{result.students} students"
    lines = [f"{course}: {students}, {faces} indexed{known}"]
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
@click.argument("photos", type=EXISTING_FILE, nargs=-1, required=True, metavar="PHOTO...")
@click.option("--consent", default="", metavar="NOTE", help="Needed where no agreement is on record yet.")
@click.option(
    "--confirm", is_flag=True, help="It is the student, though it does not look like their other photos."
)
@click.option(
    "--lookalike-of",
    multiple=True,
    metavar="NUMBER",
    help="It is the student, though it looks like that other one: twins, say. May be given several times.",
)
def add(
    student_no: str, photos: Sequence[Path], consent: str, confirm: bool, lookalike_of: Sequence[str]
) -> None:
    """Index one or more PHOTOs of the student STUDENT_NO."""
    refused: list[PhotoError] = []
    with _enrolment() as (enrolment, _):

        def enrol(photo: Path, confirmed: bool) -> None:
            ids = enrolment.add(student_no, photo, consent.strip(), lookalike_of, confirmed)
            click.echo(", ".join(ids))

        for photo in photos:
            try:
                try:
                    enrol(photo, confirm)
                except UnlikeError as error:
                    if not _agreed_to(error):
                        raise
                    enrol(photo, True)
            except PhotoError as error:
                if len(photos) == 1:
                    raise
                refused.append(error)
                click.echo(str(error), err=True)
    if refused:
        raise _refused(len(refused), len(photos) - len(refused), "add those again")


def _agreed_to(error: UnlikeError) -> bool:
    """Ask whoever sits at the terminal; where nobody does, nobody agrees."""
    if not sys.stdin.isatty():
        return False
    click.echo(str(error), err=True)
    return click.confirm("Is it them?", default=False, err=True)


@faces.command("enrol")
@click.argument("folder", type=EXISTING_FILE)
@click.option("--course", required=True, metavar="COURSE", help="Whose students the photographs show.")
@click.option(
    "--consent", default="", metavar="NOTE", help="Under which text the institute holds their agreement."
)
@REPORT
def enrol_(folder: Path, course: str, consent: str, report: Path | None) -> None:
    """Index the photographs in FOLDER for the students of COURSE.

    A file is for the student whose number its name begins with (S12.jpg, S12_2.jpg), and so is everything in a
    subfolder named like the number. Photographs that are enrolled already are passed over, so the command can be
    repeated at any time.
    """
    with _enrolment() as (enrolment, _):
        _in_bulk(
            course,
            report,
            lambda told, refused: enrolment.enrol_folder(course, folder, consent.strip(), told, refused),
        )


@faces.command()
@click.argument("student_no")
def remove(student_no: str) -> None:
    """Remove all faces of the student STUDENT_NO, here and in the engine."""
    with _enrolment() as (enrolment, _):
        click.echo(f"{enrolment.remove(student_no)} faces of {student_no} removed")


@faces.command("rebuild")
def rebuild_() -> None:
    """Make the cache of faces anew from the database, and say where the engine disagrees with it.

    For when the cache was lost, restored or suspected. Safe while classes are watched.
    """
    with open_stores(load_settings()) as stores:
        result = rebuild(stores.database, stores.cache, stores.engine)
    total = result.written + result.kept
    click.echo(
        f"{'1 face' if total == 1 else f'{total} faces'}: {result.written} written, {result.kept} up to date; "
        f"{result.removed} of nobody removed"
    )
    if result.only_database:
        click.echo(
            f"unknown to the engine, so never recognised: {_counted(result.only_database)}; import the roster with the "
            "photographs again"
        )
    if result.only_engine:
        click.echo(
            f"known to the engine only, so nobody's: {_counted(result.only_engine)}; 'gridroll faces remove NUMBER' takes "
            "them out, or another installation shares the collection"
        )


def _counted(numbers: Sequence[str]) -> str:
    """How many faces, and of whom; the first twenty students are named."""
    faces = "1 face" if len(numbers) == 1 else f"{len(numbers)} faces"
    students = sorted(set(numbers))
    more = f" and {len(students) - 20} more" if len(students) > 20 else ""
    return f"{faces} of {', '.join(students[:20])}{more}"


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
