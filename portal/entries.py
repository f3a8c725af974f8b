"""Staff's page of one entry, with what it rests on, and the edits that staff send: of one, of several, and taken back."""

from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from db.bulk_edits import Outcome, change_entries, undo_edits
from db.clues import MOST, clues_of
from db.edits import EditConflictError, EditError, NewEdit
from db.entries import EntrySheet, edit_number, entry_sheet, save_entry
from db.photos import photos_of
from portal.access import STAFF, allowed
from portal.bulk_form import BulkForm
from portal.desk import desk
from portal.entry_form import EntryForm
from portal.queue.place import number_of
from portal.session_page import SESSION, roll_parts, session_page
from portal.sign_in import Viewer, viewer
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
    """Answers with a page, or to a script with what it puts in the place of the row."""
    sheet, form, user = _sheet(session_id, student_no), EntryForm.sent(request.form), _user()
    handing_back = request.form.get("action") == "hand_back"
    in_place = request.accept_mimetypes.best == "application/json"
    try:
        new = form.hand_back(sheet, user.email) if handing_back else form.edit(sheet, user.email)
        number, overtaken = desk().database.transact(partial(_save, new=new))
    except EditConflictError as error:
        seen, sheet = form.seen_version, _sheet(session_id, student_no)
        assert seen is not None
        if in_place:
            told = render_template("sessions/_in_between.html", **_others(sheet, seen))
            return jsonify(told=told, version=error.version), 409
        return _page(sheet, replace(form, version=str(error.version)), seen=seen), 409
    except EditError as error:
        return (
            (jsonify(refused=str(error)), 400) if in_place else (_page(sheet, form, refused=str(error)), 400)
        )
    undo: dict[str, Any] = {"first": number, "last": number, "student_no": "" if in_place else student_no}
    if overtaken:
        # What holds is another edit, which is not this form's to take back.
        undo = {}
    if in_place:
        undo["text"] = f"Saved for {sheet.line.name}{' before, and changed since' if overtaken else ''}."
        return jsonify(roll_parts(session_id, student_no, undo))
    told = "The entry is Gridroll’s again." if handing_back else "The entry is saved."
    undo["text"] = "This was saved before, and the entry has been changed since." if overtaken else told
    flash(undo, "undo")  # type: ignore[arg-type]  # kept as JSON
    return redirect(url_for(".page", session_id=session_id, student_no=student_no))


@pages.post(f"/sessions/{SESSION}/entries")
@allowed(*STAFF)
def save_many(session_id: int) -> ResponseReturnValue:
    user = _user()
    try:
        form = BulkForm.sent(request.form)
        change = partial(
            change_entries,
            session_id=session_id,
            change=form.change,
            versions=form.versions,
            reason=form.reason,
            made_by=user.email,
            seed=form.uid,
        )
        outcome = desk().database.transact(change)
    except EditError as error:
        return session_page(session_id, form=BulkForm.kept(request.form), refused=str(error)), 400
    if outcome.of("conflict") or outcome.of("refused"):
        return session_page(session_id, form=form.left_of(outcome), outcome=outcome), 409
    _tell(outcome)
    return redirect(url_for("sessions.page", session_id=session_id, _anchor="attendance"))


@pages.post(f"/sessions/{SESSION}/undo")
@allowed(*STAFF)
def undo(session_id: int) -> ResponseReturnValue:
    user, student_no = _user(), request.form.get("student_no", "")
    first, last = (number_of(request.form, name) or 0 for name in ("first", "last"))
    try:
        work = partial(undo_edits, session_id=session_id, first=first, last=last, made_by=user.email)
        outcome = desk().database.transact(work)
    except EditError as error:
        return session_page(session_id, refused=str(error)), 400
    if outcome.of("conflict"):
        return session_page(session_id, outcome=outcome, undoing=True), 409
    count, since = len(outcome.of("saved")), len(outcome.of("overtaken"))
    told = "The edit is undone." if count == 1 else f"The edits of {count} students are undone."
    told = (told if count else "Nothing was changed.") + _overtaken_words(since, "undone")
    if student_no and count + since == 1:
        flash(told)
        return redirect(url_for(".page", session_id=session_id, student_no=student_no))
    flash({"text": told}, "undo")  # type: ignore[arg-type]
    return redirect(url_for("sessions.page", session_id=session_id, _anchor="attendance"))


def _save(session: Session, new: NewEdit) -> tuple[int | None, bool]:
    """Returns the number of the edit, by which it can be taken back, and whether the entry was edited since."""
    version = save_entry(session, new)
    number, next_number = (
        edit_number(session, new.session_id, new.student_no, one) for one in (version, version + 1)
    )
    return number, next_number is not None


def _tell(outcome: Outcome) -> None:
    count, same = len(outcome.of("saved")), len(outcome.of("unchanged"))
    told = (
        f"Saved for {count} {'student' if count == 1 else 'students'}." if count else "Nothing was changed."
    )
    if same:
        told += f" {same} {'says' if same == 1 else 'say'} just that already."
    told += _overtaken_words(len(outcome.of("overtaken")), "saved")
    undo = {} if outcome.edits is None else dict(zip(("first", "last"), outcome.edits, strict=True))
    flash({"text": told, **undo}, "undo")  # type: ignore[arg-type]


def _overtaken_words(count: int, done: str) -> str:
    if not count:
        return ""
    was, has = ("was", "has") if count == 1 else ("were", "have")
    return f" {count} {was} {done} before and {has} been changed since."


def _user() -> Viewer:
    user = viewer()
    assert user is not None
    return user


def _sheet(session_id: int, student_no: str) -> EntrySheet:
    with desk().database.reading() as reading:
        return entry_sheet(reading, session_id, student_no)


def _others(sheet: EntrySheet, seen: int) -> dict[str, Any]:
    """What was edited since somebody saw the entry at a version."""
    return {
        "others": [(sheet.said_at(edit.version - 1), edit) for edit in sheet.since(seen)],
        "zone": sheet.session.time_zone,
    }


def _page(sheet: EntrySheet, form: EntryForm, refused: str = "", seen: int | None = None) -> str:
    """`seen`: the version that somebody else's edit outdated; None where nobody's did."""
    with desk().database.reading() as reading:
        clues = clues_of(reading, sheet.session.id, sheet.line.student_no)
        photos = photos_of(reading, [sheet.student_id]).get(sheet.student_id, [])
    return render_template(
        "entry.html",
        sheet=sheet,
        form=form,
        refused=refused,
        conflict=seen is not None,
        statuses=STATUSES,
        # draw_strip escapes every text it draws.
        strip=Markup(draw_strip(sheet.session, sheet.line)),
        clues=clues,
        most=MOST,
        photos=photos,
        now=desk().now(),
        **({"others": []} if seen is None else _others(sheet, seen)),
    )
