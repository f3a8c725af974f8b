"""The address of a roster."""

from flask import Blueprint

from portal.courses.blueprint import COURSE

__all__ = ["ROSTER", "pages"]

pages = Blueprint("roster", __name__)

ROSTER = f"{COURSE}/roster"
