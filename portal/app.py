"""The portal as a WSGI application."""

from flask import Flask, g
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from db.database import Database
from db.face_cache import FaceCache
from db.settings import Settings
from portal import (
    accounts,
    admin,
    balance,
    calendars,
    cells,
    courses,
    dashboard,
    entries,
    entry_words,
    erasures,
    faces,
    front,
    history,
    login,
    look_words,
    looks,
    moments,
    pictures,
    queue,
    reports,
    review_words,
    reviews,
    roll_rows,
    roster,
    sessions,
    students,
    webhooks,
    wording,
)
from portal.access import guard
from portal.admin import Office, put_office
from portal.api import MAX_LOOK_BYTES, register_api, serve_programs
from portal.backroom import Backroom
from portal.bodies import limit_bodies
from portal.courses import words as course_words
from portal.desk import Desk, desk_of, put_desk
from portal.error_pages import show_errors
from portal.form_texts import refuse_control_characters
from portal.headers import add_headers
from portal.navigation import places
from portal.own import data, record
from portal.paths import CodeConverter
from portal.secret import load_secret_key
from portal.sign_in import watch_sign_ins

__all__ = ["close_app", "create_app", "furnish", "public_url"]

PARTS = (
    front,
    login,
    dashboard,
    sessions,
    looks,
    entries,
    reviews,
    courses,
    roster,
    calendars,
    students,
    faces,
    pictures,
    queue,
    reports,
    history,
    admin,
    record,
    data,
    erasures,
    webhooks,
)
"""Each with its pages."""

MAX_BODY_BYTES = 256 * 1024
"""Nothing but small forms is sent to a view that does not say that it takes more."""


def create_app(settings: Settings, database: Database, cache: FaceCache | None = None) -> Flask:
    """Make the portal. The caller keeps the database and the cache and closes them after the last request.

    What the portal itself opened is closed by `close_app`.

    Raises PortalError where the key file in `settings.home` cannot be used.
    """
    app = Flask("portal")
    furnish(app, settings, database, cache)
    if settings.portal_proxies:
        believed = settings.portal_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=believed, x_proto=believed, x_host=0)  # type: ignore[method-assign]
    add_headers(app)
    show_errors(app)
    watch_sign_ins(app)
    # The guard comes before the CSRF check: who may not do a thing need not hear that the form was stale.
    guard(app)
    limit_bodies(app)
    csrf = CSRFProtect(app)
    refuse_control_characters(app)
    app.url_map.converters["course"] = CodeConverter
    for part in PARTS:
        app.register_blueprint(part.pages)
    for blueprint in accounts.pages:
        app.register_blueprint(blueprint)
    register_api(app, csrf.exempt)
    for words in (
        moments,
        wording,
        cells,
        roll_rows,
        entry_words,
        review_words,
        look_words,
        course_words,
        balance,
        queue,
    ):
        app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    account = "account.page" if "account.page" in app.view_functions else None
    app.context_processor(lambda: {"viewer": g.get("viewer"), "places": places, "account_endpoint": account})
    return app


def furnish(app: Flask, settings: Settings, database: Database, cache: FaceCache | None = None) -> None:
    """Give a portal its settings and stores, in the place of those it had. Raises as `create_app` does."""
    app.config.update(
        SECRET_KEY=load_secret_key(settings.home / "portal.key"),
        # Browsers take a cookie of this prefix from nobody but this host, and over HTTPS only.
        SESSION_COOKIE_NAME="__Host-gridroll" if settings.portal_https else "gridroll",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.portal_https,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        # What the server takes before the portal, which knows the limit of each address, says what is wrong.
        LARGEST_BODY=2 * MAX_LOOK_BYTES,
        # As long as the sign-in: a page left open over lunch can still be sent.
        WTF_CSRF_TIME_LIMIT=None,
        # The token does it; who sends no Referer, for privacy, may use the portal as well. The cookie's prefix keeps other
        # hosts of the same domain from planting one.
        WTF_CSRF_SSL_STRICT=False,
        PUBLIC_URL=public_url(settings),
    )
    put_desk(app, Desk(settings, database, Backroom(settings, database), cache))
    put_office(app, Office(settings, database))
    serve_programs(app)


def close_app(app: Flask) -> None:
    """Close what the portal opened by itself, after its last request."""
    office: Office = app.extensions["gridroll_office"]
    office.close()
    desk_of(app).errands.close()
    desk_of(app).backroom.close()


def public_url(settings: Settings, listens_at: str = "") -> str:
    """Where people reach the portal, for links that leave it. `listens_at`: the address of a server that runs."""
    if settings.portal_url or listens_at:
        return settings.portal_url or listens_at
    host = f"[{settings.portal_host}]" if ":" in settings.portal_host else settings.portal_host
    return f"{'https' if settings.portal_https else 'http'}://{host}:{settings.portal_port}"
