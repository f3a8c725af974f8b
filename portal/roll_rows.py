"""The rows of the attendance table, made without a template, which took half of a large class's page.

What people typed (names, numbers, remarks) is escaped where it is read; all else are moments and the ledger's own words.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from flask import url_for
from markupsafe import Markup, escape

from db.report import SessionLine, StudentLine
from portal.cells import badge, stay_cells
from portal.wording import percent, source, status

__all__ = ["FILTERS", "attendance_row"]


def attendance_row(
    line: StudentLine, session: SessionLine, ticked: bool = False, visible: bool = True
) -> Markup:
    """A student's row. `visible`: the filter lets it through; a script may show the others without asking again."""
    name, number = escape(line.name), escape(line.student_no)
    path = escape(url_for("entries.page", session_id=session.id, student_no=line.student_no))
    remark = f'<span class="soft">{escape(line.remark)}</span>' if line.remark else ""
    sure = "" if line.confidence is None else line.confidence
    return Markup(
        f'<tr data-entry="{path}" data-version="{line.version}"{_words(line.status, line.said, line.machine_status)}'
        f"{'' if visible else ' hidden'}>\n"
        '  <td class="tick"><label><input class="form-check-input" type="checkbox" form="bulk" name="row"'
        f' value="{number}:{line.version}"{" checked" if ticked else ""}>'
        f'<span class="visually-hidden">Tick {name}</span></label></td>\n'
        f'  <th scope="row" class="main" data-label="Name" data-value="{name}"><a href="{path}">{name}</a>{remark}</th>\n'
        f'  <td data-label="Student no" class="line nowrap soft">{number}</td>\n'
        f"  {_status_cell(line.status)}\n"
        f"  {stay_cells(line, session.time_zone)}\n"
        f'  <td data-label="Confidence" class="num" data-value="{sure}">{percent(line.confidence)}</td>\n'
        f"  {_source_cell(line.source, line.machine_status)}\n"
        f'  <td class="do"><a class="edit-row" href="{path}#edit">Edit'
        f'<span class="visually-hidden"> the entry of {name}</span></a></td>\n'
        "</tr>"
    )


@cache
def _words(said: str, by_staff: str, by_machine: str) -> Markup:
    return Markup(' data-status="{}" data-said="{}" data-machine="{}"').format(
        said, by_staff, status(by_machine).lower()
    )


@cache
def _status_cell(word: str) -> Markup:
    cell = Markup('<td data-label="Status" class="aside" data-value="{}">{}</td>')
    return cell.format(status(word), badge(word))


@cache
def _source_cell(word: str, by_machine: str) -> Markup:
    hint = Markup('<span class="soft hint">Gridroll says {}</span>').format(status(by_machine).lower())
    cell = Markup('<td data-label="Source" data-value="{}">{}{}</td>')
    return cell.format(source(word), source(word), hint if word == "staff" else "")


FILTERS: dict[str, Callable[..., Any]] = {"attendance_row": attendance_row}
