"""What every response tells the browser about its own safety."""

from flask import Flask, Response, request

from portal.desk import desk
from portal.uploads import takes_pictures

__all__ = ["add_headers"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

NO_DEVICES = "display-capture=(), geolocation=(), microphone=()"
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": f"camera=(), {NO_DEVICES}",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def add_headers(app: Flask) -> None:
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers.update(HEADERS)
    if takes_pictures(request.endpoint):
        response.headers["Permissions-Policy"] = f"camera=(self), {NO_DEVICES}"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    if desk().settings.portal_https:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
