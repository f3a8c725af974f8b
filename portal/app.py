"""The portal as a WSGI application."""

from flask import Flask, g
from flask_wtf.csrf import CSRFProtect

from db.database import Database
from db.face_cache import FaceCache
from db.settings import Settings
from portal import (
    balance,
    dashboard,
    entries,
    entry_words,
    erasures,
    faces,
    front,
    login,
    look_words,
    looks,
    moments,
    pictures,
    queue,
    review_words,
    reviews,
    sessions,
    students,
    wording,
)
from portal.access import guard
from portal.backroom import Backroom
from portal.desk import Desk, desk_of, put_desk
from portal.error_pages import show_errors
from portal.headers import add_headers
from portal.navigation import places
from portal.own import data, record
from portal.secret import load_secret_key
from portal.sign_in import watch_sign_ins
from portal.uploads import allow_uploads

__all__ = ["close_app", "create_app"]

PARTS = (
    front,
    login,
    dashboard,
    sessions,
    looks,
    entries,
    reviews,
    students,
    faces,
    pictures,
    queue,
    record,
    data,
    erasures,
)
"""Each with its pages."""

MAX_BODY_BYTES = 256 * 1024
"""Nothing but small forms is sent to the portal, but for pictures; see portal/uploads.py."""


def create_app(settings: Settings, database: Database, cache: FaceCache | None = None) -> Flask:
    """Make the portal. The caller keeps the database and the cache and closes them after the last request.

    What the portal itself opened is closed by `close_app`.

    Raises PortalError where the key file in `settings.home` cannot be used.
    """
    app = Flask("portal")
    app.config.update(
        SECRET_KEY=load_secret_key(settings.home / "portal.key"),
        # Browsers take a cookie of this prefix from nobody but this host, and over HTTPS only.
        SESSION_COOKIE_NAME="__Host-gridroll" if settings.portal_https else "gridroll",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.portal_https,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        # As long as the sign-in: a page left open over lunch can still be sent.
        WTF_CSRF_TIME_LIMIT=None,
    )
    put_desk(app, Desk(settings, database, Backroom(settings, database), cache))
    add_headers(app)
    show_errors(app)
    watch_sign_ins(app)
    # The guard comes before the CSRF check: who may not do a thing need not hear that the form was stale.
    guard(app)
    allow_uploads(app)
    CSRFProtect(app)
    for part in PARTS:
        app.register_blueprint(part.pages)
    for words in (moments, wording, entry_words, review_words, look_words, balance, queue):
        app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    account = "account.page" if "account.page" in app.view_functions else None
    app.context_processor(lambda: {"viewer": g.get("viewer"), "places": places, "account_endpoint": account})
    return app


def close_app(app: Flask) -> None:
    """Close what the portal opened by itself, after its last request."""
    desk_of(app).backroom.close()
