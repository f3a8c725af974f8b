"""Staff's page of one entry: what the machine says, what staff said, and the form to write over it."""

from dataclasses import replace
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from db.edits import EditConflictError, EditError
from db.entries import EntrySheet, entry_sheet, save_entry
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.entry_form import EntryForm
from portal.session_page import SESSION
from portal.sign_in import viewer
from portal.strip import draw_strip
from portal.wording import STATUSES

__all__ = ["pages"]

pages = Blueprint("entries", __name__)

ENTRY = f"/sessions/{SESSION}/entries/<string(maxlength=64):student_no>"


@pages.get(ENTRY)
@allowed(*STAFF)
def page(session_id: int, student_no: str) -> ResponseReturnValue:
    desk().follow(session_id)
    sheet = _sheet(session_id, student_no)
    return _page(sheet, EntryForm.blank(sheet))


@pages.post(ENTRY)
@allowed(*STAFF)
def save(session_id: int, student_no: str) -> ResponseReturnValue:
    sheet, form, user = _sheet(session_id, student_no), EntryForm.sent(request.form), viewer()
    assert user is not None
    handing_back = request.form.get("action") == "hand_back"
    try:
        new = form.hand_back(sheet, user.email) if handing_back else form.edit(sheet, user.email)
        desk().database.transact(partial(save_entry, new=new))
    except EditConflictError as error:
        seen, sheet = form.seen_version, _sheet(session_id, student_no)
        assert seen is not None
        return _page(sheet, replace(form, version=str(error.version)), seen=seen), 409
    except EditError as error:
        return _page(sheet, form, refused=str(error)), 400
    flash("The entry is Gridroll’s again." if handing_back else "The entry is saved.")
    return redirect(url_for(".page", session_id=session_id, student_no=student_no))


def _sheet(session_id: int, student_no: str) -> EntrySheet:
    with desk().database.reading() as reading:
        return entry_sheet(reading, session_id, student_no)


def _page(sheet: EntrySheet, form: EntryForm, refused: str = "", seen: int | None = None) -> str:
    """`seen`: the version that somebody else's edit outdated; None where nobody's did."""
    return render_template(
        "entry.html",
        sheet=sheet,
        form=form,
        refused=refused,
        others=[]
        if seen is None
        else [(sheet.said_at(edit.version - 1), edit) for edit in sheet.since(seen)],
        conflict=seen is not None,
        statuses=STATUSES,
        # draw_strip escapes every text it draws.
        strip=Markup(draw_strip(sheet.session, sheet.line)),
    )
