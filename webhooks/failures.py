"""What a reader sees when a request fails: a page, a JSON problem, or plain words.

Never a traceback, and never a difference between what is another merchant's and what
does not exist.
"""

from __future__ import annotations

import json
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from core.errors import Invalid, NotFound
from core.vault import new_letters
from core.wording import say
from webhooks.pages import language_of, render
from webhooks.sessions import RoleNeeded

log = structlog.get_logger()

_MACHINES = ("/line/", "/google/", "/apple/", "/healthz", "/readyz", "/metrics")
_WORDED = {400, 403, 404, 405, 413, 429, 500, 503}
_SERVER_ERROR = 500


@web.middleware
async def answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: turn exceptions into answers in the reader's form and language."""
    try:
        return await handler(request)
    except NotFound as error:
        return _failure(request, 404, code=f"no_such_{error.kind.replace(' ', '_')}")
    except Invalid as error:
        return _failure(request, 400, code="invalid", fields=sorted(error.problems))
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        if error.content_type == "application/problem+json":
            raise
        return _failure(request, error.status, error=error)
    except Exception as error:
        if isinstance(error, ConnectionResetError) and request.transport is None:
            # The sender hung up half-way; nobody is left to read this answer.
            log.info("request_cut_off", route=route_of(request))
            return _failure(request, 400, code="cut_off")
        # The last place that can answer.
        error_id = new_letters(8)
        log.exception("request_failed", error_id=error_id, route=route_of(request))
        return _failure(request, _SERVER_ERROR, error_id=error_id)


def route_of(request: web.Request) -> str:
    """The template of the path, such as /c/{code}: paths themselves may be secrets."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "-"


def _failure(
    request: web.Request,
    status: int,
    *,
    code: str = "",
    error: web.HTTPException | None = None,
    error_id: str = "",
    fields: list[str] | None = None,
) -> web.Response:
    if request.path.startswith("/api/"):
        response = _problem(status, code, error_id, fields or [])
    elif request.path.startswith(_MACHINES):
        response = web.Response(status=status, text=f"{status}\n")
    else:
        response = _page(request, status, error, error_id)
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if error is not None and name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def _page(
    request: web.Request, status: int, error: web.HTTPException | None, error_id: str
) -> web.Response:
    roles = error.roles if isinstance(error, RoleNeeded) else ()
    key = str(status if status in _WORDED else 400 if status < _SERVER_ERROR else 500)
    if roles:
        key = "role"
    elif error is not None and error.reason == "csrf":
        key = "csrf"
    language = language_of(request)
    names = say("web.and", language).join(say(f"web.role.{r}", language) for r in roles)
    return render(
        request,
        "error.html",
        {
            "status": status,
            "title": say(f"web.error.{key}.title", language),
            "body": say(f"web.error.{key}.body", language, roles=names),
            "error_id": error_id,
        },
        status=status,
    )


def _problem(status: int, code: str, error_id: str, fields: list[str]) -> web.Response:
    # https://www.rfc-editor.org/rfc/rfc9457
    words = HTTPStatus(status).phrase
    code = code or words.lower().replace(" ", "_")
    body: dict[str, object] = {
        "type": f"urn:stampcard:problem:{code}",
        "title": words,
        "status": status,
        "code": code,
    }
    if fields:
        body["fields"] = fields
    if error_id:
        body["error_id"] = error_id
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/problem+json",
    )
