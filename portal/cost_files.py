"""The bill of a session or a month as data: JSON and CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from db.budget import Allowance
from db.costs import Costs, Would
from portal.report_files import safe_text

__all__ = ["cost_csv", "cost_json"]

COLUMNS = (
    "session",
    "course",
    "title",
    "engine",
    "operation",
    "calls",
    "failed",
    "billed",
    "refused",
    "price",
    "currency",
)


def cost_json(costs: Costs, allowances: Sequence[Allowance]) -> dict[str, Any]:
    """The bill as plain values; amounts are in `currency`. The first budget is that of what the bill is about."""
    return {
        "scope": allowances[0].scope,
        "currency": costs.currency,
        "searched": costs.searched,
        "billed": costs.billed,
        "refused": costs.refused,
        "price": float(costs.price),
        "calls": [asdict(line) | {"price": float(line.price)} for line in costs.lines],
        "compared": {"every_look": _would(costs.every_look), "hourly": _would(costs.hourly)},
        "budgets": [
            {
                "scope": one.scope,
                "limit": None if one.limit is None else float(one.limit),
                "spent": float(one.account.spent),
                "held": float(one.account.held),
                "left": None if one.left is None else float(one.left),
            }
            for one in allowances
        ],
    }


def cost_csv(costs: Costs) -> str:
    """The calls as CSV, a line for each session, engine and operation."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in costs.lines:
        writer.writerow(
            (
                line.session_id or "",
                safe_text(line.course or ""),
                safe_text(line.title or ""),
                line.engine,
                line.operation,
                line.calls,
                line.failed,
                line.billed,
                line.refused,
                f"{line.price:f}",
                costs.currency,
            )
        )
    return text.getvalue()


def _would(would: Would) -> dict[str, Any]:
    return {"searches": would.searches, "price": float(would.price)}
