"""The OpenAPI 3.1 document of the API, from the same models that check and answer.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webhooks.api import models
from webhooks.api.hook_models import HookAnswer
from webhooks.api.openapi_hooks import webhooks
from webhooks.api.openapi_links import with_links
from webhooks.api.problems import CONTENT_TYPE, STATUS
from webhooks.keys import SETTINGS

Json = dict[str, Any]

routes = web.RouteTableDef()

_REF = "#/components/schemas/{model}"
_ASKED = (
    models.NewTillCode,
    models.NewCard,
    models.NewStamps,
    models.NewUndo,
    models.NewRedemption,
)
_ANSWERED = (
    models.TillCodeAnswer,
    models.TillCodeStateAnswer,
    models.CardAnswer,
    models.CardsAnswer,
    models.LedgerAnswer,
    models.StampsAnswer,
    models.UndoAnswer,
    HookAnswer,
    models.ProblemAnswer,
)
_VOUCHER_REFUSALS = {"already_used", "card_stopped", "expired_voucher", "void_voucher"}
_ALWAYS = {"unauthorized"}
_WITH_BODY = {
    "malformed_json",
    "bad_idempotency_key",
    "too_large",
    "unsupported_media_type",
    "invalid",
    "idempotency_key_reused",
}


@routes.get("/api/v1/openapi.json")
async def show_document(request: web.Request) -> web.Response:
    """The document; it tells nothing secret, so it needs no key."""
    public_url = request.config_dict[SETTINGS].public_url
    return web.Response(
        text=_written(public_url),
        content_type="application/json",
        headers={"Cache-Control": "public, max-age=300"},
    )


def document(public_url: str) -> Json:
    """The whole document for a service that is reached at `public_url`."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Smart Stamp Card API",
            "version": version("smart-stamp-card"),
            "description": (
                "Stamp cards for tills. Every POST takes an Idempotency-Key: the same "
                "key gets its first answer again. A refusal (outcome `refused`) is an "
                "answer, not an error."
            ),
        },
        "servers": [{"url": f"{public_url}/api/v1"}],
        "security": [{"key": []}],
        "paths": with_links(_paths()),
        "webhooks": webhooks(_REF),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A merchant's API key.",
                }
            },
        },
    }


@cache
def _written(public_url: str) -> str:
    return json.dumps(document(public_url), ensure_ascii=False)


def _paths() -> Json:
    card = _parameter(
        "id", "path", {"type": "string", "pattern": "^[0-9A-Za-z]{1,40}$"}
    )
    code = _parameter(
        "code", "path", {"type": "string", "pattern": "^[0-9A-Za-z]{6,8}$"}
    )
    return {
        "/till-codes": {
            "post": _operation(
                "makeTillCode",
                "Make a code for a customer to scan",
                (201, models.TillCodeAnswer),
                {"no_such_shop", "no_such_program"},
                body=models.NewTillCode,
            )
        },
        "/till-codes/{code}": {
            "get": _operation(
                "showTillCode",
                "Where a code stands",
                (200, models.TillCodeStateAnswer),
                {"no_such_till_code"},
                [code],
            )
        },
        "/cards": {
            "post": _operation(
                "addCard",
                "Open a card for somebody without LINE",
                (201, models.CardAnswer),
                {"no_such_program", "program_closed"},
                body=models.NewCard,
            ),
            "get": _operation(
                "findCards",
                "Find a customer's cards by exactly one of the parameters",
                (200, models.CardsAnswer),
                {"invalid"},
                _query_parameters(models.CardQuery),
            ),
        },
        "/cards/{id}": {
            "get": _operation(
                "showCard",
                "One card",
                (200, models.CardAnswer),
                {"no_such_card"},
                [card],
            )
        },
        "/cards/{id}/stamps": {
            "post": _operation(
                "addStamps",
                "Give stamps to a card",
                (200, models.StampsAnswer),
                {"no_such_card", "no_such_shop", "amount_not_configured"},
                [card],
                body=models.NewStamps,
            )
        },
        "/cards/{id}/ledger": {
            "get": _operation(
                "showLedger",
                "What happened to a card, newest first",
                (200, models.LedgerAnswer),
                {"no_such_card", "invalid"},
                [card, *_query_parameters(models.LedgerQuery)],
            )
        },
        **_undo_paths(card),
    }


