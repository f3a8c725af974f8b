"""The bill of a session or a month for the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.budget import Allowance
from db.costs import Costs, Would
from portal.prices import money

__all__ = ["cost_table"]


def cost_table(title: str, costs: Costs, allowances: Sequence[Allowance]) -> RenderableType:
    """Heading, calls, comparison and budgets; to be printed on a rich console."""
    calls = _calls(costs) if costs.lines else Text("No provider was asked for anything.")
    budgets = (Text(_budget(allowance, costs.currency)) for allowance in allowances)
    return Group(Text(title, "bold"), Text(""), calls, Text(""), *_sentences(costs), *budgets)


def _calls(costs: Costs) -> Table:
    """A row for each session and operation; what is 0 everywhere is left out, and titles only fill the line."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    figures = {
        "Calls": [line.calls for line in costs.lines],
        "Failed": [line.failed for line in costs.lines],
        "Billed": [line.billed for line in costs.lines],
        "Refused": [line.refused for line in costs.lines],
    }
    shown = {name: counts for name, counts in figures.items() if any(counts)}
    table.add_column("Session", justify="right", no_wrap=True)
    table.add_column("Operation", no_wrap=True)
    for name in (*shown, "Price"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Title")
    for number, line in enumerate(costs.lines):
        title = "no session, as enrolling" if line.session_id is None else line.title or ""
        table.add_row(
            Text("–" if line.session_id is None else str(line.session_id)),
            Text(line.operation),
            *(f"{counts[number]:,}" for counts in shown.values()),
            money(line.price, costs.currency),
            Text(title, no_wrap=True, overflow="ellipsis"),
        )
    return table


def _sentences(costs: Costs) -> Iterator[Text]:
    if costs.lines:
        yield Text(f"{money(costs.price, costs.currency)} for {costs.billed:,} billed images.", "bold")
    if costs.refused:
        yield Text(
            f"{costs.refused:,} searches were not made because the budget was spent; those faces were left to staff.",
            "yellow",
        )
    if costs.every_look.searches:
        yield Text(
            f"{costs.searched:,} faces were searched, by one's own engine or a provider's. "
            f"Naming everybody at every look would have cost {_would(costs.every_look, costs.currency)}, "
            f"once an hour {_would(costs.hourly, costs.currency)}."
        )


def _would(would: Would, currency: str) -> str:
    return f"{money(would.price, currency)} ({would.searches:,} search{'' if would.searches == 1 else 'es'})"


def _budget(allowance: Allowance, currency: str) -> str:
    name = allowance.scope if isinstance(allowance.scope, str) else f"session {allowance.scope}"
    spent = money(allowance.account.spent, currency)
    if allowance.limit is None or allowance.left is None:
        return f"Budget of {name}: no limit, {spent} spent."
    held = allowance.account.held
    kept = f", {money(held, currency)} held back" if held else ""
    limit, left = money(allowance.limit, currency), money(allowance.left, currency)
    return f"Budget of {name}: {spent} of {limit} spent{kept}, {left} left."
