"""`gridroll report`, `gridroll costs`, `gridroll serve` and `gridroll user`."""

import json
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from db.accounts import ROLES, add_user, find_user, set_active, set_password
from db.actor import at_keyboard
from db.budget import allowance, budget_of, month_of
from db.costs import month_costs, search_price, session_costs
from db.database import Database, open_database
from db.errors import NotFoundError, StoreError
from db.evidence.sweeping import sweeping
from db.face_cache import FaceCache, open_cache
from db.ledger import catch_up
from db.proof.settings_trail import note_settings
from db.report import SessionReport, session_report
from db.second_factors import remove_second_factor
from db.sessions import find_session
from db.settings import Settings, load_settings
from portal.cost_sheet import cost_table
from portal.output import write, write_file
from portal.passwords import SHORTEST, hash_password
from portal.report_table import report_table, report_text

__all__ = ["costs", "report", "serve", "user"]

NEW_FILE = click.Path(path_type=Path)


def _database() -> closing[Database]:
    return closing(open_database(load_settings().resolved_database_url))


@click.command()
@click.argument("session_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "json", "csv", "xlsx"]),
    default="table",
    show_default=True,
)
@click.option("--output", type=NEW_FILE, metavar="FILE", help="Write to FILE instead of standard output.")
@click.option("--timeline", type=NEW_FILE, metavar="FILE.svg", help="Also draw who was there when.")
def report(session_id: int, kind: str, output: Path | None, timeline: Path | None) -> None:
    """The attendance of session ID."""
    if kind == "xlsx" and output is None and sys.stdout.isatty():
        raise click.UsageError("a workbook is no text for a terminal; name a file with --output")
    with _database() as database:
        catch_up(database, session_id)
        with database.reading() as reading:
            found = session_report(reading, session_id)
    if timeline is not None:
        from portal.timeline import draw_timeline

        write_file(timeline, draw_timeline(found).encode())
    if kind == "table" and output is None:
        Console(highlight=False).print(report_table(found))
        return
    write(_content(found, kind), output)


def _content(found: SessionReport, kind: str) -> bytes:
    # Imported here: a table in the terminal does not wait for the workbook library.
    from portal.report_files import as_csv, as_json, as_xlsx

    match kind:
        case "json":
            return (json.dumps(as_json(found), ensure_ascii=False, indent=2) + "\n").encode()
        case "csv":
            return as_csv(found).encode()
        case "xlsx":
            return as_xlsx(found)
    return report_text(found).encode()


