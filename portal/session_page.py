"""The page of one session, and the parts of it that are sent again."""

from typing import Any

from flask import render_template, request
from markupsafe import Markup

from db.budget import budget_of
from db.bulk_edits import MACHINE, Outcome
from db.costs import session_paid
from db.report import SessionReport, session_report
from portal.balance import runs
from portal.bulk_form import BulkForm
from portal.desk import desk
from portal.figures import figures, is_running
from portal.prices import cost_sentence
from portal.roll_filter import RollFilter
from portal.roll_rows import attendance_row
from portal.timeline import draw_timeline
from portal.wording import STATUSES

__all__ = ["SESSION", "live_parts", "roll_parts", "session_page"]

# As large as the ledger's keys: a larger number is no session, not an error of the database.
SESSION = f"<int(max={2**63 - 1}):session_id>"

MOST_ROWS = 60
"""Students up to whom the timeline is part of the page; the picture of a larger class is asked for by itself."""

MOST_OPTIONS = 5000
"""Students times open reviews from which a page of lists to choose from becomes slow; each review has its own page then."""


def session_page(
    session_id: int,
    form: BulkForm | None = None,
    refused: str = "",
    outcome: Outcome | None = None,
    undoing: bool = False,
) -> str:
    """`form`, `refused`, `outcome`: of rows that were edited together, where not all was saved; `undoing`: taken back.

    Raises NotFoundError.
    """
    desk().follow(session_id)
    report, cost = _read(session_id)
    found = figures(report)
    roster = [line for line in report.students if line.enrolled]
    shown = RollFilter.asked(request.args)
    return render_template(
        "session.html",
        report=report,
        cost=cost,
        **_figures(report),
        # draw_timeline escapes every name it draws.
        timeline=Markup(draw_timeline(report, heading=False)) if len(report.students) <= MOST_ROWS else None,
        runs=runs(report),
        roster=roster,
        settled_here=found.open_reviews * len(roster) <= MOST_OPTIONS,
        statuses=STATUSES,
        machine_word=MACHINE,
        shown=shown,
        count_shown=sum(map(shown.shows, report.students)),
        form=form or BulkForm.blank(),
        refused=refused,
        outcome=outcome,
        undoing=undoing,
    )


def live_parts(session_id: int) -> tuple[dict[str, str], int]:
    """The figures of a session by the ids of their places on its page, and how many looks there are."""
    desk().follow(session_id)
    report, cost = _read(session_id)
    told = _figures(report) | {"cost": cost}
    return {"figures": render_template("sessions/_figures.html", **told)}, len(report.looks)


def roll_parts(session_id: int, student_no: str, undo: dict[str, Any]) -> dict[str, Any]:
    """What a script puts in the place of an edited row and of the figures, and what it tells below the row."""
    report, cost = _read(session_id)
    line = next(line for line in report.students if line.student_no == student_no)
    told = _figures(report)
    return {
        "row": attendance_row(line, report.session),
        "told": render_template("sessions/_told.html", undo=undo, **told),
        "parts": {"figures": render_template("sessions/_figures.html", cost=cost, **told)},
    }


def _read(session_id: int) -> tuple[SessionReport, str | None]:
    """The session, and in words what it cost; None where no provider was wanted."""
    budget = budget_of(desk().settings)
    with desk().database.reading() as reading:
        report = session_report(reading, session_id)
        costs = session_paid(reading, session_id, budget.currency)
    return report, cost_sentence(costs, budget.per_session)


def _figures(report: SessionReport) -> dict[str, Any]:
    return {
        "session": report.session,
        "figures": figures(report),
        "running": is_running(report.session, desk().now()),
    }
