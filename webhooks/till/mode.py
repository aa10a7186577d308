"""How this browser works as a till: tap or auto, for which card, how many stamps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from core.actions.till import MAX_STAMPS
from core.config import Settings
from webhooks.forms import whole_number
from webhooks.keys import SETTINGS

_NAME = "till_mode"
_KEPT = re.compile(r"(tap|auto):([a-z0-9-]{0,32}):(\d{1,2})")
_YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A choice made once; it is a habit, no secret, and nothing depends on it."""

    is_auto: bool = False
    program: str = ""
    stamps: int = 1


def kept_mode(request: web.Request) -> Mode:
    """What was chosen last in this browser; tap mode where nothing was."""
    found = _KEPT.fullmatch(request.cookies.get(_NAME, ""))
    if found is None:
        return Mode()
    stamps = stamps_of(found[3]) or 1
    return Mode(is_auto=found[1] == "auto", program=found[2], stamps=stamps)


def keep_mode(request: web.Request, response: web.StreamResponse, mode: Mode) -> None:
    """Remember the choice in this browser."""
    settings: Settings = request.config_dict[SETTINGS]
    response.set_cookie(
        _NAME,
        f"{'auto' if mode.is_auto else 'tap'}:{mode.program}:{mode.stamps}",
        max_age=_YEAR,
        path="/till",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )


def stamps_of(text: str) -> int | None:
    """How many stamps a form or an address asks for; None for no such number."""
    n = whole_number(text)
    return n if n is not None and 1 <= n <= MAX_STAMPS else None
