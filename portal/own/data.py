"""A student's data: the consent, given and withdrawn; a download of everything; the wish to be erased."""

import hashlib
import io

from flask import Blueprint, current_app, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from db.consents import consents_of
from db.erasures import LONGEST_TEXT, ErasureError, ask_for_erasure, erasures_of
from db.errors import GridrollError
from db.own_holdings import holdings_of
from db.people import find_student, record_consent
from portal.access import allowed
from portal.desk import desk
from portal.own.bundle import pack
from portal.own.person import person
from recognizer.removal import erase_face, record_withdrawal

__all__ = ["pages"]

pages = Blueprint("mine", __name__)


@pages.get("/me/data")
@allowed("student")
def page() -> ResponseReturnValue:
    return _page()


@pages.post("/me/data/consent")
@allowed("student")
def consent() -> ResponseReturnValue:
    me, text = person(), desk().settings.consent_text
    if request.form.get("agreed") != "yes":
        return _page("tick that you agree, or leave it at that", "consent"), 400
    if request.form.get("text") != _digest(text):
        return _page("the text has changed since you opened this page; read it again", "consent"), 409
    desk().database.transact(
        lambda writing: record_consent(writing, find_student(writing, me.student_no), text, me.actor)
    )
    flash("Your consent is on record. You can withdraw it here at any time.")
    return redirect(url_for(".page"))


@pages.post("/me/data/withdrawal")
@allowed("student")
def withdraw() -> ResponseReturnValue:
    me = person()
    if request.form.get("understood") != "yes":
        return _page("tick that you have read what it does", "withdrawal"), 400
    record_withdrawal(desk().database, me.student_no, me.actor)
    try:
        erased = erase_face(desk().stock(), me.student_no, me.actor)
    except GridrollError as error:
        current_app.logger.error("a withdrawn consent leaves something behind: %s", error)
        return _page(
            "your withdrawal is on record, but not everything could be removed just now; try again in a few minutes",
            "withdrawal",
        ), 503
    gone = f"{_count(erased.faces, 'face')}, {_count(erased.photographs, 'photograph')} and "
    flash(f"Your consent is withdrawn. Removed: {gone}{_count(erased.crops, 'picture')} from classes.")
    return redirect(url_for(".page"))


@pages.get("/me/data/download")
@allowed("student")
def download() -> ResponseReturnValue:
    me, now = person(), desk().now()
    file = pack(desk().database, desk().backroom.archive, me.student_id, now)
    name = f"gridroll-my-data-{now:%Y-%m-%d}.zip"
    answer = send_file(file, mimetype="application/zip", as_attachment=True, download_name=name)
    answer.content_length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return answer


@pages.post("/me/data/erasure")
@allowed("student")
def ask() -> ResponseReturnValue:
    me, text = person(), request.form.get("text", "")
    if request.form.get("sure") != "yes":
        return _page("tick that you want everything about you erased", "erasure", text), 400
    try:
        desk().database.transact(lambda writing: ask_for_erasure(writing, me.student_id, text, me.actor))
    except ErasureError as error:
        return _page(str(error), "erasure", text), 400
    flash("Your request is with the staff. What they decide appears here.")
    return redirect(url_for(".page", _anchor="erasure"))


def _page(refused: str = "", where: str = "", text: str = "") -> str:
    me = person()
    with desk().database.reading() as reading:
        consents = consents_of(reading, me.student_id)
        on_record = find_student(reading, me.student_no).email
        holdings = holdings_of(reading, me.student_id)
        wishes = erasures_of(reading, me.student_id)
    held = [one for one in consents if one.withdrawn_at is None]
    offered = desk().settings.consent_text
    return render_template(
        "own/data.html",
        me=me,
        on_record=on_record,
        offered=offered,
        offered_digest=_digest(offered),
        held=held,
        withdrawn=next((one for one in consents if one.withdrawn_at is not None), None),
        agreed_to_this=any(one.note == offered for one in held),
        holdings=holdings,
        wishes=wishes,
        waiting=any(one.outcome is None for one in wishes),
        longest=LONGEST_TEXT,
        refused=refused,
        where=where,
        text=text,
        zone="UTC",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
