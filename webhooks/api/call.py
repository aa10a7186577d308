"""What every call of the API begins with: whose key, which body, which retry."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.actions.signin import merchant_of_key
from core.database import Database
from core.errors import Invalid, NotFound
from core.links import Links
from core.rules.types import Language, Merchant
from core.vault import hash_token, new_token
from webhooks.api.problems import STATUS, Problem
from webhooks.forms import problems_in_words
from webhooks.keys import CLOCK, DB, LINKS
from webhooks.pages import language_of

MAX_BODY = 16 * 1024

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,256})", re.IGNORECASE)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, by a machine of `merchant`."""

    request: web.Request
    merchant: Merchant
    db: Database
    links: Links
    now: datetime

    @property
    def is_keyed(self) -> bool:
        """Did the caller send an Idempotency-Key?"""
        return "Idempotency-Key" in self.request.headers


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def api_call(handler: Callable[[Call], Awaitable[web.Response]]) -> Handler:
    """Make a route's handler of a function of a `Call`.

    Without a known key it answers 401; what the core does not find or cannot keep
    becomes a problem.
    """

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        parts = request.config_dict
        call = Call(
            request=request,
            merchant=await _merchant_of(request),
            db=parts[DB],
            links=parts[LINKS],
            now=parts[CLOCK].now(),
        )
        try:
            return await handler(call)
        except NotFound as error:
            code = f"no_such_{error.kind.replace(' ', '_')}"
            code = code if code in STATUS else "not_found"
            raise Problem(request, code) from None
        except Invalid as error:
            if "key" in error.problems:
                raise Problem(request, "idempotency_key_reused") from None
            fields = _fields(error, language_of(request))
            raise Problem(request, "invalid", fields) from None

    return answer


def reply(body: BaseModel, status: int = 200) -> web.Response:
    """An answer as JSON; it is about a person, so nobody keeps it on the way."""
    return web.Response(
        status=status,
        text=body.model_dump_json(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def answer_key(call: Call, name: str) -> str:
    """The key under which the core remembers the answer of this call.

    From the Idempotency-Key header; a fresh one, never met again, without it.
    https://www.ietf.org/archive/id/draft-ietf-httpapi-idempotency-key-header-07.html
    """
    given = call.request.headers.get("Idempotency-Key")
    if given is None:
        return f"api:{name}:{new_token()}"
    if _IDEMPOTENCY_KEY.fullmatch(given) is None:
        raise Problem(call.request, "bad_idempotency_key")
    return f"api:{name}:{given}"


async def read_body(call: Call, model: type[M]) -> M:
    """The body as `model`; a `Problem` for anything else."""
    request = call.request
    if request.content_type != "application/json":
        raise Problem(request, "unsupported_media_type")
    raw = bytearray()
    async for part in request.content.iter_any():
        raw += part
        if len(raw) > MAX_BODY:
            raise Problem(request, "too_large")
    try:
        return model.model_validate_json(bytes(raw))
    except ValidationError as error:
        raise _problem_of(request, error, "#") from None


def read_query(call: Call, model: type[M]) -> M:
    """The query as `model`; a `Problem` for anything else, also for a name twice."""
    query = call.request.query
    twice = {name for name in query if len(query.getall(name)) > 1}
    if twice:
        errors = [{"pointer": f"?{name}", "detail": "given twice"} for name in twice]
        raise Problem(call.request, "invalid", errors)
    try:
        return model.model_validate_strings(dict(query))
    except ValidationError as error:
        raise _problem_of(call.request, error, "?") from None


async def _merchant_of(request: web.Request) -> Merchant:
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        raise Problem(request, "unauthorized")
    db = request.config_dict[DB]
    merchant = await db.read(merchant_of_key, hash_token(found[1]))
    if merchant is None:
        raise Problem(request, "unauthorized")
    return merchant


def _problem_of(request: web.Request, error: ValidationError, root: str) -> Problem:
    details = error.errors(include_url=False, include_context=False)
    if any(detail["type"] == "json_invalid" for detail in details):
        return Problem(request, "malformed_json")
    return Problem(request, "invalid", [_error(d, root) for d in details])


def _error(detail: ErrorDetails, root: str) -> dict[str, str]:
    place = "/".join(str(part) for part in detail["loc"])
    pointer = root + (f"/{place}" if root == "#" and place else place)
    return {"pointer": pointer, "detail": detail["msg"]}


def _fields(error: Invalid, language: Language) -> list[dict[str, str]]:
    words = problems_in_words(error, language)
    return [{"pointer": f"#/{field}", "detail": text} for field, text in words.items()]
