"""Templates of the house, rendered without a server."""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jinja2
from aiohttp import web

from core.rules.types import Language
from core.wording import say
from webhooks.pages import ENVIRONMENT, set_up_pages


def draw(template: str, language: Language = "ja", **context: Any) -> str:
    """The page that somebody signed in at あおぞら珈琲 sees."""
    session = SimpleNamespace(
        csrf="csrf",
        merchant=SimpleNamespace(name="あおぞら珈琲"),
        staff=SimpleNamespace(role="owner", name=""),
    )
    return (
        _environment()
        .get_template(template)
        .render(
            {
                "say": partial(_say, language),
                "language": language,
                "session": session,
                "csrf": "csrf",
                "path": "/",
                "path_qs": "/",
                **context,
            }
        )
    )


@cache
def _environment() -> jinja2.Environment:
    app = web.Application()
    set_up_pages(app)
    return app[ENVIRONMENT]


def _say(language: Language, key: str, **values: object) -> str:
    return say(key, language, **values)
