"""`gridroll demo`: a simulated class, end to end, then the portal."""

import secrets
import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import Progress

from db.accounts import add_user
from db.commands import prepare
from db.embedded_mongo import stop_left_over
from db.errors import GridrollError
from db.instructors import add_instructor
from db.people import find_course
from db.report import SessionReport, session_report
from db.settings import Settings, default_home, load_settings
from demo.cast import CAST
from demo.check import compare
from demo.classroom import COURSE, TIME_ZONE, enrol_cast, open_stage, plan_session, watch_lesson
from demo.script import LESSON
from portal.app import close_app, create_app
from portal.errors import PortalError
from portal.keeper import LedgerKeeper
from portal.passwords import hash_password
from portal.report_table import report_table
from portal.server import make_server
from portal.timeline import draw_timeline
from portal.webhooks import Courier
from recognizer.stores import Stores, open_stores
from screen_agent.live import LiveStatus
from screen_agent.preview import write_preview
from screen_agent.watcher import LookReport

__all__ = ["demo"]

MARKER = "simulated-class"
STAFF, INSTRUCTOR, STUDENT = "staff@campus.example", "teacher@campus.example", CAST[5].email


@click.command()
@click.option("--no-serve", is_flag=True, help="End after the report instead of showing the portal.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the random moments.")
@click.option("--port", type=int, default=8080, show_default=True, help="Of the portal; taken: a free one.")
def demo(no_serve: bool, seed: int, port: int) -> None:
    """Run a simulated class end to end: seen, counted, identified, stored, reported, shown in the portal."""
    console = Console()
    settings = _fresh_home(default_home().absolute() / "demo")
    prepare(settings)
    with open_stores(settings) as stores:
        starts_at = _last_morning(datetime.now(UTC))
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("Enrolling the class", total=len(CAST))
            imported = enrol_cast(
                stores, settings.home / "roster", lambda done, _: bar.update(task, completed=done)
            )
        console.print(
            f"enrolled  {imported.students} students, {imported.indexed} faces, each with a consent on record"
        )
        session_id = plan_session(stores, starts_at)
        preview = settings.home / "preview.png"
        _watch(stores, session_id, starts_at, seed, preview, console)
        with stores.database.reading() as session:
            report = session_report(session, session_id)
        timeline = settings.home / "timeline.svg"
        timeline.write_text(draw_timeline(report), encoding="utf-8")
        console.print(report_table(report))
        console.print(f"preview   {preview}\ntimeline  {timeline}", soft_wrap=True, markup=False)
        _judge(report, console)
        if not no_serve:
            _serve(settings, stores, port, console)


def _watch(
    stores: Stores, session_id: int, starts_at: datetime, seed: int, preview: Path, console: Console
) -> None:
    stage, where = open_stage()
    console.print(f"the class is shown {where}" if stage else where, soft_wrap=True, markup=False)
    ends_at = starts_at + timedelta(minutes=LESSON.minutes)
    status = LiveStatus(f"{LESSON.title} (session {session_id})", starts_at, ends_at, console)
    middle = starts_at + timedelta(seconds=sum(LESSON.stranger_s) / 2)

    def report(look: LookReport) -> None:
        status.show(look)
        if look.observation.taken_at <= middle:  # the picture worth keeping: a full class and a stranger
            write_preview(preview, look)

    try:
        with status:
            finished = watch_lesson(stores, session_id, starts_at, ends_at, stage, seed, report)
    finally:
        if stage is not None:
            stage.close()
    if not finished:
        raise GridrollError(
            f"stopped before the lesson ended; what was seen until then is in {stores.settings.home}"
        )


def _judge(report: SessionReport, console: Console) -> None:
    """Print the one line that counts; raise GridrollError where the ledger and the script disagree."""
    outcome = compare(report, LESSON)
    console.print(outcome.line, style="bold", highlight=False, soft_wrap=True)
    if outcome.problems:
        console.print("\n".join(outcome.problems), style="red", highlight=False, soft_wrap=True)
        raise GridrollError(f"the ledger differs from the simulated class in {len(outcome.problems)} points")


def _serve(settings: Settings, stores: Stores, port: int, console: Console) -> None:
    password = secrets.token_urlsafe(12)
    with stores.database.writing() as session:
        add_user(session, STAFF, "admin", hash_password(password))
        teacher = add_user(session, INSTRUCTOR, "instructor", hash_password(password))
        add_instructor(session, find_course(session, COURSE), teacher)
        add_user(session, STUDENT, "student", hash_password(password))
    app = create_app(settings, stores.database, stores.cache)
    try:
        server = make_server(app, "127.0.0.1", port)
    except PortalError:
        server = make_server(app, "127.0.0.1", 0)
    console.print(
        f"\nportal    [bold]{server.url}[/bold]\n"
        f"admin     {STAFF}\nteacher   {INSTRUCTOR}\nstudent   {STUDENT}\n"
        f"password  [bold]{password}[/bold] (for all three; Ctrl-C ends)",
        highlight=False,
    )
    try:
        with LedgerKeeper(stores.database), Courier(settings, stores.database):
            server.serve()
    finally:
        close_app(app)


def _fresh_home(folder: Path) -> Settings:
    """An empty home of the demo's own, with the embedded stores and engine whatever is configured elsewhere.

    Only a folder that an earlier demo made is emptied.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise GridrollError(f"{folder} is not empty and no demo made it; set GRIDROLL_HOME to another folder")
    if (folder / MARKER).exists() and not stop_left_over(folder / "cache"):
        raise GridrollError(
            f"another demo is using {folder}; end it first, or set GRIDROLL_HOME to another folder"
        )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True, mode=0o700)
        (folder / MARKER).touch()
    except OSError as error:
        raise GridrollError(
            f"cannot make {folder}: {error.strerror}; set GRIDROLL_HOME to another folder"
        ) from error
    return load_settings(folder, database_url="", cache_url="", engine="local")


def _last_morning(now: datetime) -> datetime:
    """The last nine o'clock in the course's time zone after which a whole lesson has passed."""
    zone = ZoneInfo(TIME_ZONE)
    today = datetime.combine(now.astimezone(zone).date(), time(9), zone)
    over = today + timedelta(minutes=LESSON.minutes) <= now
    return (today if over else today - timedelta(days=1)).astimezone(UTC)
