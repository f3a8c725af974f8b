"""The front page: everybody to where their work is."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.access import EVERYBODY, allowed
from portal.sign_in import viewer

__all__ = ["pages"]

pages = Blueprint("front", __name__)


@pages.get("/")
@allowed(*EVERYBODY)
def page() -> ResponseReturnValue:
    user = viewer()
    return redirect(url_for("dashboard.page" if user is not None and user.is_staff else "me.page"))
