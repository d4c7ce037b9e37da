"""Refusals of the API: application/problem+json (RFC 9457), never a page and never a traceback."""

from http import HTTPStatus

import orjson
from flask import Response

MIMETYPE = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    reference: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A refusal as another system reads it.

    Args:
        field: whose value is not accepted.
        reference: under which the operator finds the traceback in the log.
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        body["field"] = field
    if reference is not None:
        body["reference"] = reference
    return Response(orjson.dumps(body), status, headers=headers, mimetype=MIMETYPE)
