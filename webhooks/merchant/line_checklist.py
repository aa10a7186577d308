"""The checklist of the page that connects LINE: what is set up, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.onboarding import Seen
from core.actions.channels import LineChannel
from core.actions.menus import MenuState
from core.wording import say_time
from webhooks.keys import SETTINGS
from webhooks.pages import language_of
from webhooks.sessions import require_session


def checklist(
    request: web.Request, channel: LineChannel | None, menu: MenuState, seen: Seen
) -> list[dict[str, Any]]:
    """The lines that we can tell: name, state, and what to say of it."""
    session = require_session(request)
    if channel is None:
        return []
    url = webhook_url(request, session.merchant.key)
    rows = [_row("secret", "bad" if seen.problem == "refused" else "good", "secret_ok")]
    if seen.problem:
        rows[0] = _row("secret", _of_problem(seen), seen.problem)
        rows += [_row(name, "unknown", "away") for name in ("webhook", "use")]
    else:
        where = "ok" if seen.endpoint == url else "other" if seen.endpoint else "none"
        state = "good" if where == "ok" else "bad"
        rows.append(_row("webhook", state, f"webhook_{where}", url=seen.endpoint))
        on = "on" if seen.is_active else "off"
        rows.append(_row("use", "good" if on == "on" else "bad", f"use_{on}"))
    zone, language = session.merchant.timezone, language_of(request)
    if test := channel.setup.get("test"):
        state = "good" if test["reason"] == "OK" else "bad"
        at = say_time(datetime.fromisoformat(test["at"]), zone, language)
        rows.append(_row("test", state, "", status=test["status"], time=at))
        rows[-1]["reason"] = test["reason"]
    else:
        rows.append(_row("test", "open", "test_none"))
    rows.append(_row("menu", _MENU_STATES[menu], f"menu_{menu}"))
    return rows


def webhook_url(request: web.Request, merchant_key: str) -> str:
    """Where LINE is to send this merchant's webhooks."""
    return f"{request.config_dict[SETTINGS].public_url}/line/{merchant_key}"


_MENU_STATES: Mapping[MenuState, str] = {
    "up": "good",
    "coming": "waiting",
    "failed": "bad",
    "none": "open",
}


def _row(name: str, state: str, words: str, **values: object) -> dict[str, Any]:
    return {"name": name, "state": state, "words": words, "values": values}


def _of_problem(seen: Seen) -> str:
    return "bad" if seen.problem == "refused" else "unknown"
