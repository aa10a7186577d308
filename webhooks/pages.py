"""Pages from templates, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from core.rules.types import Language
from core.wording import LANGUAGES, pick_language, say
from webhooks.assets import static_url
from webhooks.csrf import masked
from webhooks.sessions import current_session

ENVIRONMENT = web.AppKey("pages", jinja2.Environment)


def set_up_pages(app: web.Application) -> None:
    """Load the templates; `render` finds them through the app."""
    app[ENVIRONMENT] = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("webhooks", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app[ENVIRONMENT].globals.update(static_url=static_url)


def render(
    request: web.Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    language: Language | None = None,
    is_packed: bool = False,
) -> web.Response:
    """A page. Templates also see `say`, `language`, `session`, `csrf`, `path`,
    `path_qs` and `static_url`.

    `say("till.title", n=1)` speaks the language of the page, which is `language` or
    else the reader's. A page is packed (gzip) only where its template shows `csrf`,
    which is masked, and not the session's own token.
    """
    session = current_session(request)
    spoken = language or language_of(request)
    html = (
        request.config_dict[ENVIRONMENT]
        .get_template(template)
        .render(
            {
                "say": partial(_say, spoken),
                "language": spoken,
                "session": session,
                "csrf": masked(session.csrf) if session else "",
                "path": request.path,
                "path_qs": request.path_qs,
                **(context or {}),
            }
        )
    )
    response = web.Response(
        text=html,
        status=status,
        content_type="text/html",
        headers={"Content-Language": spoken, "Vary": "Accept-Language, Cookie"},
    )
    if is_packed:
        response.enable_compression()
    return response


def language_of(request: web.Request) -> Language:
    """The session's language, else ?lang=, else what the browser prefers."""
    session = current_session(request)
    if session is not None:
        return session.language
    for language in LANGUAGES:
        if request.query.get("lang") == language:
            return language
    accepted = request.headers.get("Accept-Language", "")
    return pick_language(accepted.split(",")[0].split(";")[0].strip())


def _say(language: Language, key: str, **values: object) -> str:
    return say(key, language, **values)
