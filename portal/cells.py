"""Pieces of tables that a page repeats hundreds of times, made without a template: that took a third of a large class's page.

Nothing that people typed is in them, only moments and the ledger's own words.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from markupsafe import Markup, escape

from db.report import StudentLine
from portal.moments import DASH, between_joined, between_left, clock, utc_text
from portal.wording import minutes, status

__all__ = ["FILTERS", "MARKS", "badge", "mark_cells", "stay_cells"]

MARKS = {"present": "P", "late": "L", "left_early": "E", "absent": "A", "excused": "X", "unverified": "?"}
"""Status → the letter that stands for it where there is room for no more."""

BY_STAFF = "as staff said"


@cache
def badge(word: str) -> Markup:
    """A status, coloured."""
    kind = word.replace("_", "-")
    return Markup('<span class="badge-status status-{}">{}</span>').format(kind, status(word))


def mark_cells(words: Iterable[str | None]) -> Markup:
    """A student's row of letters, one for each session; None where they were not expected."""
    return Markup("".join(map(_mark_cell, words)))


@cache
def _mark_cell(word: str | None) -> Markup:
    if word is None:
        kind, letter, said, title = "mark-none", "·", "Not expected", Markup("")
    else:
        kind, letter, said = f"status-{word.replace('_', '-')}", MARKS.get(word, "?"), status(word)
        title = Markup(' title="{}"').format(said)
    return Markup(
        '<td class="mark {}"{}><span aria-hidden="true">{}</span><span class="visually-hidden">{}</span></td>'
    ).format(kind, title, letter, said)


def stay_cells(entry: StudentLine, time_zone: str) -> Markup:
    """From when until when and how long: the cells that staff and students read alike."""
    joined, left, stays = entry.joined_at, entry.last_seen_at, entry.intervals
    by_staff = entry.source == "staff"
    if by_staff and joined and (not stays or joined != stays[0].seen_from):
        came = BY_STAFF
    else:
        came = between_joined(entry.joined_after, joined, time_zone)
    if by_staff and left and (not stays or left != stays[-1].seen_to):
        went = BY_STAFF
    else:
        went = between_left(left, entry.left_before, time_zone)
    return Markup(
        f"{_moment_cell('Joined', joined, came, time_zone)}\n"
        f"  {_moment_cell('Last seen', left, went, time_zone)}\n"
        f'  <td data-label="Minutes" class="num" data-value="{entry.minutes}">{escape(minutes(entry.minutes))}</td>'
    )


def _moment_cell(label: str, moment: datetime | None, between: str, time_zone: str) -> str:
    """`between`: what looks can tell of it, or who said it."""
    if moment is None:
        return f'<td data-label="{label}" class="num half" data-value=""><span>{DASH}</span></td>'
    said = f' class="honest" title="{between}"' if between else ""
    return (
        f'<td data-label="{label}" class="num half" data-value="{utc_text(moment)}">'
        f'<span{said}>{clock(moment, time_zone)}</span> <span class="between">{between}</span></td>'
    )


FILTERS: dict[str, Callable[..., Any]] = {"badge": badge, "mark_cells": mark_cells, "stay_cells": stay_cells}
