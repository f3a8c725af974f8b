"""Requests and answers against botocore's model of the service."""

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

from tests.rekognition_server.faults import ServiceError

__all__ = ["answer_bytes", "error_status", "operation_model", "request_parameters"]

_DESCRIPTION = Loader().load_service_model("rekognition", "service-2")
MODEL = ServiceModel(_DESCRIPTION, "rekognition")

COMMON_ERRORS = frozenset(
    {
        "ExpiredTokenException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SerializationException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


def operation_model(target: str) -> OperationModel:
    """The operation that an `X-Amz-Target` header names."""
    prefix, _, name = target.partition(".")
    if prefix != MODEL.metadata["targetPrefix"] or name not in MODEL.operation_names:
        raise ServiceError("UnknownOperationException", f"no operation {target!r}")
    return MODEL.operation_model(name)


def request_parameters(operation: OperationModel, body: bytes) -> dict[str, Any]:
    """A request's parameters, blobs as bytes; ServiceError for what the model forbids."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", str(error)) from error
    decoded = _decoded(parameters, operation.input_shape, operation.name)
    if problems := _problems(decoded, operation.input_shape):
        raise ServiceError("ValidationException", f"{len(problems)} validation error detected: {problems[0]}")
    assert isinstance(decoded, dict)
    return decoded


def answer_bytes(operation: OperationModel, answer: dict[str, Any]) -> bytes:
    """An answer as the client parses it. AssertionError for what the model forbids: that is this server's mistake."""
    problems = _problems(answer, operation.output_shape)
    assert not problems, f"{operation.name} answers {problems}"
    return json.dumps(answer, default=_encoded).encode()


def error_status(operation: OperationModel | None, error: ServiceError) -> int:
    """The HTTP status of an error that the operation may answer with."""
    modelled = {shape.name for shape in operation.error_shapes} if operation else set()
    assert error.code in modelled | COMMON_ERRORS, f"{operation and operation.name} cannot raise {error.code}"
    # Of the shapes' attributes botocore's own class leaves this one out.
    return 500 if _DESCRIPTION["shapes"].get(error.code, {}).get("fault") else 400


def _encoded(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is not in the protocol")


def _decoded(value: Any, shape: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        if unknown := value.keys() - shape.members.keys():
            raise ServiceError("SerializationException", f"{path or shape.name} has no {sorted(unknown)}")
        return {key: _decoded(part, shape.members[key], f"{path}.{key}") for key, part in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_decoded(part, shape.member, path) for part in value]
    if kind == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ServiceError("SerializationException", f"{path}: {error}") from error
    return value


def _problems(value: Any, shape: Shape | None) -> list[str]:
    """botocore checks types, required members and minima; maxima, patterns and choices are looked at here."""
    if shape is None:
        return []
    report = ParamValidator().validate(value, shape)
    return [report.generate_report()] if report.has_errors() else list(_beyond(value, shape, shape.name))


def _beyond(value: Any, shape: Any, path: str) -> list[str]:
    limits, kind = shape.metadata, shape.type_name
    problems = []
    size = len(value) if kind in {"string", "list", "map", "blob"} else value
    if "max" in limits and size > limits["max"]:
        problems.append(f"{path} is {size}, above {limits['max']}")
    if kind == "string" and "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        problems.append(f"{path} {value!r} does not match {limits['pattern']}")
    if kind == "string" and "enum" in limits and value not in limits["enum"]:
        problems.append(f"{path} {value!r} is none of {limits['enum']}")
    if kind == "structure":
        for key, part in value.items():
            problems += _beyond(part, shape.members[key], f"{path}.{key}")
    if kind == "list":
        for part in value:
            problems += _beyond(part, shape.member, path)
    return problems
