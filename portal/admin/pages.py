"""The admins' pages."""

import re
import shutil

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.budget import Allowance, allowance, budget_of, month_of
from db.costs import Costs, month_costs, search_price
from db.due import due_sessions
from db.errors import GridrollError, StoreError
from db.proof.anchor import anchor_now
from db.proof.chain import Head, TamperedError, head_of
from db.proof.history import Wanted, history_page
from db.settings_sheet import setting_lines
from portal.access import allowed
from portal.admin.bills import bills_by_course, bills_by_session, month_after, month_before, month_words
from portal.admin.office import office
from portal.cost_files import cost_csv
from portal.desk import desk
from portal.downloads import CSV, download
from portal.history.words import history_lines
from portal.prices import money
from portal.sign_in import viewer
from portal.workers import takes_long

__all__ = ["pages"]

pages = Blueprint("admin", __name__)

SESSIONS = 100
"""The dearest sessions of a month that are listed; the file has all."""

A_PAGE = 50
PLACES = (
    ("Overview", "admin.page"),
    ("Users", "users.listing"),
    ("Agent tokens", "tokens.listing"),
    ("Webhooks", "webhooks.listing"),
    ("Costs", "admin.costs"),
    ("Settings", "admin.settings"),
    ("Audit log", "admin.audit"),
    ("Health", "admin.health"),
)


@pages.app_template_filter("without_ticks")
def without_ticks(text: str) -> str:
    """The documentation's `names` as “names”: a page has no Markdown."""
    return re.sub(r"`([^`]*)`", "“\\1”", text)


@pages.app_context_processor
def _places() -> dict[str, object]:
    return {"admin_places": PLACES, "money": money}


@pages.get("/admin")
@allowed("admin")
def page() -> ResponseReturnValue:
    now = desk().now()
    with desk().database.reading() as reading:
        budget = allowance(reading, budget_of(desk().settings), month_of(now))
        head, due = _head(reading), len(due_sessions(reading))
    return render_template(
        "admin/page.html",
        budget=budget,
        currency=desk().settings.currency,
        month=month_words(month_of(now)),
        head=head,
        due=due,
        inspection=office().inspector.last(),
        findings=office().checkup.findings,
        engine=desk().settings.engine,
        place=desk().database.shown_url,
    )


@pages.get("/admin/settings")
@allowed("admin")
def settings() -> ResponseReturnValue:
    held = desk().settings
    return render_template("admin/settings.html", lines=setting_lines(held), file=held.home / "gridroll.toml")


@pages.get("/admin/costs")
@allowed("admin")
@takes_long
def costs() -> ResponseReturnValue:
    current = month_of(desk().now())
    month, refused = request.args.get("month", "").strip() or current, ""
    try:
        found, budget = _month(month)
    except StoreError:
        raise
    except GridrollError as error:
        refused, shown = str(error), current
        found, budget = _month(current)
    else:
        shown = month
    sessions = bills_by_session(found)
    return (
        render_template(
            "admin/costs.html",
            costs=found,
            budget=budget,
            courses=bills_by_course(found),
            sessions=sessions[:SESSIONS],
            others=max(0, len(sessions) - SESSIONS),
            month=shown,
            typed=month[:40],
            words=month_words(shown),
            before=month_before(shown),
            after=month_after(shown, desk().now()),
            refused=refused,
        ),
        400 if refused else 200,
    )


@pages.get("/admin/costs.csv")
@allowed("admin")
@takes_long
def costs_file() -> ResponseReturnValue:
    month = request.args.get("month", "").strip() or month_of(desk().now())
    try:
        found, _ = _month(month)
    except StoreError:
        raise
    except GridrollError:
        return redirect(url_for(".costs", month=month))
    return download(cost_csv(found).encode("utf-8-sig"), CSV, f"costs-{month}.csv")


@pages.get("/admin/audit")
@allowed("admin")
def audit() -> Response:
    before = request.args.get("before", "")
    place = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    with desk().database.reading() as reading:
        head = _head(reading)
        found = history_page(reading, Wanted(), place, A_PAGE)
    inspection = office().inspector.last()
    subjects = {row.seq: row.subject for row in found.rows}
    answer = make_response(
        render_template(
            "admin/audit.html",
            head=head,
            inspection=inspection,
            lines=history_lines(found),
            subjects=subjects,
            actions={row.seq: row.action for row in found.rows},
            older=found.older,
            is_first=place is None,
        )
    )
    if inspection is not None and inspection.state == "running":
        answer.headers["Refresh"] = "2"
    return answer


@pages.post("/admin/audit")
@allowed("admin")
def verify() -> ResponseReturnValue:
    user = viewer()
    assert user is not None
    try:
        begun = office().inspector.start(user.email)
    except TamperedError as error:
        flash(f"The check cannot begin: {error}.")
    else:
        flash("The check has begun." if begun else "A check is under way already.")
    return redirect(url_for(".audit"))


@pages.get("/admin/audit/anchor.json")
@allowed("admin")
def anchor() -> ResponseReturnValue:
    with desk().database.reading() as reading:
        head = _head(reading)
    if head is None:
        return redirect(url_for(".audit"))
    made = anchor_now(head.seq, head.hash, desk().database.shown_url)
    return download(f"{made.to_json()}\n", "application/json", f"anchor-{made.seq}.json")


@pages.get("/admin/health")
@allowed("admin")
def health() -> Response:
    with desk().database.reading() as reading:
        due = due_sessions(reading)
    checkup = office().checkup
    answer = make_response(
        render_template(
            "admin/health.html",
            findings=checkup.findings,
            running=checkup.is_running,
            due=len(due),
            free=shutil.disk_usage(desk().settings.home).free,
            home=desk().settings.home,
            cache=desk().cache,
            place=desk().database.shown_url,
            engine=desk().settings.engine,
        )
    )
    if checkup.is_running:
        answer.headers["Refresh"] = "1"
    return answer


@pages.post("/admin/health")
@allowed("admin")
def check_health() -> ResponseReturnValue:
    if not office().checkup.start():
        flash("A check is under way already.")
    return redirect(url_for(".health"))


def _month(month: str) -> tuple[Costs, Allowance]:
    """Raises GridrollError for what is no month."""
    budget, price = budget_of(desk().settings), search_price(desk().settings)
    with desk().database.reading() as reading:
        return month_costs(reading, month, budget.currency, price), allowance(reading, budget, month)


def _head(reading: Session) -> Head | None:
    """None where the chain has lost its head, which the check says more of."""
    try:
        return head_of(reading)
    except TamperedError:
        return None
