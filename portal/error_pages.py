"""One place that turns errors into pages, and into problem details for programs."""

from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from db.errors import GridrollError, NotFoundError, StoreError
from portal.api.problems import http_problem, of_api, problem
from portal.errors import FormTextError, UnfinishedError
from portal.paths import safe_path

__all__ = ["show_errors"]

EXPLAINED = {
    400: ("That did not arrive whole", "Go back, load the page again and try once more."),
    401: ("Please sign in", "Your sign-in has ended. Sign in again to go on."),
    403: ("Not with this account", "This page is for people with another role."),
    404: ("Nothing here", "There is no such page, or it is not yours to see."),
    405: ("That cannot be done here", "The page exists, but not for this kind of request."),
    413: ("Too large", "What was sent is larger than the portal takes."),
    500: (
        "Something broke",
        "It is our fault and has been written to the log. Try again; if it stays, tell the operator.",
    ),
    503: (
        "The ledger is out of reach",
        "The database is busy or away. Nothing was changed; try again in a moment.",
    ),
}

STALE_FORM = (
    "This form is too old",
    "Go back, load the page again and send it once more; nothing was changed.",
)


def show_errors(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(GridrollError, _gridroll)


def _gridroll(error: GridrollError) -> ResponseReturnValue:
    if isinstance(error, NotFoundError):
        return _page(404)
    if isinstance(error, FormTextError):
        if request.accept_mimetypes.best == "application/json":
            return jsonify(refused=str(error)), 400
        return _page(400, "A character that cannot be taken", f"{error} Going back brings what you typed.")
    if isinstance(error, UnfinishedError):
        current_app.logger.error("%s", error)
        return _page(503, "Not removed yet", str(error), retry_s=5)
    if isinstance(error, StoreError) or error.transient:
        current_app.logger.error("%s", error)
        return _page(503, retry_s=5)
    current_app.logger.error("an error no view expected", exc_info=error)
    return _page(500)


def _stale_form(error: CSRFError) -> ResponseReturnValue:
    del error
    return _page(400, *STALE_FORM)


def _http(error: HTTPException) -> ResponseReturnValue:
    if of_api():
        return http_problem(error)
    response = error.get_response()
    if response.status_code < 400:
        return response
    code = error.code or InternalServerError.code
    if code == RequestEntityTooLarge.code and request.max_content_length is not None:
        limit = f"{request.max_content_length / 1e6:.1f} MB"
        return _page(
            code,
            EXPLAINED[code][0],
            f"This page takes {limit} at most. Go back and choose something smaller.",
        )
    fallback = (error.name, "Go back and try again.")
    return _page(code, *EXPLAINED.get(code, fallback))


def _page(code: int, title: str = "", advice: str = "", retry_s: int | None = None) -> ResponseReturnValue:
    headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
    if of_api():
        return problem(code, headers=headers)
    if not title:
        title, advice = EXPLAINED[code]
    wanted = safe_path(request.full_path.rstrip("?")) if request.method in {"GET", "HEAD"} else None
    return render_template("error.html", code=code, title=title, advice=advice, wanted=wanted), code, headers