def _undo_paths(thing: Json) -> Json:
    return {
        "/entries/{id}/undo": {
            "post": _operation(
                "undoEntry",
                "Take a grant back",
                (200, models.UndoAnswer),
                {"no_such_entry", "already_used", "too_late"},
                [thing],
                body=models.NewUndo,
                needs_body=False,
            )
        },
        "/vouchers/{id}/redeem": {
            "post": _operation(
                "redeemVoucher",
                "Use a voucher up",
                (200, models.VoucherAnswer),
                {"no_such_voucher", "no_such_shop", *_VOUCHER_REFUSALS},
                [thing],
                body=models.NewRedemption,
                needs_body=False,
            )
        },
        "/vouchers/{id}/undo": {
            "post": _operation(
                "undoRedemption",
                "Make a voucher usable again, within ten minutes",
                (200, models.VoucherAnswer),
                {"no_such_voucher", "no_such_shop", "unused_voucher", "too_late"},
                [thing],
                body=models.NewRedemption,
                needs_body=False,
            )
        },
    }


def _operation(
    name: str,
    summary: str,
    answer: tuple[int, type[BaseModel]],
    problems: set[str],
    parameters: list[Json] | None = None,
    *,
    body: type[BaseModel] | None = None,
    needs_body: bool = True,
) -> Json:
    status, model = answer
    found: Json = {"operationId": name, "summary": summary}
    parameters = list(parameters or ())
    codes = problems | _ALWAYS | (_WITH_BODY if body else set())
    if body is not None:
        parameters.append(_idempotency_key())
        content = {"application/json": {"schema": _ref(body)}}
        found["requestBody"] = {"required": needs_body, "content": content}
    parameters.append(_parameter("Accept-Language", "header", {"type": "string"}))
    found["parameters"] = parameters
    content = {"application/json": {"schema": _ref(model)}}
    good = {"description": (model.__doc__ or "").split("\n")[0], "content": content}
    found["responses"] = {str(status): good} | _failures(codes)
    return found


def _failures(codes: set[str]) -> Json:
    """One answer a status, naming the codes that it may carry."""
    found: Json = {}
    content = {CONTENT_TYPE: {"schema": _ref(models.ProblemAnswer)}}
    for status in sorted({STATUS[code] for code in codes}):
        named = sorted(code for code in codes if STATUS[code] == status)
        words = ", ".join(f"`{code}`" for code in named)
        found[str(status)] = {"description": f"code {words}", "content": content}
    return found


def _query_parameters(model: type[BaseModel]) -> list[Json]:
    found = []
    for name, schema in model.model_json_schema()["properties"].items():
        plain = next(
            (s for s in schema.get("anyOf", ()) if s.get("type") != "null"), schema
        )
        plain = {k: v for k, v in plain.items() if k not in {"title", "default"}}
        found.append(_parameter(name, "query", plain, required=False))
    return found


def _idempotency_key() -> Json:
    schema = {"type": "string", "pattern": r"^[\x21-\x7e]{1,128}$"}
    parameter = _parameter("Idempotency-Key", "header", schema)
    parameter["description"] = "The same key gets its first answer, for ever."
    return parameter


def _parameter(
    name: str, place: str, schema: Json, *, required: bool | None = None
) -> Json:
    required = place == "path" if required is None else required
    return {"name": name, "in": place, "required": required, "schema": schema}


def _schemas() -> Json:
    _, found = models_json_schema(
        [(m, "validation") for m in _ASKED] + [(m, "serialization") for m in _ANSWERED],
        ref_template=_REF,
    )
    schemas: Json = found["$defs"]
    return schemas


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}
