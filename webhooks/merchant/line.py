"""Connecting LINE: the channel's id and secret, and what is set up and what is not."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.access import ChannelKey, channel_key
from bot.line_api import BotInfo
from bot.onboarding import Seen, fetch_picture, introduce, look_at, point_webhook
from bot.rich_menu import REVISION
from core.actions.channels import LineChannel, line_channel
from core.actions.line_setup import (
    TICKS,
    NewLine,
    connect_line,
    keep_webhook_test,
    tick_line,
)
from core.actions.menus import MenuState, menu_state, want_menu, want_menu_again
from core.actions.pictures import load_picture
from core.database import Tx
from core.errors import Invalid, NotFound, Unsealable
from core.links import friend_url
from core.rules.types import MerchantId
from core.wording import say_time
from passes.uploads import MOST_BYTES, clean_picture
from webhooks.forms import problems_in_words, text_of
from webhooks.keys import CLOCK, DB, LINE_API, SETTINGS, VAULT
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

LINE = "/merchant/line"

_PICTURE_SIDE = 112
_DONE = {"connected", "webhook", "menu", "ticked"}
_CHANNEL_ID = re.compile(r"[0-9]{5,20}")
_SECRET = re.compile(r"[!-~]{16,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody typed that could not be kept, and why; never a secret."""

    channel_id: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    channel: LineChannel | None
    picture: bytes | None
    menu: MenuState


@routes.get(LINE)
async def show_line(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner")
    return await _page(request, _Typed())


@routes.post(LINE)
async def connect(request: web.Request) -> web.Response:
    """Try the id and secret at LINE, keep them, and set up what can be set up."""
    session = require_session(request, "owner")
    parts, fields = request.config_dict, await request.post()
    typed = text_of(fields, "channel_id")
    try:
        key = _read_key(typed, text_of(fields, "secret"))
        info = await introduce(parts[LINE_API], key)
        given = NewLine(
            channel_id=key.channel_id,
            secret=key.secret,
            bot_user_id=info.user_id,
            basic_id=info.basic_id,
            name=info.name,
            picture=await _picture(info),
        )
        await parts[DB].write(
            connect_line,
            session.merchant.id,
            given,
            parts[VAULT],
            session.staff.id,
            parts[CLOCK].now(),
        )
    except Invalid as error:
        words = problems_in_words(error, language_of(request))
        return await _page(request, _Typed(channel_id=typed, problems=words))
    await parts[DB].write(want_menu, session.merchant.id, REVISION, parts[CLOCK].now())
    # Only now: LINE signs its test call with the secret that we have just kept.
    await _point(request, session.merchant.id, session.merchant.key, key)
    return _back("connected")


@routes.post(f"{LINE}/webhook")
async def set_webhook(request: web.Request) -> web.Response:
    """Have LINE send webhooks here, and call us once."""
    session = require_session(request, "owner")
    try:
        key = await _known_key(request, session.merchant.id)
    except Unsealable:
        # The page says that the secret is needed anew.
        return web.Response(status=303, headers={"Location": LINE})
    await _point(request, session.merchant.id, session.merchant.key, key)
    return _back("webhook")


@routes.post(f"{LINE}/menu")
async def set_menu(request: web.Request) -> web.Response:
    """Have the rich menu put up again."""
    session, parts = require_session(request, "owner"), request.config_dict
    where = (session.merchant.id, session.staff.id, parts[CLOCK].now())
    await parts[DB].write(want_menu_again, *where)
    return _back("menu")


@routes.post(f"{LINE}/ticks")
async def tick(request: web.Request) -> web.Response:
    """Mark a setting that LINE cannot be asked about as done, or as not done."""
    session, parts = require_session(request, "owner"), request.config_dict
    fields = await request.post()
    wanted = text_of(fields, "what")
    for what in TICKS:
        if what == wanted:
            await parts[DB].write(
                tick_line,
                session.merchant.id,
                what,
                is_done=text_of(fields, "do") == "tick",
                by=session.staff.id,
                now=parts[CLOCK].now(),
            )
            return _back("ticked")
    raise web.HTTPBadRequest


async def _point(
    request: web.Request, merchant_id: MerchantId, merchant_key: str, key: ChannelKey
) -> None:
    parts = request.config_dict
    url = _webhook_url(request, merchant_key)
    test = await point_webhook(parts[LINE_API], key, url)
    now = parts[CLOCK].now()
    await parts[DB].write(keep_webhook_test, merchant_id, test.reason, test.status, now)


async def _known_key(request: web.Request, merchant_id: MerchantId) -> ChannelKey:
    """The key of the channel that is kept. Raises `NotFound`, `Unsealable`."""
    parts = request.config_dict
    channel = await parts[DB].read(line_channel, merchant_id)
    if channel is None:
        raise NotFound("channel")
    return channel_key(channel, parts[VAULT])


async def _picture(info: BotInfo) -> bytes | None:
    raw = await fetch_picture(info, most_bytes=MOST_BYTES)
    if raw is None:
        return None
    try:
        return await asyncio.to_thread(clean_picture, raw, side=_PICTURE_SIDE)
    except Invalid:
        return None


def _read_key(channel_id: str, secret: str) -> ChannelKey:
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    if not _CHANNEL_ID.fullmatch(channel_id):
        found["channel_id"] = ("line_setup.invalid.channel_id", {})
    if not _SECRET.fullmatch(secret):
        found["secret"] = ("line_setup.invalid.secret", {})
    if found:
        raise Invalid(found)
    return ChannelKey(channel_id, secret)


async def _page(request: web.Request, typed: _Typed) -> web.Response:
    session, parts = require_session(request), request.config_dict
    kept = await parts[DB].read(_load, session.merchant.id)
    seen = await _look(request, kept.channel)
    done = request.query.get("done", "") if request.method == "GET" else ""
    context = {
        "channel": kept.channel,
        "seen": seen,
        "rows": _rows(request, kept, seen) if kept.channel else [],
        "ticks": TICKS,
        "picture": base64.b64encode(kept.picture).decode() if kept.picture else "",
        "friend": friend_url(kept.channel.basic_id) if kept.channel else "",
        "typed": typed,
        "problems": typed.problems,
        "done": done if done in _DONE else "",
    }
    status = 422 if typed.problems else 200
    return render(request, "merchant/line.html", context, status=status, is_packed=True)


async def _look(request: web.Request, channel: LineChannel | None) -> Seen:
    if channel is None:
        return Seen()
    try:
        key = channel_key(channel, request.config_dict[VAULT])
    except Unsealable:
        return Seen(problem="refused")
    return await look_at(request.config_dict[LINE_API], key)


def _rows(request: web.Request, kept: _Kept, seen: Seen) -> list[dict[str, Any]]:
    """The checklist's lines that we can tell: name, state, and what to say of it."""
    session, channel = require_session(request), kept.channel
    if channel is None:
        return []
    url = _webhook_url(request, session.merchant.key)
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
    rows.append(_row("menu", _MENU_STATES[kept.menu], f"menu_{kept.menu}"))
    return rows


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


def _load(tx: Tx, merchant_id: MerchantId) -> _Kept:
    channel = line_channel(tx, merchant_id)
    digest = channel.setup.get("picture") if channel else None
    return _Kept(
        channel=channel,
        picture=load_picture(tx, merchant_id, digest) if digest else None,
        menu=menu_state(tx, merchant_id, REVISION),
    )


def _webhook_url(request: web.Request, merchant_key: str) -> str:
    return f"{request.config_dict[SETTINGS].public_url}/line/{merchant_key}"


def _back(done: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{LINE}?done={done}"})
