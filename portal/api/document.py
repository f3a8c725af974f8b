"""The description of the API in OpenAPI, the page to read it on, and the parts put together."""

from collections.abc import Callable
from typing import Any

import flask_smorest
from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields

from portal.access import STAFF, allowed
from portal.api import attendance, observations, people, reports, reviews, sessions
from portal.api.parts import ALLOWANCES, described
from portal.api.rate import Allowances
from portal.api.recognition import Recognition, put_recognition
from portal.desk import desk_of

__all__ = ["register_api", "serve_programs"]

PARTS = (sessions.part, attendance.part, reviews.part, people.part, reports.part, observations.part)

DESCRIPTION = """\
Send `Authorization: Bearer TOKEN` with each request. Admins make tokens; what one may do is in its scopes, and one that
belongs to an instructor, or is made for one course, reaches no other. Cookies are ignored here.

Times are ISO 8601. They are written in UTC and may be sent with any offset, but not without one.
Lists come in slices: follow `next` until it is null. Errors are problem details (RFC 9457).
"""

pages = Blueprint("api", __name__)


class FieldProblem(Schema):
    field = fields.String(metadata=described("Where in what was sent.", "minutes"))
    detail = fields.String(metadata=described("What is wrong with it."))


class Problem(Schema):
    type = fields.String(
        metadata=described("Always `about:blank`: the status says what kind it is.", "about:blank")
    )
    title = fields.String(metadata=described("What the status means.", "Unprocessable Entity"))
    status = fields.Integer(metadata=described("The HTTP status.", 422))
    detail = fields.String(metadata=described("What was wrong this time, and the remedy."))
    errors = fields.List(
        fields.Nested(FieldProblem), metadata=described("The fields, where it is about some.")
    )
    version = fields.Integer(metadata=described("Of the entry as it is now, where an edit came too late."))


class _Api(flask_smorest.Api):  # type: ignore[misc]
    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """Errors are answered in one place for all of the portal."""


def register_api(app: Flask, exempt: Callable[[Any], Any]) -> None:
    """Answer programs under /api/v1. `exempt`: frees a blueprint from CSRF tokens; no cookie opens these views."""
    app.config.update(
        API_TITLE="Gridroll",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION},
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        },
    )
    api = _Api(app)
    for part in PARTS:
        api.register_blueprint(part)
        exempt(part)
    app.register_blueprint(pages)
    app.extensions["gridroll-openapi"] = _tidied(api.spec.to_dict())


def serve_programs(app: Flask) -> None:
    """Count from now on how often each program asks, and let them use the engine and the stores of the app's desk."""
    app.extensions[ALLOWANCES] = Allowances()
    put_recognition(app, Recognition(desk_of(app)))


@pages.get("/api/v1/openapi.json")
@allowed(*STAFF)
def openapi() -> ResponseReturnValue:
    return jsonify(current_app.extensions["gridroll-openapi"])


@pages.get("/api/v1/docs")
@allowed(*STAFF)
def docs() -> ResponseReturnValue:
    return render_template("api/docs.html")


def _tidied(document: dict[str, Any]) -> dict[str, Any]:
    """The document with tags by their titles, problems under their own media type, and filters that nobody has to empty."""
    for operation in (
        one for item in document["paths"].values() for one in item.values() if isinstance(one, dict)
    ):
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") == "query":
                # Who tries a list out shall see all of it first.
                parameter.pop("example", None)
                parameter["schema"].pop("example", None)
    document["components"]["schemas"].pop("PaginationMetadata", None)
    document["tags"] = [{"name": part.title, "description": part.description} for part in PARTS]
    for response in document["components"]["responses"].values():
        content = response.get("content", {})
        if "application/json" in content:
            content["application/problem+json"] = content.pop("application/json")
    return document
