"""What open pages ask for again every few seconds: parts of themselves, sent only when they changed."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, request

__all__ = ["live_answer"]


def live_answer(parts: Mapping[str, str], **more: Any) -> Response:
    """`parts`: HTML by the id of the element it fills. 304 where the asker has just that already."""
    response = make_response(json.dumps({"parts": parts, **more}, ensure_ascii=False))
    response.headers["Content-Type"] = "application/json"
    response.add_etag()
    response.make_conditional(request)
    return response