@click.command()
@click.option(
    "--session", "session_id", type=click.IntRange(1, 2**63 - 1), metavar="ID", help="Of one session."
)
@click.option("--month", metavar="YYYY-MM", help="Of one calendar month (UTC); the current one if left out.")
@click.option(
    "--format", "kind", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
def costs(session_id: int | None, month: str | None, kind: str) -> None:
    """What a provider was asked for, what that cost, and what is left of the budgets."""
    if session_id is not None and month is not None:
        raise click.UsageError("--session and --month exclude each other")
    settings = load_settings()
    budget, price, current = budget_of(settings), search_price(settings), month_of(datetime.now(UTC))
    with _database() as database, database.reading() as reading:
        if session_id is not None:
            found = session_costs(reading, session_id, budget.currency, price)
            row = find_session(reading, session_id)
            title = f"Costs of session {session_id}: {row.title}"
            scopes: list[str | int] = [session_id, current]
        else:
            found = month_costs(reading, month or current, budget.currency, price)
            title, scopes = f"Costs of {month or current} (UTC)", [month or current]
        allowances = [allowance(reading, budget, scope) for scope in scopes]
    if kind == "table":
        Console(highlight=False, soft_wrap=True).print(cost_table(title, found, allowances))
        return
    # Imported here: a table in the terminal does not wait for the workbook library.
    from portal.cost_files import cost_csv, cost_json

    if kind == "json":
        click.echo(json.dumps(cost_json(found, allowances), ensure_ascii=False, indent=2))
    else:
        click.echo(cost_csv(found), nl=False)


@click.command()
@click.option("--host", metavar="H", help="Address to listen on; the setting portal_host if left out.")
@click.option(
    "--port", metavar="P", type=click.IntRange(0, 65535), help="0 takes a free port; else portal_port."
)
def serve(host: str | None, port: int | None) -> None:
    """Run the portal until Ctrl-C or SIGTERM."""
    from portal.accounts.setup import offer_setup
    from portal.app import close_app, create_app, public_url
    from portal.keeper import LedgerKeeper
    from portal.server import answer_evenly, make_server
    from portal.webhooks import Courier
    from portal.workers import Workers

    settings = load_settings()
    with _database() as database, _cache(settings) as cache, LedgerKeeper(database):
        note_settings(database, settings, at_keyboard())
        app = create_app(settings, database, cache)
        server = make_server(
            app,
            settings.portal_host if host is None else host,
            settings.portal_port if port is None else port,
        )
        signal.signal(signal.SIGTERM, _leave)
        app.config["PUBLIC_URL"] = public_url(settings, server.url)
        click.echo(f"The portal is at {server.url} (stop it with Ctrl-C)")
        if setup := offer_setup(app):
            click.echo(
                f"Nobody can sign in yet. Make the first admin at {app.config['PUBLIC_URL'].rstrip('/')}{setup}"
            )
        sys.stdout.flush()
        answer_evenly()
        try:
            with (
                sweeping(settings, database),
                Courier(settings, database),
                Workers(app, settings.portal_workers),
            ):
                server.serve()
        finally:
            close_app(app)
    click.echo("The portal has stopped.")


@contextmanager
def _cache(settings: Settings) -> Iterator[FaceCache | None]:
    """The face cache; None where it cannot be opened, for the portal works without."""
    try:
        cache = open_cache(settings.cache_url, settings.home / "cache")
    except StoreError as error:
        click.echo(f"gridroll: {error}; until the next start, verdicts hold for their session only", err=True)
        yield None
        return
    try:
        yield cache
    finally:
        cache.close()


def _leave(number: int, frame: object) -> NoReturn:
    del number, frame
    raise SystemExit(0)


@click.group()
def user() -> None:
    """Who may sign in to the portal."""


REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for those who read it later.")
GENERATE = click.option("--generate", is_flag=True, help="Make a random password and print it.")


@user.command()
@click.argument("email")
@click.option("--role", type=click.Choice(ROLES), required=True)
@GENERATE
def add(email: str, role: str, generate: bool) -> None:
    """Make an account for EMAIL. Without a terminal, the password is the first line of standard input."""
    with _database() as database:
        password = _password(generate)
        password_hash = hash_password(password)
        with database.writing() as writing:
            made = add_user(writing, email, role, password_hash, at_keyboard())
    click.echo(f"{made.email} can sign in as {role}.")
    if generate:
        click.echo(password)


@user.command("password")
@click.argument("email")
@GENERATE
def password_(email: str, generate: bool) -> None:
    """Change the password of EMAIL and end all sign-ins that used the old one."""
    with _database() as database:
        with database.reading() as reading:
            if find_user(reading, email) is None:
                raise NotFoundError(f"there is no user {email!r}; 'gridroll user add' makes one")
        password = _password(generate)
        password_hash = hash_password(password)
        with database.writing() as writing:
            found = find_user(writing, email)
            if found is None:
                raise NotFoundError(f"there is no user {email!r} any more")
            set_password(writing, found, password_hash, at_keyboard())
    click.echo(f"The password of {found.email} is changed.")
    if generate:
        click.echo(password)


@user.command()
@click.argument("email")
@REASON
def deactivate(email: str, reason: str) -> None:
    """Let EMAIL sign in no more, and end their sign-ins; what they did stays theirs."""
    _set_active(email, False, reason)


@user.command()
@click.argument("email")
@REASON
def activate(email: str, reason: str) -> None:
    """Let EMAIL sign in again."""
    _set_active(email, True, reason)


@user.command("second-factor")
@click.argument("email")
@click.option("--remove", is_flag=True, help="Let them sign in with the password only.")
@REASON
def second_factor(email: str, remove: bool, reason: str) -> None:
    """Say whether EMAIL signs in with a code as well, or take that back for who lost their phone."""
    with _database() as database, database.writing() as writing:
        found = find_user(writing, email)
        if found is None:
            raise NotFoundError(f"there is no user {email!r}; 'gridroll user add' makes one")
        removed = remove and remove_second_factor(writing, found, at_keyboard(), reason.strip())
        has_factor = found.totp_secret is not None
    if removed:
        click.echo(f"{found.email} signs in with the password only.")
    else:
        what = "a password and a code" if has_factor else "the password only"
        click.echo(f"{found.email} signs in with {what}{', as before' if remove else ''}.")


def _set_active(email: str, active: bool, reason: str) -> None:
    with _database() as database, database.writing() as writing:
        found = find_user(writing, email)
        if found is None:
            raise NotFoundError(f"there is no user {email!r}; 'gridroll user add' makes one")
        changed = set_active(writing, found, active, at_keyboard(), reason.strip())
    state = "can" if active else "can no longer"
    click.echo(f"{found.email} {state} sign in{'.' if changed else ', as before.'}")


def _password(generate: bool) -> str:
    if generate:
        return secrets.token_urlsafe(12)
    if sys.stdin.isatty():
        typed: str = click.prompt(
            f"Password (at least {SHORTEST} characters)",
            hide_input=True,
            confirmation_prompt=True,
            default="",
            show_default=False,
        )
        return typed
    return sys.stdin.readline().rstrip("\r\n")
