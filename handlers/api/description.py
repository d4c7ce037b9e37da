"""The OpenAPI 3.1 description, made from the table of routes and the classes of the answers."""

import inspect
import re
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from handlers.api.fields import object_schema
from handlers.api.problems import MIMETYPE
from handlers.api.routes import PLACES, ROUTES, Route

PLACE = re.compile(r"<(?:int:)?(\w+)>")
SIMPLE: dict[type, dict[str, Any]] = {
    int: {"type": "integer"},
    str: {"type": "string"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    NoneType: {"type": "null"},
}
REFUSALS = {
    "401": "No token, or one that is unknown or revoked",
    "403": "The token is not good for this",
    "404": "There is no such thing, or not for this token",
    "422": "A value is not accepted; `field` names it",
    "429": "Too many calls; try again in a minute",
}
REFUSALS_OF_BODIES = {
    "400": "The body is not JSON",
    "409": "The key stands for another payment, or the bills are being paid at this moment",
    "413": "The body is too large",
    "415": "The body is not application/json",
}


def describe(base_url: str) -> dict[str, Any]:
    """The description as JSON; the same for everybody."""
    shapes: dict[str, Any] = {"Problem": _problem()}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = PLACE.sub(r"{\1}", route.rule)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mingzhang",
            "version": "1",
            "description": "Bills, payments and homes of residential communities.",
        },
        "servers": [{"url": f"{base_url}/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": shapes,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, shapes: dict[str, Any]) -> dict[str, Any]:
    about = inspect.getdoc(route.view) or ""
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": about.partition("\n")[0],
        "description": f"Takes the scope {route.scope.value}.",
        "parameters": [*_places(route), *_query(route)],
        "responses": _responses(route, shapes),
    }
    if route.body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": object_schema(route.body)}},
        }
    return operation


def _places(route: Route) -> list[dict[str, Any]]:
    found = []
    for name in PLACE.findall(route.rule):
        kind, about = PLACES[name]
        found.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": about,
                "schema": kind.schema(),
            }
        )
    return found


def _query(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": field.name,
            "in": "query",
            "required": field.is_required,
            "description": field.about,
            "schema": field.kind.schema(),
        }
        for field in route.query
    ]


def _responses(route: Route, shapes: dict[str, Any]) -> dict[str, Any]:
    answer = {
        "description": inspect.getdoc(route.answer) or "",
        "content": {"application/json": {"schema": _shape(route.answer, shapes)}},
    }
    refusal = {MIMETYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    told = REFUSALS | (REFUSALS_OF_BODIES if route.body else {})
    yes = {"200": answer, "201": answer} if route.body else {"200": answer}
    return yes | {
        status: {"description": why, "content": refusal} for status, why in sorted(told.items())
    }


def _shape(kind: Any, shapes: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; a class of answers is written down once and referred to."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    if get_origin(kind) is list:
        return {"type": "array", "items": _shape(get_args(kind)[0], shapes)}
    if get_origin(kind) is UnionType:
        return {"anyOf": [_shape(one, shapes) for one in get_args(kind)]}
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise TypeError(f"{kind} cannot be described")
    name: str = kind.__name__
    if name not in shapes:
        shapes[name] = {}  # it may refer to itself
        hints = get_type_hints(kind)
        shapes[name] = {
            "type": "object",
            "description": inspect.getdoc(kind),
            "additionalProperties": False,
            "required": [field.name for field in fields(kind)],
            "properties": {field.name: _shape(hints[field.name], shapes) for field in fields(kind)},
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A refusal (RFC 9457)",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong and how to mend it"},
            "field": {"type": "string", "description": "Whose value is not accepted"},
            "reference": {"type": "string", "description": "To name to the operator"},
        },
    }
