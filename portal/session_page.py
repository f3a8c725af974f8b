"""The page of one session."""

from flask import render_template
from markupsafe import Markup

from db.budget import allowance, budget_of
from db.costs import search_price, session_costs
from db.report import session_report
from portal.balance import runs
from portal.desk import desk
from portal.figures import figures, is_running
from portal.prices import cost_sentence
from portal.timeline import draw_timeline

__all__ = ["SESSION", "session_page"]

# As large as the ledger's keys: a larger number is no session, not an error of the database.
SESSION = f"<int(max={2**63 - 1}):session_id>"

MOST_OPTIONS = 5000
"""Students times open reviews from which a page of lists to choose from becomes slow; each review has its own page then."""


def session_page(session_id: int) -> str:
    """Raises NotFoundError."""
    desk().follow(session_id)
    budget, price = budget_of(desk().settings), search_price(desk().settings)
    with desk().database.reading() as reading:
        report = session_report(reading, session_id)
        costs = session_costs(reading, session_id, budget.currency, price)
        cost = cost_sentence(costs, allowance(reading, budget, session_id))
    found = figures(report)
    roster = [line for line in report.students if line.enrolled]
    return render_template(
        "session.html",
        cost=cost,
        report=report,
        session=report.session,
        figures=found,
        running=is_running(report.session, desk().now()),
        # draw_timeline escapes every name it draws.
        timeline=Markup(draw_timeline(report, heading=False)),
        runs=runs(report),
        roster=roster,
        settled_here=found.open_reviews * len(roster) <= MOST_OPTIONS,
    )
